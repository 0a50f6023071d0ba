//! A histogram with many writers, for what happens off the workers and seldom.

use crate::cell::SharedU64;
use crate::histogram::HistogramConfig;
use crate::sync::const_unless_loom;

/// Bucket counts with many writers.
///
/// Every cell is right on its own; a reading taken during a record may hold that sample's sum and not yet its
/// bucket. The count is the sum of the buckets here too.
#[derive(Debug)]
pub(crate) struct SharedHistogram<B> {
    buckets: B,
    sum: SharedU64,
    min: SharedU64,
    max: SharedU64,
}

impl<B> SharedHistogram<B> {
    const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new(buckets: B) -> Self {
            Self { buckets, sum: SharedU64::new(0), min: SharedU64::new(u64::MAX), max: SharedU64::new(0) }
        }
    }
}

impl<B> SharedHistogram<B> {
    /// A read-modify-write each for sum and bucket, and one or two more when an extreme moves.
    pub(crate) fn record(&self, cells: fn(&B) -> &[SharedU64], config: &HistogramConfig, value: u64) {
        self.sum.add_release(value);
        self.min.min_relaxed(value);
        self.max.max_relaxed(value);
        if let Some(bucket) = cells(&self.buckets).get(config.index(value)) {
            // The release of this count, read by acquire, brings the three cells above with it.
            bucket.add_release(1);
        }
    }

    /// Buckets first: their acquire brings at least the sums of the samples that they hold.
    pub(crate) fn read(&self, cells: fn(&B) -> &[SharedU64], buckets: &mut [u64]) -> (u64, u64, u64) {
        for (to, from) in buckets.iter_mut().zip(cells(&self.buckets)) {
            *to = from.load_acquire().unwrap_or(0);
        }
        let cell = |cell: &SharedU64, none| cell.load_acquire().unwrap_or(none);
        (cell(&self.sum, 0), cell(&self.min, u64::MAX), cell(&self.max, 0))
    }
}
