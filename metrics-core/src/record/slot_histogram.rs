//! The slot's side of a histogram: single-writer cells under the slot's sequence count.

#[cfg(not(metrics_core_loom))]
use super::hooks::RecordValue;
#[cfg(not(metrics_core_loom))]
use crate::cell::BucketCell;
use crate::cell::{OwnedU64, U64Cell};
#[cfg(not(metrics_core_loom))]
use crate::histogram::HistogramConfig;
use crate::sync::const_unless_loom;

/// The bucket counts of a slot: on a heap, in an array, or in narrower cells for small chips.
///
/// Sealed by its cells: only this crate can create one.
pub trait BucketCells {
    /// Returns the count of a bucket; zero past the end.
    fn count(&self, bucket: usize) -> u64;
}

#[cfg(not(metrics_core_loom))]
impl<B: BucketCell, const BUCKETS: usize> BucketCells for [B; BUCKETS] {
    #[inline(always)]
    fn count(&self, bucket: usize) -> u64 {
        self.get(bucket).map_or(0, B::count)
    }
}

/// Bucket counts with their sum, minimum and maximum. The count of samples is the sum of the buckets, so the two can't
/// disagree.
#[derive(Debug)]
pub(crate) struct SlotHistogram<B> {
    pub(crate) buckets: B,
    sum: OwnedU64,
    /// The complement of the minimum, so that an empty histogram is all zeros.
    min_complement: OwnedU64,
    max: OwnedU64,
}

impl<B> SlotHistogram<B> {
    const_unless_loom! {
        pub(crate) const fn new(buckets: B) -> Self {
            Self {
                buckets,
                sum: OwnedU64::new(0),
                min_complement: OwnedU64::new(!u64::MAX),
                max: OwnedU64::new(0),
            }
        }
    }

    /// Returns the current sum, minimum and maximum.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        (self.sum.get(), !self.min_complement.get(), self.max.get())
    }

    /// Stores the sum, minimum and maximum of a batch.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn set_totals(&self, sum: u64, min: u64, max: u64) {
        self.sum.set(sum);
        self.min_complement.set(!min);
        self.max.set(max);
    }

    /// Outlined, because a select between two 64-bit values would cost every record more than a branch.
    #[cfg(not(metrics_core_loom))]
    #[cold]
    #[inline(never)]
    fn saturate(&self) {
        self.sum.set(u64::MAX);
    }
}

/// Records directly in the slot, one sample at a time, for a writer inside a write section.
#[cfg(not(metrics_core_loom))]
impl<B: BucketCell, const BUCKETS: usize> RecordValue for SlotHistogram<[B; BUCKETS]> {
    const MEAN: bool = false;

    // Outlined: both histograms share it. Inlined twice, it costs 420 more bytes of flash on a Cortex-M0 and saves no
    // instruction.
    #[inline(never)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        if let Some(bucket) = self.buckets.get(config.index(value)) {
            bucket.count_one();
        }
        match self.sum.get().checked_add(value) {
            Some(sum) => self.sum.set(sum),
            None => self.saturate(),
        }
        if !value > self.min_complement.get() {
            self.min_complement.set(!value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
        false
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::{BucketCells, RecordValue, SlotHistogram};
    use crate::cell::{OwnedU32, U32Cell};
    use crate::histogram::HistogramConfig;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_full_bucket_stays_full() {
        let histogram = SlotHistogram::new([OwnedU32::new(u32::MAX - 1), OwnedU32::new(0)]);
        let config = HistogramConfig::linear(10, 2).unwrap();
        for _ in 0..3 {
            histogram.record(&config, 1);
        }
        assert_eq!(U32Cell::get(&histogram.buckets[0]), u32::MAX);
        assert_eq!(histogram.buckets.count(1), 0, "its neighbour is unchanged");
        let too_large = HistogramConfig::linear(10, 3).unwrap();
        histogram.record(&too_large, 20);
        assert_eq!(histogram.totals(), (23, 1, 20));
    }
}
