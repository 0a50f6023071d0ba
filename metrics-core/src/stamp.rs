//! The timestamp of a task's first wake, which any thread or interrupt may write.

use crate::cell::Stamp;
use crate::sync::const_unless_loom;
use crate::time::Timestamp;

/// The time at which a task became scheduled: its spawn, or the first wake since its last poll. Schedule latency is
/// measured from it.
///
/// A waker calls [`mark`](Self::mark), and the poll calls [`take`](Self::take). A repeated wake keeps the first time,
/// and a wake during a poll belongs to the next poll. A stamp works on every target, in any thread and in interrupts,
/// and takes no lock.
///
/// ```
/// use metrics_core::{Timestamp, WakeStamp};
///
/// let stamp = WakeStamp::new();
/// stamp.mark(Timestamp::from_ticks(10));
/// stamp.mark(Timestamp::from_ticks(20));
/// # #[cfg(feature = "record")]
/// assert_eq!(stamp.take(), Some(Timestamp::from_ticks(10)));
/// assert_eq!(stamp.take(), None);
/// ```
///
/// # Races
/// Both methods use a load and a store instead of a read-modify-write operation, which would cost each poll more than
/// a clock read. Therefore:
///
/// - Two concurrent wakes leave the timestamp of either. On a target without 64-bit atomics, they may leave none.
/// - A wake that is delayed between its load and its store may store its earlier time later, or lose it to a poll that
///   takes the stamp at that moment. One poll then has no schedule latency.
/// - On a target without 64-bit atomics, ticks from 2^60 lose their high bits.
///
/// A runtime that marks the stamp where it queues the task, once each time the task becomes scheduled, has no such
/// races: its queue orders the mark before the poll.
#[derive(Debug)]
pub struct WakeStamp(Stamp);

impl WakeStamp {
    const_unless_loom! {
        /// Creates a stamp that is not set.
        pub const fn new() -> Self {
            Self(Stamp::new())
        }
    }

    /// Sets the stamp, unless it is already set.
    ///
    /// Zero ticks are stored as one tick, because zero represents a stamp that is not set.
    #[inline]
    pub fn mark(&self, now: Timestamp) {
        if !self.is_set() {
            self.0.set(now.ticks());
        }
    }

    /// Returns `true` if the stamp is set. A waker that checks this first avoids a clock read on a repeated wake.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Takes the timestamp and leaves the stamp unset.
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
