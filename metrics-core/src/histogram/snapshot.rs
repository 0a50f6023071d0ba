//! A histogram's counts, with the sum, minimum and maximum of the same samples.

use super::config::HistogramConfig;
use super::counts::Counts;
use super::downsample::DownsampledHistogram;
use super::error::{CapacityError, HistogramError, HistogramMergeError};
use super::getters::getters;
use super::limits;
use super::quantile::{self, Quantile, Samples};
use super::range::{BucketRange, ValueBounds};

/// A histogram: a count for each bucket of a [`HistogramConfig`], and the sum, minimum and maximum of the samples.
/// Snapshots contain it, and a single thread can record into it.
///
/// ```
/// use metrics_core::{HistogramConfig, HistogramSnapshot};
///
/// let mut waits = HistogramSnapshot::<heapless::Vec<u64, 128>>::new(HistogramConfig::DEFAULT)?;
/// waits.record(1_500);
/// waits.record(2_500);
/// assert_eq!(waits.count(), 2);
/// assert_eq!(waits.mean(), Some(2_000.0));
/// # Ok::<(), metrics_core::histogram::CapacityError>(())
/// ```
///
/// The number of samples is computed from the counts. Merging and deserialising reject more than
/// [`MAX_COUNT`](Self::MAX_COUNT) samples, so that recording can't overflow it. The sum of the values saturates at
/// `u64::MAX` (584 years of nanoseconds), and so do the sum and the mean of an interval that ends there. Nothing else
/// saturates.
#[derive(Clone, PartialEq)]
pub struct HistogramSnapshot<C> {
    config: HistogramConfig,
    counts: C,
    sum: u64,
    /// `u64::MAX` and 0 while there are no samples.
    min: u64,
    max: u64,
}

impl<C: Counts> HistogramSnapshot<C> {
    /// The largest number of samples after a merge.
    pub const MAX_COUNT: u64 = limits::MAX_COUNT;

    /// Creates an empty histogram.
    ///
    /// # Errors
    ///
    /// Returns a [`CapacityError`] if the storage can't hold [`HistogramConfig::num_buckets`] counts.
    pub fn new(config: HistogramConfig) -> Result<Self, CapacityError> {
        let mut counts = C::default();
        counts.try_resize(config.num_buckets())?;
        Ok(Self {
            config,
            counts,
            sum: 0,
            min: u64::MAX,
            max: 0,
        })
    }

    /// Clears the histogram and sets its layout, and keeps its storage.
    ///
    /// # Errors
    ///
    /// Returns a [`CapacityError`] if the storage can't be made large enough. `self` is unchanged then.
    pub fn reset(&mut self, config: HistogramConfig) -> Result<(), CapacityError> {
        self.counts.try_resize(config.num_buckets())?;
        self.counts.as_mut_slice().fill(0);
        self.config = config;
        self.set_totals(0, u64::MAX, 0);
        Ok(())
    }

    /// Records one sample of any value. Never panics.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Records `count` samples of one value, such as the ticks that a late timer missed, at the cost of one sample.
    #[inline]
    pub fn record_many(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let count = u64::from(count);
        let index = self.config.index(value);
        if let Some(bucket) = self.counts.as_mut_slice().get_mut(index) {
            // The count is at most `MAX_COUNT` at the start, so half of the range is left: 2^31 records of the largest
            // count.
            *bucket = bucket.saturating_add(count);
            self.sum = self.sum.saturating_add(value.saturating_mul(count));
            if value < self.min {
                self.min = value;
            }
            if value > self.max {
                self.max = value;
            }
        }
    }

    /// Returns the smallest recorded value; `None` if there is no sample.
    pub fn min(&self) -> Option<u64> {
        (self.min <= self.max).then_some(self.min)
    }

    /// Returns the largest recorded value; `None` if there is no sample.
    pub fn max(&self) -> Option<u64> {
        (self.min <= self.max).then_some(self.max)
    }

    /// Computes several quantiles, `quantiles[i]` into `out[i]`, in one pass over the buckets if they ascend.
    ///
    /// Further elements of `out` become `None`. Further elements of `quantiles` are ignored.
    pub fn quantiles(&self, quantiles: &[f64], out: &mut [Option<Quantile>]) {
        Samples {
            config: &self.config,
            counts: self.buckets(),
            min: ValueBounds::exact(self.min),
            max: ValueBounds::exact(self.max),
        }
        .quantiles(quantiles, out);
    }

    /// Adds the samples of another histogram.
    ///
    /// # Errors
    ///
    /// Returns a [`HistogramMergeError`] if the layouts differ or there are too many samples. `self` is unchanged
    /// then.
    pub fn merge<D: Counts>(&mut self, other: &HistogramSnapshot<D>) -> Result<(), HistogramMergeError> {
        add_counts(
            &self.config,
            self.counts.as_mut_slice(),
            &other.config,
            other.buckets(),
        )?;
        self.widen(other.sum, other.min, other.max);
        Ok(())
    }

    /// Creates a snapshot from decoded parts, which the decoder checks.
    #[cfg(feature = "serde")]
    pub(super) fn from_parts(config: HistogramConfig, counts: C, sum: u64, min: u64, max: u64) -> Self {
        Self {
            config,
            counts,
            sum,
            min,
            max,
        }
    }

    /// Returns the counts, to refill a snapshot in place. A caller that changes them must set the totals too.
    pub(crate) fn buckets_mut(&mut self) -> &mut [u64] {
        self.counts.as_mut_slice()
    }

    /// Sets the totals that belong to the counts; `min` is `u64::MAX` and `max` is 0 if there is no sample.
    pub(crate) fn set_totals(&mut self, sum: u64, min: u64, max: u64) {
        (self.sum, self.min, self.max) = (sum, min, max);
    }

    /// Adds the sum, minimum and maximum of more samples to the totals.
    pub(crate) fn widen(&mut self, sum: u64, min: u64, max: u64) {
        self.set_totals(self.sum.saturating_add(sum), self.min.min(min), self.max.max(max));
    }

    /// Returns the storage.
    pub(super) fn into_counts(self) -> C {
        self.counts
    }

    /// Returns the stored minimum and maximum: `u64::MAX` and 0 if there is no sample.
    pub(super) fn raw_extremes(&self) -> (u64, u64) {
        (self.min, self.max)
    }
}

getters!(HistogramSnapshot);

/// Adds the counts bucket by bucket, or changes nothing.
pub(super) fn add_counts(
    config: &HistogramConfig,
    counts: &mut [u64],
    other_config: &HistogramConfig,
    other: &[u64],
) -> Result<(), HistogramMergeError> {
    if config != other_config {
        let (expected, found) = (config.layout(), other_config.layout());
        return Err(HistogramMergeError::LayoutMismatch { expected, found });
    }
    if quantile::count(counts).saturating_add(quantile::count(other)) > limits::MAX_COUNT {
        return Err(HistogramMergeError::CountOverflow);
    }
    for (count, other) in counts.iter_mut().zip(other) {
        *count += *other;
    }
    Ok(())
}
