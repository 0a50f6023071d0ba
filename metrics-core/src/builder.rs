//! Making a registry: a configuration is checked once, before any arithmetic.

use crate::catalog::MetricSet;
use crate::histogram::HistogramConfig;
use crate::record::NEVER;
use crate::slot::MAX_WORKERS;
use crate::switches::Sampling;
use crate::sync::RECORDING;
use crate::time::TimeScale;
use core::fmt;
use core::time::Duration;

/// Why a registry can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// A runtime has at least one worker.
    NoWorkers,
    /// More workers than a slot's lease can name.
    TooManyWorkers {
        /// What was asked for.
        workers: usize,
        /// The most there can be.
        limit: usize,
    },
    /// A submit interval that the clock can't count in ticks.
    SubmitInterval {
        /// What was asked for.
        interval: Duration,
    },
    /// A histogram with more buckets than fixed storage has room for.
    TooManyBuckets {
        /// What the histogram needs.
        buckets: usize,
        /// What the storage holds.
        capacity: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => {
                f.write_str("a runtime needs at least one worker: give `workers(n)` with n of 1 or more")
            }
            Self::TooManyWorkers { workers, limit } => {
                write!(
                    f,
                    "{workers} workers are more than the {limit} that a registry can hold: give fewer"
                )
            }
            Self::SubmitInterval { interval } => write!(
                f,
                "a submit interval of {interval:?} does not fit the clock's 64-bit ticks: give a shorter one, such as 1 ms"
            ),
            Self::TooManyBuckets { buckets, capacity } => write!(
                f,
                "a histogram of {buckets} buckets does not fit storage for {capacity}: lower its precision or range, or \
                 raise the storage's BUCKETS"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}

/// How often a busy worker submits by default. Readers see nothing older while it runs short polls.
pub const DEFAULT_SUBMIT_INTERVAL: Duration = Duration::from_millis(1);

/// Describes a registry. Everything has a default except the clock.
///
/// Defaults: one worker, the name `main`, no histogram, nothing measured (see [`measures`](Self::measures)), a submit interval of
/// [`DEFAULT_SUBMIT_INTERVAL`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<'a> {
    name: &'a str,
    workers: usize,
    poll_time: Option<HistogramConfig>,
    schedule_latency: Option<HistogramConfig>,
    blocking_queue_wait: Option<HistogramConfig>,
    poll_time_sampling: Option<Sampling>,
    schedule_latency_sampling: Option<Sampling>,
    submit_interval: Duration,
    measures: MetricSet,
    epoch: Option<u64>,
    started_at: Option<u64>,
}

const fn initial(chosen: Option<Sampling>, kept: bool) -> Sampling {
    match chosen {
        Some(sampling) => sampling,
        None if kept => Sampling::Every,
        None => Sampling::Off,
    }
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Builder<'a> {
    /// A builder with every default.
    pub const fn new() -> Self {
        Self {
            name: "main",
            workers: 1,
            poll_time: None,
            schedule_latency: None,
            blocking_queue_wait: None,
            poll_time_sampling: None,
            schedule_latency_sampling: None,
            submit_interval: DEFAULT_SUBMIT_INTERVAL,
            measures: MetricSet::NONE,
            epoch: None,
            started_at: None,
        }
    }

    /// The runtime's name, by which exporters tell several apart.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// The number of workers. A dynamic pool gives the number that it starts with.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Keeps a poll-time histogram of this layout for each worker.
    pub const fn poll_time(mut self, config: HistogramConfig) -> Self {
        self.poll_time = Some(config);
        self
    }

    /// Keeps a schedule-latency histogram of this layout for each worker.
    pub const fn schedule_latency(mut self, config: HistogramConfig) -> Self {
        self.schedule_latency = Some(config);
        self
    }

    /// Keeps a histogram of how long blocking closures wait. Storage that is fixed has none.
    pub const fn blocking_queue_wait(mut self, config: HistogramConfig) -> Self {
        self.blocking_queue_wait = Some(config);
        self
    }

    /// How many polls have their time measured at first. By default every one if there is a histogram for it, else none.
    pub const fn poll_time_sampling(mut self, sampling: Sampling) -> Self {
        self.poll_time_sampling = Some(sampling);
        self
    }

    /// How many polls have their schedule latency measured at first. By default every one if there is a histogram for it, else
    /// none.
    pub const fn schedule_latency_sampling(mut self, sampling: Sampling) -> Self {
        self.schedule_latency_sampling = Some(sampling);
        self
    }

    /// After how long the end of a poll submits. Zero submits at every poll's end.
    pub const fn submit_interval(mut self, interval: Duration) -> Self {
        self.submit_interval = interval;
        self
    }

    /// The numbers that the runtime's hooks measure; by default none. The others read `None`, unless a [`Probe`](crate::Probe) reports
    /// them.
    pub const fn measures(mut self, numbers: MetricSet) -> Self {
        self.measures = numbers;
        self
    }

    /// What tells this producer from the one before a restart. By default the clock's reading.
    pub const fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// When the runtime started, in nanoseconds since the Unix epoch, where anybody knows.
    pub const fn started_at(mut self, unix_nanos: u64) -> Self {
        self.started_at = Some(unix_nanos);
        self
    }

    const fn initial_poll_time(&self) -> Sampling {
        initial(self.poll_time_sampling, self.poll_time.is_some())
    }

    const fn initial_schedule_latency(&self) -> Sampling {
        initial(self.schedule_latency_sampling, self.schedule_latency.is_some())
    }

    /// The numbers that hooks measure: none without the feature `record`.
    const fn recorded(&self) -> MetricSet {
        if RECORDING { self.measures } else { MetricSet::NONE }
    }

    const fn check(&self) -> Result<(), ConfigError> {
        if self.workers == 0 {
            return Err(ConfigError::NoWorkers);
        }
        if self.workers > MAX_WORKERS {
            return Err(ConfigError::TooManyWorkers {
                workers: self.workers,
                limit: MAX_WORKERS,
            });
        }
        Ok(())
    }

    const fn interval(&self, scale: &TimeScale) -> Result<u64, ConfigError> {
        match scale.ticks_of(self.submit_interval) {
            NEVER => Err(ConfigError::SubmitInterval {
                interval: self.submit_interval,
            }),
            ticks => Ok(ticks),
        }
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod on_the_heap {
    use super::{Builder, ConfigError, RECORDING, TimeScale};
    use crate::record::SharedHistogram;
    use crate::registry::unique_epoch;
    use crate::registry::{HostCells, Layout, Registry, RegistryInfo, Shared};
    use crate::storage::{HeapStorage, Inline, SharedBuckets};
    use crate::switches::Switches;
    use crate::time::{TimeSource, Timestamp};
    use alloc::sync::Arc;
    use core::time::Duration;

    impl Builder<'_> {
        /// Makes the registry, with slots for its workers.
        ///
        /// # Errors
        /// A [`ConfigError`] for each way in which the description can't work.
        pub fn build<T: TimeSource>(&self, clock: T) -> Result<Arc<Registry<HeapStorage, T>>, ConfigError> {
            self.check()?;
            let scale = TimeScale::new(clock.ticks_per_second());
            let timed = RECORDING && clock.available() && clock.ticks_per_second() != 0;
            let interval = self.interval(&scale)?;
            let buckets = |config: &Option<crate::histogram::HistogramConfig>| {
                config.filter(|_| timed).map(|config| config.num_buckets())
            };
            let storage = HeapStorage::new(
                self.workers,
                buckets(&self.poll_time),
                buckets(&self.schedule_latency),
            );
            let started = if timed {
                clock.now()
            } else {
                Timestamp::from_ticks(0)
            };
            let wait =
                buckets(&self.blocking_queue_wait).map(|n| SharedHistogram::new(SharedBuckets::new(n)));
            Ok(Arc::new(Registry {
                storage,
                info: Inline(RegistryInfo {
                    name: self.name.into(),
                    epoch: self
                        .epoch
                        .unwrap_or_else(|| unique_epoch(self.started_at.unwrap_or(started.ticks()))),
                    started_at: self.started_at,
                    started,
                    num_workers: self.workers,
                    timed,
                    scale,
                    resolution: if timed { clock.resolution() } else { Duration::ZERO },
                    interval,
                    measures: self.recorded(),
                    poll_time: Layout::new(self.poll_time),
                    schedule_latency: Layout::new(self.schedule_latency),
                    blocking_queue_wait: self.blocking_queue_wait,
                }),
                switches: Switches::new(self.initial_poll_time(), self.initial_schedule_latency()),
                shared: Shared::new(HostCells::new(wait)),
                clock,
            }))
        }
    }
}

#[cfg(not(metrics_core_loom))]
pub(crate) mod in_a_static {
    use super::{Builder, ConfigError, RECORDING, TimeScale};
    use crate::histogram::HistogramConfig;
    use crate::registry::{Layout, Registry, RegistryInfo, Shared};
    use crate::storage::{BucketWidth, StaticStorage};
    use crate::switches::{Sampling, Switches};
    use crate::time::Timestamp;
    use core::time::Duration;

    /// A registry's configuration, checked: a `const`, so that it stays in flash.
    ///
    /// Made by [`Builder::describe`], for [`Registry::new`].
    #[derive(Debug)]
    pub struct StaticRegistryConfig<const WORKERS: usize, const BUCKETS: usize> {
        info: RegistryInfo<&'static str>,
        poll_time: Sampling,
        schedule_latency: Sampling,
    }

    impl Builder<'static> {
        /// Describes a registry for a `static`: `WORKERS` workers, histograms of up to `BUCKETS` buckets, no heap.
        ///
        /// A `const` context can't ask the clock for its rate, so the caller gives what
        /// [`TimeSource`](crate::TimeSource) would answer; a rate of zero is "no clock". The number of workers is the
        /// const parameter's, whatever [`workers`](Self::workers) said. Fixed storage keeps no histogram of blocking
        /// closures.
        ///
        /// # Errors
        /// A [`ConfigError`] for each way in which the description can't work, at compile time in a `const`.
        pub const fn describe<const WORKERS: usize, const BUCKETS: usize>(
            self,
            ticks_per_second: u64,
            resolution: Duration,
        ) -> Result<StaticRegistryConfig<WORKERS, BUCKETS>, ConfigError> {
            let this = self.workers(WORKERS);
            if let Err(error) = this.check() {
                return Err(error);
            }
            let mut i = 0;
            let configs: [Option<HistogramConfig>; 2] = [this.poll_time, this.schedule_latency];
            while i < configs.len() {
                if let Some(config) = &configs[i]
                    && config.num_buckets() > BUCKETS
                {
                    let buckets = config.num_buckets();
                    return Err(ConfigError::TooManyBuckets {
                        buckets,
                        capacity: BUCKETS,
                    });
                }
                i += 1;
            }
            let scale = TimeScale::new(ticks_per_second);
            let interval = match this.interval(&scale) {
                Ok(interval) => interval,
                Err(error) => return Err(error),
            };
            Ok(StaticRegistryConfig {
                info: RegistryInfo {
                    name: this.name,
                    epoch: match this.epoch {
                        Some(epoch) => epoch,
                        None => 0,
                    },
                    started_at: this.started_at,
                    started: Timestamp::from_ticks(0),
                    num_workers: WORKERS,
                    timed: RECORDING && ticks_per_second != 0,
                    scale,
                    resolution,
                    // The writer in place compares 32 bits.
                    interval: if interval > u32::MAX as u64 {
                        u32::MAX as u64
                    } else {
                        interval
                    },
                    measures: this.recorded(),
                    poll_time: Layout::new(this.poll_time),
                    schedule_latency: Layout::new(this.schedule_latency),
                    blocking_queue_wait: None,
                },
                poll_time: this.initial_poll_time(),
                schedule_latency: this.initial_schedule_latency(),
            })
        }
    }

    impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
        Registry<StaticStorage<WORKERS, BUCKETS, C>, T>
    {
        /// A registry for a `static`. All that can be written lies in it, in RAM; the description stays where it is.
        ///
        /// ```
        /// use core::time::Duration;
        /// use metrics_core::{Builder, StaticRegistryConfig, StaticStorage, HistogramConfig, NoClock, Registry};
        ///
        /// const DESCRIPTION: StaticRegistryConfig<1, 20> =
        ///     match Builder::new().name("firmware").describe(0, Duration::ZERO) {
        ///         Ok(description) => description,
        ///         Err(_) => panic!("a worker without histograms always fits"),
        ///     };
        /// static METRICS: Registry<StaticStorage<1, 20>, NoClock> = Registry::new(&DESCRIPTION, NoClock);
        ///
        /// assert_eq!(METRICS.name(), "firmware");
        /// ```
        pub const fn new(description: &'static StaticRegistryConfig<WORKERS, BUCKETS>, clock: T) -> Self {
            let info = &description.info;
            Registry {
                storage: StaticStorage::new(
                    info.timed && info.poll_time.get().is_some(),
                    info.timed && info.schedule_latency.get().is_some(),
                ),
                switches: Switches::new(description.poll_time, description.schedule_latency),
                info,
                clock,
                shared: Shared::new(()),
            }
        }
    }
}
