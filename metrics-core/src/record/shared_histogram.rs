//! A histogram with many writers, for rare events outside the workers.

use crate::cell::{SharedSum, SharedU32};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::histogram::values_of_short_code;
use crate::histogram::{HistogramConfig, short_code};
use crate::sync::{Ordering, const_unless_loom, fence};

/// Bucket counts with many writers, which never wait. Writers may be threads or interrupts.
///
/// A record increments `begun`, changes the cells, and increments `ended`. If `begun` after a read equals `ended`
/// before it, the read has seen exactly those records, each complete. Any other read is discarded. A reader is wrong
/// only if a multiple of 2^32 records happen during its read.
#[derive(Debug)]
pub(crate) struct SharedHistogram<B> {
    buckets: B,
    begun: SharedU32,
    ended: SharedU32,
    sum: SharedSum,
    /// Codes of values. Before the first record they are `u32::MAX`, which is above any code, and 0.
    min: SharedU32,
    max: SharedU32,
}

impl<B> SharedHistogram<B> {
    const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new(buckets: B) -> Self {
            Self {
                buckets,
                begun: SharedU32::new(0),
                ended: SharedU32::new(0),
                sum: SharedSum::new(0),
                min: SharedU32::new(u32::MAX),
                max: SharedU32::new(0),
            }
        }
    }
}

impl<B> SharedHistogram<B> {
    pub(crate) fn record(&self, cells: fn(&B) -> &[SharedSum], config: &HistogramConfig, value: u64) {
        self.begun.add(1);
        // Ordering: release fence, pairs with the acquire fence in `try_read`: a reader that saw any change below sees
        // that this record has begun.
        fence(Ordering::Release);
        self.sum.add_relaxed(value);
        let code = short_code(value);
        self.min.min_relaxed(code);
        self.max.max_relaxed(code);
        if let Some(bucket) = cells(&self.buckets).get(config.index(value)) {
            bucket.add_relaxed(1);
        }
        // Ordering: `add` releases, pairs with the acquire in `try_read`: a reader that sees that this record has
        // ended sees all of it.
        self.ended.add(1);
    }

    /// Tries once to read the buckets with the sum, minimum and maximum of the same records. `None` if a record was in
    /// progress.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn try_read(
        &self,
        cells: fn(&B) -> &[SharedSum],
        config: &HistogramConfig,
        buckets: &mut [u64],
    ) -> Option<(u64, u64, u64)> {
        let ended = self.ended.load_acquire();
        for (to, from) in buckets.iter_mut().zip(cells(&self.buckets)) {
            *to = from.load_relaxed();
        }
        let (sum, min, max) = (
            self.sum.load_relaxed(),
            self.min.load_relaxed(),
            self.max.load_relaxed(),
        );
        // Ordering: acquire fence, pairs with the release fence in `record`.
        fence(Ordering::Acquire);
        if self.begun.load_relaxed() != ended {
            return None;
        }
        let (min, max) = extremes(config, buckets, min, max).unwrap_or((u64::MAX, 0));
        Some((sum, min, max))
    }
}

/// Returns the minimum rounded down and the maximum rounded up, each within its own bucket.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
fn extremes(config: &HistogramConfig, buckets: &[u64], min: u32, max: u32) -> Option<(u64, u64)> {
    let lowest = config.bucket_range(buckets.iter().position(|&count| count != 0)?)?;
    let highest = config.bucket_range(buckets.iter().rposition(|&count| count != 0)?)?;
    let (min, _) = values_of_short_code(min);
    let (_, max) = values_of_short_code(max);
    let last = highest.end.map_or(u64::MAX, |end| end - 1);
    Some((min.max(lowest.start), max.min(last)))
}

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    type Cells = Box<[SharedSum]>;

    fn cells(cells: &Cells) -> &[SharedSum] {
        cells
    }

    fn histogram(config: &HistogramConfig) -> SharedHistogram<Cells> {
        SharedHistogram::new((0..config.num_buckets()).map(|_| SharedSum::new(0)).collect())
    }

    #[test]
    fn a_reading_during_a_record_is_thrown_away() {
        let config = HistogramConfig::DEFAULT;
        let histogram = histogram(&config);
        let mut buckets = [0; 119];
        let mut read = || histogram.try_read(cells, &config, &mut buckets);
        assert_eq!(read(), Some((0, u64::MAX, 0)));
        histogram.record(cells, &config, 700);
        histogram.record(cells, &config, u64::MAX);
        assert_eq!(read(), Some((u64::MAX, 700, u64::MAX)), "the sum saturates");
        histogram.begun.add(1);
        assert_eq!(read(), None);
        assert_eq!(buckets.iter().sum::<u64>(), 2);
    }

    #[test]
    fn extremes_are_exact_up_to_134_ms_and_stay_in_their_buckets() {
        for config in [
            HistogramConfig::DEFAULT,
            HistogramConfig::linear(999_999_937, 30).unwrap(),
        ] {
            for value in [
                1,
                99_999_999,
                (1 << 27) - 1,
                999_999_936,
                999_999_937,
                9_999_999_999,
            ] {
                let histogram = histogram(&config);
                let mut buckets = alloc::vec![0; config.num_buckets()];
                histogram.record(cells, &config, value);
                let (sum, min, max) = histogram.try_read(cells, &config, &mut buckets).unwrap();
                assert_eq!(sum, value);
                assert!(min <= value && value <= max);
                assert!(max - min <= value >> 26, "{min}..={max} for {value}");
                let bucket = config.bucket_range(config.index(value)).unwrap();
                assert!(bucket.contains(min) && bucket.contains(max));
            }
        }
    }
}
