//! The error of an invalid configuration.

use core::fmt;
use core::time::Duration;

/// An error in the configuration of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The number of workers is zero. A runtime has at least one worker.
    NoWorkers,
    /// The number of workers exceeds what a slot's lease can represent.
    TooManyWorkers {
        /// The number of workers requested.
        workers: usize,
        /// The largest number of workers allowed.
        limit: usize,
    },
    /// The clock can't represent the submit interval in 64-bit ticks.
    SubmitInterval {
        /// The submit interval requested.
        interval: Duration,
    },
    /// The capacity for spawn locations is too large.
    TooManyLocations {
        /// The capacity requested.
        locations: usize,
        /// The largest capacity allowed.
        limit: usize,
    },
    /// A census is kept per spawn location, but no locations are kept.
    CensusWithoutLocations,
    /// The number of events of the flight recorder is too large.
    TooManyEvents {
        /// The number of events requested.
        events: usize,
        /// The largest number of events allowed.
        limit: usize,
    },
    /// A histogram has more buckets than the static storage holds.
    TooManyBuckets {
        /// The number of buckets that the histogram needs.
        buckets: usize,
        /// The number of buckets that the storage holds.
        capacity: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => {
                f.write_str("a runtime needs at least one worker: call `workers(n)` with n of at least 1")
            }
            Self::TooManyWorkers { workers, limit } => {
                write!(
                    f,
                    "{workers} workers exceed the limit of {limit}: configure fewer workers"
                )
            }
            Self::SubmitInterval { interval } => write!(
                f,
                "a submit interval of {interval:?} does not fit in 64-bit clock ticks: use a shorter one, such as 1 ms"
            ),
            Self::TooManyLocations { locations, limit } => write!(
                f,
                "a capacity of {locations} spawn locations exceeds the limit of {limit}: configure fewer, and all others \
                 share one entry"
            ),
            Self::CensusWithoutLocations => {
                f.write_str("a census is kept per spawn location: call `locations(n)` with n of at least 1")
            }
            Self::TooManyEvents { events, limit } => write!(
                f,
                "{events} events per worker exceed the limit of {limit}: configure a smaller flight recorder"
            ),
            Self::TooManyBuckets { buckets, capacity } => write!(
                f,
                "a histogram of {buckets} buckets exceeds the storage's {capacity} buckets: lower its precision or range, or \
                 raise the storage's BUCKETS"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
