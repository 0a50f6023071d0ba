//! The stamp of a task's first wake, which any thread or interrupt may write.

use crate::cell::SharedU64;
use crate::sync::const_unless_loom;
use crate::time::Timestamp;

/// When a task became scheduled: its spawn, or the first wake since its last poll.
///
/// A repeated wake does not move it. Wakers [`mark`](Self::mark) it, the poll [`take`](Self::take)s it; a wake during
/// the poll belongs to the next one. On a target without compare-and-swap it works only with the feature
/// `critical-section`; without, `take` gives `None`.
#[derive(Debug)]
pub struct WakeStamp(SharedU64);

impl WakeStamp {
    const_unless_loom! {
        /// A stamp that is not set.
        pub const fn new() -> Self {
            Self(SharedU64::new(0))
        }
    }

    /// Sets the stamp unless it is set. Lock-free wherever the target's 64-bit compare-and-swap is.
    ///
    /// A reading of zero ticks is kept as one tick: zero is "not set".
    #[inline]
    pub fn mark(&self, now: Timestamp) {
        self.0.set_if_zero(now.ticks().max(1));
    }

    /// Whether the stamp is set. A waker asks first, and so spares a clock reading for a repeated wake.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load_acquire().is_some_and(|ticks| ticks != 0)
    }

    /// Takes the stamp, leaving it unset.
    #[inline]
    pub fn take(&self) -> Option<Timestamp> {
        match self.0.take() {
            0 => None,
            ticks => Some(Timestamp::from_ticks(ticks)),
        }
    }
}

impl Default for WakeStamp {
    fn default() -> Self {
        Self::new()
    }
}
