//! A histogram's configuration from durations and wishes.

use core::time::Duration;

use super::config::HistogramConfig;
use super::error::HistogramError;

/// The precision that a greatest error never goes below, as in Tokio's builder; also the default.
const DEFAULT_PRECISION: u32 = 2;

/// Makes a [`HistogramConfig`]: of the H2 layout unless told otherwise.
///
/// Nothing is checked, and nothing computed, before [`build`](Self::build).
///
/// ```
/// use core::time::Duration;
/// use metrics_core::histogram::HistogramConfig;
///
/// let config = HistogramConfig::builder()
///     .min_value(Duration::from_micros(1))
///     .max_value(Duration::from_secs(1))
///     .max_error(0.1)
///     .max_buckets(400)
///     .build()?;
/// assert_eq!(config.relative_error(), Some(0.0625));
/// # Ok::<(), metrics_core::histogram::HistogramError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use = "a builder does nothing before `build`"]
pub struct HistogramConfigBuilder {
    min_value: Option<Duration>,
    max_value: Option<Duration>,
    precision: Option<Precision>,
    linear: Option<(Duration, usize)>,
    power_of_two: Option<(Duration, usize)>,
    max_buckets: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Precision {
    Exact(u32),
    MaxError(f64),
}

impl HistogramConfig {
    /// A builder, which as it stands makes [`HistogramConfig::DEFAULT`].
    pub const fn builder() -> HistogramConfigBuilder {
        HistogramConfigBuilder {
            min_value: None,
            max_value: None,
            precision: None,
            linear: None,
            power_of_two: None,
            max_buckets: None,
        }
    }
}

impl HistogramConfigBuilder {
    /// H2: durations below this one need not be told apart. 100 ns by default; 0 tells all apart.
    pub const fn min_value(mut self, duration: Duration) -> Self {
        self.min_value = Some(duration);
        self
    }

    /// H2: durations above this one need not be told apart. 60 s by default.
    pub const fn max_value(mut self, duration: Duration) -> Self {
        self.max_value = Some(duration);
        self
    }

    /// H2: a bucket's width over its lower bound, at most; above 0 and below 1. Takes the smallest precision
    /// `p` with `2^-p <= max_error`, but never less than 2 (25 %), as Tokio's builder does.
    ///
    /// Replaces [`precision_exact`](Self::precision_exact).
    pub const fn max_error(mut self, max_error: f64) -> Self {
        self.precision = Some(Precision::MaxError(max_error));
        self
    }

    /// H2: splits each power of two into `2^precision` buckets. 2 by default, 10 at most.
    ///
    /// Replaces [`max_error`](Self::max_error).
    pub const fn precision_exact(mut self, precision: u32) -> Self {
        self.precision = Some(Precision::Exact(precision));
        self
    }

    /// Buckets of one width instead of H2. See [`HistogramConfig::linear`].
    pub const fn linear(mut self, width: Duration, buckets: usize) -> Self {
        self.linear = Some((width, buckets));
        self
    }

    /// Each bucket twice as wide as the one before instead of H2. See [`HistogramConfig::power_of_two`].
    pub const fn power_of_two(mut self, first_bucket: Duration, buckets: usize) -> Self {
        self.power_of_two = Some((first_bucket, buckets));
        self
    }

    /// Refuses a layout of more buckets than this.
    pub const fn max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = Some(max_buckets);
        self
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// Those of [`HistogramConfig::h2`], [`HistogramConfig::linear`] and [`HistogramConfig::power_of_two`], and
    /// [`HistogramError::DurationTooLong`], [`HistogramError::MaxErrorOutOfRange`],
    /// [`HistogramError::MaxErrorTooSmall`], [`HistogramError::TooManyBuckets`] above
    /// [`max_buckets`](Self::max_buckets), [`HistogramError::MixedLayouts`].
    pub fn build(&self) -> Result<HistogramConfig, HistogramError> {
        let h2 = self.min_value.is_some() || self.max_value.is_some() || self.precision.is_some();
        let config = match (self.linear, self.power_of_two) {
            (Some((width, buckets)), None) if !h2 => HistogramConfig::linear(nanos(width)?, buckets)?,
            (None, Some((first, buckets))) if !h2 => HistogramConfig::power_of_two(nanos(first)?, buckets)?,
            (None, None) => HistogramConfig::h2(
                nanos(self.min_value.unwrap_or(Duration::from_nanos(100)))?,
                nanos(self.max_value.unwrap_or(Duration::from_secs(60)))?,
                self.precision()?,
            )?,
            _ => return Err(HistogramError::MixedLayouts),
        };
        match self.max_buckets {
            Some(limit) if config.num_buckets() > limit => Err(HistogramError::TooManyBuckets {
                required: config.num_buckets(),
                limit,
            }),
            _ => Ok(config),
        }
    }

    fn precision(&self) -> Result<u32, HistogramError> {
        match self.precision {
            None => Ok(DEFAULT_PRECISION),
            Some(Precision::Exact(precision)) => Ok(precision),
            // Written so that a NaN is refused too.
            Some(Precision::MaxError(error)) if !(error > 0.0 && error < 1.0) => {
                Err(HistogramError::MaxErrorOutOfRange)
            }
            Some(Precision::MaxError(error)) => (DEFAULT_PRECISION..=HistogramConfig::MAX_PRECISION)
                .find(|precision| 1.0 / f64::from(1_u32 << precision) <= error)
                .ok_or(HistogramError::MaxErrorTooSmall),
        }
    }
}

fn nanos(duration: Duration) -> Result<u64, HistogramError> {
    u64::try_from(duration.as_nanos()).map_err(|_| HistogramError::DurationTooLong)
}
