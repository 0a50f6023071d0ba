//! Tokio's builders of histograms, over those of `metrics-core`.

use metrics_core::histogram::{HistogramConfigBuilder, HistogramError};
use metrics_core::HistogramConfig;
use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

/// The histogram of a runtime's builder. It is checked when the runtime is built.
#[derive(Debug, Clone)]
pub(crate) struct HistogramBuilder {
    pub(crate) histogram_type: Result<HistogramConfig, HistogramError>,
    pub(crate) legacy: Option<LegacyBuilder>,
}

/// The parameters of the deprecated methods of a runtime's builder.
#[derive(Debug, Clone)]
pub(crate) struct LegacyBuilder {
    pub(crate) resolution: u64,
    pub(crate) scale: HistogramScale,
    pub(crate) num_buckets: usize,
}

const DEFAULT: LegacyBuilder = LegacyBuilder {
    resolution: 100_000,
    scale: HistogramScale::Linear,
    num_buckets: 10,
};

impl LegacyBuilder {
    fn build(&self) -> Result<HistogramConfig, HistogramError> {
        match self.scale {
            HistogramScale::Linear => HistogramConfig::linear(self.resolution, self.num_buckets),
            HistogramScale::Log => HistogramConfig::power_of_two(self.resolution, self.num_buckets),
        }
    }
}

impl Default for HistogramBuilder {
    fn default() -> Self {
        Self {
            histogram_type: DEFAULT.build(),
            legacy: None,
        }
    }
}

impl HistogramBuilder {
    pub(crate) fn legacy_mut(&mut self, f: impl Fn(&mut LegacyBuilder)) {
        f(self.legacy.get_or_insert(DEFAULT));
    }

    pub(crate) fn build(&self) -> io::Result<HistogramConfig> {
        let config = match &self.legacy {
            Some(legacy) => legacy.build(),
            None => self.histogram_type,
        };
        config.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

#[derive(Debug, Copy, Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum HistogramScale {
    Linear,
    Log,
}

#[derive(Debug, Clone)]
pub struct HistogramConfiguration {
    pub(crate) inner: Result<HistogramConfig, HistogramError>,
}

impl HistogramConfiguration {
    pub fn linear(bucket_width: Duration, num_buckets: usize) -> Self {
        let config = HistogramConfig::builder().linear(bucket_width, num_buckets);
        Self {
            inner: config.build(),
        }
    }

    pub fn log(configuration: impl Into<LogHistogram>) -> Self {
        Self {
            inner: Ok(configuration.into().0),
        }
    }
}

#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub struct LogHistogram(HistogramConfig);

impl Default for LogHistogram {
    fn default() -> Self {
        Self(HistogramConfig::DEFAULT)
    }
}

impl LogHistogram {
    pub fn builder() -> LogHistogramBuilder {
        LogHistogramBuilder::default()
    }

    /// Returns the start of the last bucket, which has no end.
    pub fn max_value(&self) -> u64 {
        let last = self.0.bucket_range(self.0.num_buckets() - 1);
        last.map_or(0, |range| range.start)
    }
}

#[derive(Default, Debug, Copy, Clone)]
pub struct LogHistogramBuilder(HistogramConfigBuilder);

impl From<LogHistogramBuilder> for LogHistogram {
    fn from(value: LogHistogramBuilder) -> Self {
        value.build()
    }
}

/// The finest error that a histogram can keep.
const MIN_ERROR: f64 = 1.0 / (1 << HistogramConfig::MAX_PRECISION) as f64;

impl LogHistogramBuilder {
    /// An error that no histogram can keep becomes the finest one, as in Tokio. `metrics-core` rejects it.
    pub fn max_error(self, max_error: f64) -> Self {
        assert!(max_error > 0.0, "max_error must be greater than 0");
        assert!(max_error < 1.0, "max_error must be less than 1");
        Self(self.0.max_error(max_error.max(MIN_ERROR)))
    }

    pub fn precision_exact(self, p: u32) -> Self {
        let max = HistogramConfig::MAX_PRECISION;
        assert!(p <= max, "precision must be <= {max}");
        Self(self.0.precision_exact(p))
    }

    pub fn min_value(self, duration: Duration) -> Self {
        Self(self.0.min_value(duration))
    }

    pub fn max_value(self, duration: Duration) -> Self {
        assert!(!duration.is_zero(), "max value must be greater than 0");
        Self(self.0.max_value(duration))
    }

    pub fn max_buckets(&mut self, max_buckets: usize) -> Result<LogHistogram, InvalidHistogramConfiguration> {
        match self.0.max_buckets(max_buckets).build() {
            Ok(config) => Ok(LogHistogram(config)),
            Err(HistogramError::TooManyBuckets { required, .. }) => {
                Err(InvalidHistogramConfiguration::TooManyBuckets {
                    required_bucket_count: required,
                })
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Panics if the minimum exceeds the maximum, as Tokio does.
    pub fn build(&self) -> LogHistogram {
        LogHistogram(self.0.build().unwrap_or_else(|error| panic!("{error}")))
    }
}

#[derive(Debug)]
pub enum InvalidHistogramConfiguration {
    TooManyBuckets { required_bucket_count: usize },
}

impl fmt::Display for InvalidHistogramConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyBuckets {
                required_bucket_count: n,
            } => {
                write!(
                    f,
                    "The configuration for this histogram would have required {n} buckets"
                )
            }
        }
    }
}

impl Error for InvalidHistogramConfiguration {}
