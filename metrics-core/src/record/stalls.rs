//! The stalls that a runtime's watchdog has found: how many of each kind.

use crate::cell::{SharedCounter, SharedU32};

/// How a stall was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StallKind {
    /// A worker, or an external thread, is in one poll.
    Poll,
    /// A worker is awake, in no poll that is measured, and shows no progress.
    NoProgress,
}

impl StallKind {
    const COUNT: usize = 2;

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Counts by kind, written by one watchdog at a time.
#[derive(Debug)]
pub(crate) struct StallCells {
    /// A bit for each kind that a watchdog has ever looked for, and [`WATCHED`].
    watch: SharedU32,
    counts: [SharedCounter; StallKind::COUNT],
}

/// A watchdog records at present.
const WATCHED: u32 = 1 << 31;

impl StallCells {
    crate::sync::const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new() -> Self {
            Self {
                watch: SharedU32::new(0),
                counts: [SharedCounter::new(), SharedCounter::new()],
            }
        }
    }

    pub(crate) fn begin_watch(&self, kinds: &[StallKind]) -> bool {
        let kinds = kinds.iter().fold(WATCHED, |bits, kind| bits | kind.bit());
        loop {
            let before = self.watch.load_acquire();
            if before & WATCHED != 0 {
                return false;
            }
            if self.watch.claim(before, before | kinds) {
                return true;
            }
        }
    }

    /// Only the watchdog that began calls it, so nothing else changes the word meanwhile.
    pub(crate) fn end_watch(&self) {
        self.watch.store_release(self.watch.load_acquire() & !WATCHED);
    }

    pub(crate) fn count(&self, kind: StallKind) {
        self.counts[kind as usize].increment_release();
    }

    /// `None` unless a watchdog has looked for this kind.
    pub(crate) fn get(&self, kind: StallKind) -> Option<u64> {
        let looked_for = self.watch.load_acquire() & kind.bit() != 0;
        looked_for
            .then(|| self.counts[kind as usize].load_acquire())
            .flatten()
    }
}
