//! The samples that a histogram recorded between two snapshots.

use super::config::HistogramConfig;
use super::counts::Counts;
use super::downsample::DownsampledHistogram;
use super::error::{HistogramError, HistogramMergeError, HistogramSinceError};
use super::getters::getters;
use super::quantile::{self, Quantile, Samples};
use super::range::{BucketRange, ValueBounds};
use super::snapshot::{HistogramSnapshot, add_counts};

/// The samples that a histogram recorded between two snapshots.
///
/// Counts and sum are exact, unless the sum of the later snapshot is saturated. The minimum and the maximum of an
/// interval are not recorded, so only bounds of them are known: the edges of the lowest and highest bucket that grew,
/// tightened by the extremes of all samples. If the interval set a new extreme, the bounds are exact.
#[derive(Clone, PartialEq)]
pub struct HistogramInterval<C> {
    config: HistogramConfig,
    counts: C,
    sum: u64,
    extremes: Option<Extremes>,
}

/// The bounds of the smallest and the largest sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extremes {
    pub(super) min: ValueBounds,
    pub(super) max: ValueBounds,
}

impl<C: Counts> HistogramSnapshot<C> {
    /// Returns the samples recorded since an earlier state of the same histogram.
    ///
    /// # Errors
    ///
    /// Returns a [`HistogramSinceError`] if the layouts differ or `earlier` is not an earlier state.
    pub fn since(&self, earlier: &Self) -> Result<HistogramInterval<C>, HistogramSinceError> {
        self.since_saturating(earlier, u64::MAX)
    }

    /// Returns the difference for buckets that stop counting at `full`: the other buckets and the sum are kept.
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
        // An extreme that changed is a sample of the interval.
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
            // Samples in a full bucket are in the sum and in the extremes, but in no count.
            Some(_) if is_full => Some(Extremes {
                min: min_bounds,
                max: max_bounds,
            }),
            None if is_full => None,
            Some((lowest, highest)) => Some(Extremes {
                min: min_bounds.within(lowest).ok_or(not_earlier)?,
                max: max_bounds.within(highest).ok_or(not_earlier)?,
            }),
            // Nothing can change without a sample.
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

    /// Creates an interval from decoded parts, which the decoder checks.
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

    /// Returns the bounds of the smallest value; `None` if there is no sample.
    pub fn min(&self) -> Option<ValueBounds> {
        self.extremes.map(|extremes| extremes.min)
    }

    /// Returns the bounds of the largest value; `None` if there is no sample.
    pub fn max(&self) -> Option<ValueBounds> {
        self.extremes.map(|extremes| extremes.max)
    }

    /// Computes several quantiles, `quantiles[i]` into `out[i]`, in one pass over the buckets if they ascend.
    ///
    /// Further elements of `out` become `None`. Further elements of `quantiles` are ignored.
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

    /// Adds the samples of another interval, such as one of another worker or another time.
    ///
    /// # Errors
    ///
    /// Returns a [`HistogramMergeError`] if the layouts differ or there are too many samples. `self` is unchanged
    /// then.
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
}

getters!(HistogramInterval);

impl<C: Counts> From<HistogramSnapshot<C>> for HistogramInterval<C> {
    /// Returns all samples as an interval that starts with an empty histogram. The extremes are exact.
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

/// Returns the lowest and the highest bucket with a sample.
pub(super) fn occupied(config: &HistogramConfig, counts: &[u64]) -> Option<(BucketRange, BucketRange)> {
    let lowest = counts.iter().position(|&count| count != 0)?;
    let highest = counts.iter().rposition(|&count| count != 0)?;
    Some((config.bucket_range(lowest)?, config.bucket_range(highest)?))
}
