//! A builder of histogram configurations from durations.

use core::time::Duration;

use super::config::HistogramConfig;
use super::error::HistogramError;

/// The lowest precision that a maximum error gives, as in Tokio's builder. It is also the default.
const DEFAULT_PRECISION: u32 = 2;

/// Builds a [`HistogramConfig`], with the H2 layout by default.
///
/// All parameters are checked by [`build`](Self::build), before any arithmetic.
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
    /// Creates a builder. Without further calls, it builds [`HistogramConfig::DEFAULT`].
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
    /// Sets the shortest duration that an H2 layout resolves. The default is 100 ns; 0 resolves all.
    pub const fn min_value(mut self, duration: Duration) -> Self {
        self.min_value = Some(duration);
        self
    }

    /// Sets the longest duration that an H2 layout resolves. The default is 60 s.
    pub const fn max_value(mut self, duration: Duration) -> Self {
        self.max_value = Some(duration);
        self
    }

    /// Sets the largest ratio of an H2 bucket's width to its lower bound, above 0 and below 1. The builder uses the
    /// smallest precision `p` with `2^-p <= max_error`, but at least 2 (25 %), as Tokio's builder does.
    ///
    /// This replaces [`precision_exact`](Self::precision_exact).
    pub const fn max_error(mut self, max_error: f64) -> Self {
        self.precision = Some(Precision::MaxError(max_error));
        self
    }

    /// Splits each power of two into `2^precision` buckets in an H2 layout. The default is 2 and the maximum is 10.
    ///
    /// This replaces [`max_error`](Self::max_error).
    pub const fn precision_exact(mut self, precision: u32) -> Self {
        self.precision = Some(Precision::Exact(precision));
        self
    }

    /// Selects buckets of equal width instead of H2. See [`HistogramConfig::linear`].
    pub const fn linear(mut self, width: Duration, buckets: usize) -> Self {
        self.linear = Some((width, buckets));
        self
    }

    /// Selects buckets that double in width instead of H2. See [`HistogramConfig::power_of_two`].
    pub const fn power_of_two(mut self, first_bucket: Duration, buckets: usize) -> Self {
        self.power_of_two = Some((first_bucket, buckets));
        self
    }

    /// Rejects a layout with more buckets than this.
    pub const fn max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = Some(max_buckets);
        self
    }

    /// Builds the configuration.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`HistogramConfig::h2`], [`HistogramConfig::linear`] and
    /// [`HistogramConfig::power_of_two`], and [`HistogramError::DurationTooLong`],
    /// [`HistogramError::MaxErrorOutOfRange`], [`HistogramError::MaxErrorTooSmall`],
    /// [`HistogramError::TooManyBuckets`] above [`max_buckets`](Self::max_buckets), or
    /// [`HistogramError::MixedLayouts`].
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
            // This form rejects a NaN too.
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
