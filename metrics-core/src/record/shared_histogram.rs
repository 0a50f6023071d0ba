//! A histogram with many writers, for what happens off the workers and seldom.

use crate::cell::SharedU64;
use crate::histogram::HistogramConfig;
use crate::sync::{Ordering, const_unless_loom, fence};

/// Bucket counts with many writers.
///
/// A record counts itself in `begun`, changes the cells, and counts itself in `ended`. A reading that finds as many begun
/// after it as had ended before it has seen exactly those records, whole; any other is thrown away. Writers never wait.
#[derive(Debug)]
pub(crate) struct SharedHistogram<B> {
    buckets: B,
    begun: SharedU64,
    ended: SharedU64,
    sum: SharedU64,
    min: SharedU64,
    max: SharedU64,
}

impl<B> SharedHistogram<B> {
    const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new(buckets: B) -> Self {
            Self {
                buckets,
                begun: SharedU64::new(0),
                ended: SharedU64::new(0),
                sum: SharedU64::new(0),
                min: SharedU64::new(u64::MAX),
                max: SharedU64::new(0),
            }
        }
    }
}

impl<B> SharedHistogram<B> {
    /// Read-modify-writes: four, and one or two more when an extreme moves.
    pub(crate) fn record(&self, cells: fn(&B) -> &[SharedU64], config: &HistogramConfig, value: u64) {
        self.begun.add_relaxed(1);
        // Ordering: release fence, pairs with the acquire fence in `try_read`: a reader that saw any change below sees
        // this record begun.
        fence(Ordering::Release);
        self.sum.add_saturating_relaxed(value);
        self.min.min_relaxed(value);
        self.max.max_relaxed(value);
        if let Some(bucket) = cells(&self.buckets).get(config.index(value)) {
            bucket.add_relaxed(1);
        }
        // Release, pairs with the acquire in `try_read`: a reader that sees this record ended sees all of it.
        self.ended.add_release(1);
    }

    /// One try to read the buckets, and sum, minimum and maximum of the same records. `None` if one was going on.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn try_read(
        &self,
        cells: fn(&B) -> &[SharedU64],
        buckets: &mut [u64],
    ) -> Option<(u64, u64, u64)> {
        let ended = self.ended.load_acquire();
        for (to, from) in buckets.iter_mut().zip(cells(&self.buckets)) {
            *to = from.load_relaxed();
        }
        let totals = (
            self.sum.load_relaxed(),
            self.min.load_relaxed(),
            self.max.load_relaxed(),
        );
        // Ordering: acquire fence, pairs with the release fence in `record`.
        fence(Ordering::Acquire);
        (self.begun.load_relaxed() == ended).then_some(totals)
    }
}

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    type Cells = Box<[SharedU64]>;

    fn cells(cells: &Cells) -> &[SharedU64] {
        cells
    }

    #[test]
    fn a_reading_during_a_record_is_thrown_away() {
        let config = HistogramConfig::DEFAULT;
        let histogram = SharedHistogram::new(
            (0..config.num_buckets())
                .map(|_| SharedU64::new(0))
                .collect::<Cells>(),
        );
        let mut buckets = [0; 119];
        assert_eq!(histogram.try_read(cells, &mut buckets), Some((0, u64::MAX, 0)));
        histogram.record(cells, &config, 700);
        histogram.record(cells, &config, u64::MAX);
        assert_eq!(
            histogram.try_read(cells, &mut buckets),
            Some((u64::MAX, 700, u64::MAX)),
            "the sum saturates"
        );
        assert_eq!(buckets.iter().sum::<u64>(), 2);
        histogram.begun.add_relaxed(1);
        assert_eq!(histogram.try_read(cells, &mut buckets), None);
    }
}
