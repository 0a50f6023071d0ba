//! The stamp of a task's first wake, which any thread or interrupt may write.

use crate::cell::Stamp;
use crate::sync::const_unless_loom;
use crate::time::Timestamp;

/// When a task became scheduled: its spawn, or the first wake since its last poll.
///
/// A repeated wake does not move it. Wakers [`mark`](Self::mark) it, the poll [`take`](Self::take)s it; a wake during
/// the poll belongs to the next one. It works on every target, in any thread and in interrupts, and takes no lock.
///
/// # What is not promised
/// Both are a load and a store, not a read-modify-write, which would cost each poll more than a clock reading does. Two
/// wakes at the same instant leave the stamp of either; a wake that was held up between its load and its store may
/// leave its own, earlier time, or lose it to the poll that takes the stamp just then, which leaves one poll without a
/// schedule latency. On a target without 64-bit atomics two wakes at the same instant may leave none; ticks from 2^60 on lose their
/// high bits there. A runtime that marks the stamp where it queues the task, once for each time it becomes
/// scheduled, has no such races: its queue orders the mark before the poll.
#[derive(Debug)]
pub struct WakeStamp(Stamp);

impl WakeStamp {
    const_unless_loom! {
        /// A stamp that is not set.
        pub const fn new() -> Self {
            Self(Stamp::new())
        }
    }

    /// Sets the stamp unless it is set.
    ///
    /// A reading of zero ticks is kept as one tick: zero is "not set".
    #[inline]
    pub fn mark(&self, now: Timestamp) {
        if !self.is_set() {
            self.0.set(now.ticks());
        }
    }

    /// Whether the stamp is set. A waker that looks first spares a clock reading for a repeated wake.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Takes the stamp, leaving it unset.
    #[inline]
    pub fn take(&self) -> Option<Timestamp> {
        self.0.take().map(Timestamp::from_ticks)
    }
}

impl Default for WakeStamp {
    fn default() -> Self {
        Self::new()
    }
}
