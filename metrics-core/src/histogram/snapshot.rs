//! A histogram's counts, with the sum, the minimum and the maximum of the same samples.

use super::config::HistogramConfig;
use super::counts::Counts;
use super::downsample::DownsampledHistogram;
use super::error::{CapacityError, HistogramError, HistogramMergeError};
use super::limits;
use super::quantile::{self, Quantile, Samples};
use super::range::{BucketRange, ValueBounds};

/// A histogram: a count for each bucket of a [`HistogramConfig`], and the sum, minimum and maximum of the same
/// samples.
///
/// Also a histogram to record into, for one thread.
///
/// The number of samples is the sum of the counts, added up when asked for; merging and deserialising refuse more
/// than [`MAX_COUNT`](Self::MAX_COUNT), so that recording can't overflow it. The sum of the values saturates at
/// `u64::MAX` (584 years of nanoseconds), and so then do the sum and the mean of an interval that ends there;
/// nothing else does.
#[derive(Clone, PartialEq)]
pub struct HistogramSnapshot<C> {
    config: HistogramConfig,
    counts: C,
    sum: u64,
    /// `u64::MAX` and 0 while there is no sample.
    min: u64,
    max: u64,
}

impl<C: Counts> HistogramSnapshot<C> {
    /// The most samples that histograms can be merged to.
    pub const MAX_COUNT: u64 = limits::MAX_COUNT;

    /// An empty histogram.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if the storage can't hold [`HistogramConfig::num_buckets`] counts.
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

    /// Makes it an empty histogram of this layout, in the storage that it has.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if that storage can't be made large enough. It is as before then.
    pub fn reset(&mut self, config: HistogramConfig) -> Result<(), CapacityError> {
        self.counts.try_resize(config.num_buckets())?;
        self.counts.as_mut_slice().fill(0);
        self.config = config;
        self.set_totals(0, u64::MAX, 0);
        Ok(())
    }

    /// Records one sample. Never panics; takes any value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Records `count` samples of one value, such as the ticks that a late timer missed. Costs as much as one sample.
    #[inline]
    pub fn record_many(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let count = u64::from(count);
        let index = self.config.index(value);
        if let Some(bucket) = self.counts.as_mut_slice().get_mut(index) {
            // Starts at `MAX_COUNT` at most, so half of the range is left: 2^31 records of the largest count.
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

    /// The layout of the buckets.
    pub fn config(&self) -> &HistogramConfig {
        &self.config
    }

    /// Number of samples. Adds up the counts.
    pub fn count(&self) -> u64 {
        quantile::count(self.buckets())
    }

    /// Sum of the values, in their unit; saturates at `u64::MAX`.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest value recorded; `None` while there is no sample.
    pub fn min(&self) -> Option<u64> {
        (self.min <= self.max).then_some(self.min)
    }

    /// The largest value recorded; `None` while there is no sample.
    pub fn max(&self) -> Option<u64> {
        (self.min <= self.max).then_some(self.max)
    }

    /// The mean of the values; `None` while there is no sample.
    pub fn mean(&self) -> Option<f64> {
        quantile::mean(self.sum, self.count())
    }

    /// The counts, by bucket: [`HistogramConfig::num_buckets`] of them.
    pub fn buckets(&self) -> &[u64] {
        self.counts.as_slice()
    }

    /// Every bucket's range and count, in ascending order, empty buckets included.
    pub fn iter(&self) -> impl Iterator<Item = (BucketRange, u64)> + '_ {
        let buckets = self.buckets().iter().enumerate();
        buckets.filter_map(|(index, &count)| Some((self.config.bucket_range(index)?, count)))
    }

    /// A quantile from 0 to 1, [as defined there](Quantile); `None` if there is no sample or `quantile` is not
    /// in that range.
    ///
    /// The quantiles 0 and 1 are the minimum and the maximum, exactly.
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let mut out = [None];
        self.quantiles(&[quantile], &mut out);
        out[0]
    }

    /// Several quantiles at once, `quantiles[i]` into `out[i]`: one pass over the buckets if they ascend.
    ///
    /// What `out` has beyond `quantiles` becomes `None`; what it lacks is not answered.
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
    /// [`HistogramMergeError`] if the layouts differ or the samples are too many. It is as before then.
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

    /// The same samples in at most `max_buckets` buckets, neighbours merged: for an exporter that must not ship
    /// them all. The edges follow from the layout alone, so they are the same from one scrape to the next.
    ///
    /// # Errors
    ///
    /// [`HistogramError::ZeroBuckets`] if `max_buckets` is 0.
    pub fn downsample(&self, max_buckets: usize) -> Result<DownsampledHistogram<'_>, HistogramError> {
        DownsampledHistogram::new(&self.config, self.buckets(), max_buckets)
    }

    /// For the wire: the parts are checked there.
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

    /// For what refills a snapshot in place: whoever changes the counts sets the totals too.
    pub(crate) fn buckets_mut(&mut self) -> &mut [u64] {
        self.counts.as_mut_slice()
    }

    /// Sets the totals to those of the counts; `min` is `u64::MAX` and `max` 0 if there is no sample.
    pub(crate) fn set_totals(&mut self, sum: u64, min: u64, max: u64) {
        (self.sum, self.min, self.max) = (sum, min, max);
    }

    /// Takes more samples into the totals: their sum, minimum and maximum.
    pub(crate) fn widen(&mut self, sum: u64, min: u64, max: u64) {
        self.set_totals(self.sum.saturating_add(sum), self.min.min(min), self.max.max(max));
    }

    /// Gives the storage back.
    pub(super) fn into_counts(self) -> C {
        self.counts
    }

    /// The minimum and maximum as they are kept: `u64::MAX` and 0 if there is no sample.
    pub(super) fn raw_extremes(&self) -> (u64, u64) {
        (self.min, self.max)
    }
}

/// Adds bucket to bucket, or changes nothing.
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
