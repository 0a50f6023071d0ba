//! The number of the stalls of each kind that a runtime's watchdog has found.

use crate::catalog::HistogramName;
use crate::cell::{SharedCounter, SharedU32};
use crate::histogram::HistogramConfig;

/// The way in which a stall was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StallKind {
    /// A worker, or an external thread, has been in one poll for too long.
    Poll,
    /// A worker is awake, in no measured poll, and makes no progress.
    NoProgress,
    /// Workers run short polls, and none of them turns the runtime's driver: timers and I/O events wait.
    Queue,
}

impl StallKind {
    const COUNT: usize = 3;

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The histogram of the durations of this kind.
    pub(crate) const fn durations(self) -> HistogramName {
        match self {
            Self::Poll => HistogramName::PollStallDuration,
            Self::NoProgress => HistogramName::NoProgressStallDuration,
            Self::Queue => HistogramName::QueueStallDuration,
        }
    }
}

/// Counts by kind, written by one watchdog at a time.
#[derive(Debug)]
pub(crate) struct StallCells {
    /// One bit for each kind that a watchdog has ever counted, and [`WATCHED`].
    watch: SharedU32,
    counts: [SharedCounter; StallKind::COUNT],
}

/// The layout of the durations: from 1 ms, below which no watchdog scans, to an hour.
pub(crate) const DURATION_LAYOUT: HistogramConfig = match HistogramConfig::h2(1_000_000, 3_600_000_000_000, 2)
{
    Ok(layout) => layout,
    Err(_) => panic!("the minimum is below the maximum"),
};

/// Set while a watchdog counts stalls.
const WATCHED: u32 = 1 << 31;

impl StallCells {
    crate::sync::const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new() -> Self {
            Self {
                watch: SharedU32::new(0),
                counts: [SharedCounter::new(), SharedCounter::new(), SharedCounter::new()],
            }
        }
    }

    pub(crate) fn begin_watch(&self, kinds: &[StallKind]) -> bool {
        let bits = kinds.iter().fold(WATCHED, |bits, kind| bits | kind.bit());
        loop {
            let before = self.watch.load_acquire();
            if before & WATCHED != 0 {
                return false;
            }
            if self.watch.claim(before, before | bits) {
                return true;
            }
        }
    }

    /// Returns `false` without a watch. Only the watchdog that started the watch calls this, as `end_watch`, so no other
    /// thread changes the word.
    pub(crate) fn also_watch(&self, kind: StallKind) -> bool {
        let before = self.watch.load_acquire();
        let is_watched = before & WATCHED != 0;
        if is_watched {
            self.watch.store_release(before | kind.bit());
        }
        is_watched
    }

    pub(crate) fn end_watch(&self) {
        self.watch.store_release(self.watch.load_acquire() & !WATCHED);
    }

    pub(crate) fn count(&self, kind: StallKind) {
        self.counts[kind as usize].increment_release();
    }

    /// Returns `None` unless a watchdog has counted this kind.
    pub(crate) fn get(&self, kind: StallKind) -> Option<u64> {
        let looked_for = self.watch.load_acquire() & kind.bit() != 0;
        looked_for
            .then(|| self.counts[kind as usize].load_acquire())
            .flatten()
    }
}
