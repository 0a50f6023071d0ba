//! The number and the durations of the stalls of each kind that a runtime's watchdog has found.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use super::shared_histogram::SharedHistogram;
use crate::cell::{SharedCounter, SharedU32};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::{cell::SharedSum, histogram::HistogramConfig, sync::RECORDING};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::boxed::Box;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use once_cell::race::OnceBox;

/// The way in which a stall was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StallKind {
    /// A worker, or an external thread, has been in one poll for too long.
    Poll,
    /// A worker is awake, in no measured poll, and makes no progress.
    NoProgress,
}

impl StallKind {
    pub(crate) const COUNT: usize = 2;

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Counts by kind, written by one watchdog at a time.
#[derive(Debug)]
pub(crate) struct StallCells {
    /// One bit for each kind that a watchdog has ever counted, and [`WATCHED`].
    watch: SharedU32,
    counts: [SharedCounter; StallKind::COUNT],
    /// Allocated for the kinds that a watchdog has ever counted.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    durations: [OnceBox<SharedHistogram<Buckets>>; StallKind::COUNT],
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
type Buckets = Box<[SharedSum]>;

/// The layout of the durations: from 1 ms, below which no watchdog scans, to an hour.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) const DURATION_LAYOUT: HistogramConfig = match HistogramConfig::h2(1_000_000, 3_600_000_000_000, 2)
{
    Ok(layout) => layout,
    Err(_) => panic!("the minimum is below the maximum"),
};

/// A watchdog counts stalls now.
const WATCHED: u32 = 1 << 31;

impl StallCells {
    crate::sync::const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new() -> Self {
            Self {
                watch: SharedU32::new(0),
                counts: [SharedCounter::new(), SharedCounter::new()],
                durations: [OnceBox::new(), OnceBox::new()],
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
                // Not before: a watchdog that is refused adds no durations.
                self.allocate(kinds);
                return true;
            }
        }
    }

    /// Only the watchdog that started the watch calls this, so no other thread changes the word.
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

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl StallCells {
    fn allocate(&self, kinds: &[StallKind]) {
        for &kind in kinds.iter().filter(|_| RECORDING) {
            let buckets = || (0..DURATION_LAYOUT.num_buckets()).map(|_| SharedSum::new(0));
            self.durations[kind as usize].get_or_init(|| Box::new(SharedHistogram::new(buckets().collect())));
        }
    }

    pub(crate) fn record(&self, kind: StallKind, nanos: u64) {
        if let Some(durations) = self.durations[kind as usize].get() {
            durations.record(Box::as_ref, &DURATION_LAYOUT, nanos);
        }
    }

    /// Returns the durations of each kind, `None` unless a watchdog has counted this kind.
    pub(crate) fn durations(&self) -> [Option<&SharedHistogram<Buckets>>; StallKind::COUNT] {
        self.durations.each_ref().map(OnceBox::get)
    }
}

/// Only storage on the heap counts stalls.
#[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
#[allow(clippy::unused_self)]
impl StallCells {
    fn allocate(&self, _: &[StallKind]) {}

    pub(crate) fn record(&self, _: StallKind, _: u64) {}
}
