//! What a histogram recorded between two of its states.

use super::config::HistogramConfig;
use super::counts::Counts;
use super::downsample::DownsampledHistogram;
use super::error::{HistogramError, HistogramMergeError, HistogramSinceError};
use super::quantile::{self, Quantile, Samples};
use super::range::{BucketRange, ValueBounds};
use super::snapshot::{HistogramSnapshot, add_counts};

/// The samples that a histogram took between two snapshots.
///
/// Counts and sum are exact (the sum as long as that of the later snapshot isn't saturated). The smallest and
/// largest value are not recorded per interval, so of these only bounds are known: the edges of the lowest and
/// highest bucket that grew, tightened by the extremes of all samples. Where the interval set a new extreme, the
/// bounds are exact.
#[derive(Clone, PartialEq)]
pub struct HistogramInterval<C> {
    config: HistogramConfig,
    counts: C,
    sum: u64,
    extremes: Option<Extremes>,
}

/// What is known of the smallest and the largest sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extremes {
    pub(super) min: ValueBounds,
    pub(super) max: ValueBounds,
}

impl<C: Counts> HistogramSnapshot<C> {
    /// What was recorded since an earlier state of the same histogram.
    ///
    /// # Errors
    ///
    /// [`HistogramSinceError`] if the layouts differ or `earlier` isn't an earlier state.
    pub fn since(&self, earlier: &Self) -> Result<HistogramInterval<C>, HistogramSinceError> {
        self.since_saturating(earlier, u64::MAX)
    }

    /// The difference where a bucket that has reached `full` counts no more: what the other buckets and the sum show is kept.
    pub(crate) fn since_saturating(
        &self,
        earlier: &Self,
        full: u64,
    ) -> Result<HistogramInterval<C>, HistogramSinceError> {
        HistogramInterval::between(self, earlier, full)
    }
}

impl<C: Counts> HistogramInterval<C> {
    fn between(
        later: &HistogramSnapshot<C>,
        earlier: &HistogramSnapshot<C>,
        full: u64,
    ) -> Result<Self, HistogramSinceError> {
        let config = *later.config();
        if config != *earlier.config() {
            let (expected, found) = (config.layout(), earlier.config().layout());
            return Err(HistogramSinceError::LayoutMismatch { expected, found });
        }
        let not_earlier = HistogramSinceError::NotEarlier;
        let (was_min, was_max) = earlier.raw_extremes();
        let (min, max) = later.raw_extremes();
        if was_min < min || was_max > max {
            return Err(not_earlier);
        }
        let is_full = later.buckets().iter().any(|&count| count >= full);
        let (mut later, sum) = (
            later.clone(),
            later.sum().checked_sub(earlier.sum()).ok_or(not_earlier)?,
        );
        for (count, earlier) in later.buckets_mut().iter_mut().zip(earlier.buckets()) {
            *count = count.checked_sub(*earlier).ok_or(not_earlier)?;
        }
        let counts = later.into_counts();

        let bounds = ValueBounds {
            lower: min,
            upper: max,
        };
        // An extreme that moved moved to a sample of the interval.
        let min_bounds = if min < was_min {
            ValueBounds::exact(min)
        } else {
            bounds
        };
        let max_bounds = if max > was_max {
            ValueBounds::exact(max)
        } else {
            bounds
        };
        let extremes = match occupied(&config, counts.as_slice()) {
            // Samples in a full bucket are in the sum and in the extremes, and in no count.
            Some(_) if is_full => Some(Extremes {
                min: min_bounds,
                max: max_bounds,
            }),
            None if is_full => None,
            Some((lowest, highest)) => Some(Extremes {
                min: min_bounds.within(lowest).ok_or(not_earlier)?,
                max: max_bounds.within(highest).ok_or(not_earlier)?,
            }),
            // Nothing can have changed without a sample.
            None if sum != 0 || (min, max) != (was_min, was_max) => return Err(not_earlier),
            None => None,
        };
        Ok(Self {
            config,
            counts,
            sum,
            extremes,
        })
    }

    /// For the wire: the parts are checked there.
    #[cfg(feature = "serde")]
    pub(super) fn from_parts(
        config: HistogramConfig,
        counts: C,
        sum: u64,
        extremes: Option<Extremes>,
    ) -> Self {
        Self {
            config,
            counts,
            sum,
            extremes,
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

    /// Sum of the values, in their unit.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// What is known of the smallest value; `None` if there is no sample.
    pub fn min(&self) -> Option<ValueBounds> {
        self.extremes.map(|extremes| extremes.min)
    }

    /// What is known of the largest value; `None` if there is no sample.
    pub fn max(&self) -> Option<ValueBounds> {
        self.extremes.map(|extremes| extremes.max)
    }

    /// The mean of the values; `None` if there is no sample.
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
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let mut out = [None];
        self.quantiles(&[quantile], &mut out);
        out[0]
    }

    /// Several quantiles at once, `quantiles[i]` into `out[i]`: one pass over the buckets if they ascend.
    ///
    /// What `out` has beyond `quantiles` becomes `None`; what it lacks is not answered.
    pub fn quantiles(&self, quantiles: &[f64], out: &mut [Option<Quantile>]) {
        match self.extremes {
            Some(Extremes { min, max }) => {
                Samples {
                    config: &self.config,
                    counts: self.buckets(),
                    min,
                    max,
                }
                .quantiles(quantiles, out);
            }
            None => out.fill(None),
        }
    }

    /// Adds the samples of another interval: of another worker, or of the time before or after.
    ///
    /// # Errors
    ///
    /// [`HistogramMergeError`] if the layouts differ or the samples are too many. It is as before then.
    pub fn merge<D: Counts>(&mut self, other: &HistogramInterval<D>) -> Result<(), HistogramMergeError> {
        add_counts(
            &self.config,
            self.counts.as_mut_slice(),
            &other.config,
            other.buckets(),
        )?;
        self.sum = self.sum.saturating_add(other.sum);
        self.extremes = match (self.extremes, other.extremes) {
            (Some(a), Some(b)) => Some(Extremes {
                min: ValueBounds {
                    lower: a.min.lower.min(b.min.lower),
                    upper: a.min.upper.min(b.min.upper),
                },
                max: ValueBounds {
                    lower: a.max.lower.max(b.max.lower),
                    upper: a.max.upper.max(b.max.upper),
                },
            }),
            (one, other) => one.or(other),
        };
        Ok(())
    }

    /// The same samples in at most `max_buckets` buckets. See [`HistogramSnapshot::downsample`].
    ///
    /// # Errors
    ///
    /// [`HistogramError::ZeroBuckets`] if `max_buckets` is 0.
    pub fn downsample(&self, max_buckets: usize) -> Result<DownsampledHistogram<'_>, HistogramError> {
        DownsampledHistogram::new(&self.config, self.buckets(), max_buckets)
    }
}

impl<C: Counts> From<HistogramSnapshot<C>> for HistogramInterval<C> {
    /// Everything that was recorded: the interval since the histogram was empty. The extremes are exact.
    fn from(snapshot: HistogramSnapshot<C>) -> Self {
        let extremes = snapshot.min().zip(snapshot.max()).map(|(min, max)| Extremes {
            min: ValueBounds::exact(min),
            max: ValueBounds::exact(max),
        });
        let (config, sum) = (*snapshot.config(), snapshot.sum());
        Self {
            config,
            counts: snapshot.into_counts(),
            sum,
            extremes,
        }
    }
}

/// The lowest and the highest bucket that hold a sample.
pub(super) fn occupied(config: &HistogramConfig, counts: &[u64]) -> Option<(BucketRange, BucketRange)> {
    let lowest = counts.iter().position(|&count| count != 0)?;
    let highest = counts.iter().rposition(|&count| count != 0)?;
    Some((config.bucket_range(lowest)?, config.bucket_range(highest)?))
}
