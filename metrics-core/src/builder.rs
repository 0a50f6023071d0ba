//! Configures and builds a registry. The configuration is checked once, before any arithmetic.

use crate::catalog::MetricSet;
use crate::histogram::HistogramConfig;
use crate::locations::MAX_LOCATIONS;
use crate::record::NEVER;
use crate::slot::MAX_WORKERS;
use crate::switches::Sampling;
use crate::sync::RECORDING;
use crate::time::TimeScale;
use core::fmt;
use core::time::Duration;

/// The largest number of events that a worker keeps: 16 MiB of them.
const MAX_EVENTS: usize = 1 << 20;

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
    /// The number of events of the flight recorder is too large.
    TooManyEvents {
        /// The number of events requested.
        events: usize,
        /// The largest number of events allowed.
        limit: usize,
    },
    /// A histogram has more buckets than the fixed storage holds.
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

/// The default for [`Builder::submit_interval`]: while a worker runs short polls, readers see values at most this old.
pub const DEFAULT_SUBMIT_INTERVAL: Duration = Duration::from_millis(1);

/// Configures a registry. Everything has a default except the clock.
///
/// The defaults are: one worker, the name `main`, no histograms, no measured metrics (see
/// [`measures`](Self::measures)), and a submit interval of [`DEFAULT_SUBMIT_INTERVAL`].
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use metrics_core::{Builder, HistogramConfig, MetricSet, NoClock};
///
/// let registry = Builder::new()
///     .name("server")
///     .workers(4)
///     .measures(MetricSet::ALL)
///     .poll_time(HistogramConfig::default())
///     .build(NoClock)
///     .expect("the configuration is valid");
/// assert_eq!(registry.num_workers(), 4);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<'a> {
    name: &'a str,
    /// Zero if the number is not known.
    workers: usize,
    has_dynamic_workers: bool,
    poll_time: Option<HistogramConfig>,
    schedule_latency: Option<HistogramConfig>,
    blocking_queue_wait: Option<HistogramConfig>,
    poll_time_sampling: Option<Sampling>,
    schedule_latency_sampling: Option<Sampling>,
    locations: usize,
    flight_events: usize,
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
    /// Creates a builder with the default configuration.
    pub const fn new() -> Self {
        Self {
            name: "main",
            workers: 1,
            has_dynamic_workers: false,
            poll_time: None,
            schedule_latency: None,
            blocking_queue_wait: None,
            poll_time_sampling: None,
            schedule_latency_sampling: None,
            locations: 0,
            flight_events: 0,
            submit_interval: DEFAULT_SUBMIT_INTERVAL,
            measures: MetricSet::NONE,
            epoch: None,
            started_at: None,
        }
    }

    /// Sets the runtime's name. Exporters use it to distinguish several runtimes.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Sets the number of workers. For a pool that changes its size, this is the number that it starts with.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self.has_dynamic_workers = false;
        self
    }

    /// Sets that the number of workers is not known, because each thread leases a slot when it first needs one. Readers
    /// return `None` for it. Replaces [`workers`](Self::workers).
    pub const fn dynamic_workers(mut self) -> Self {
        self.workers = 0;
        self.has_dynamic_workers = true;
        self
    }

    /// Keeps a poll-time histogram with this layout for each worker.
    pub const fn poll_time(mut self, config: HistogramConfig) -> Self {
        self.poll_time = Some(config);
        self
    }

    /// Keeps a schedule-latency histogram with this layout for each worker.
    pub const fn schedule_latency(mut self, config: HistogramConfig) -> Self {
        self.schedule_latency = Some(config);
        self
    }

    /// Keeps no schedule-latency histogram and measures no schedule latency, whatever was set before. For an adapter that
    /// can't measure it with this clock.
    pub const fn without_schedule_latency(mut self) -> Self {
        self.schedule_latency = None;
        self.schedule_latency_sampling = None;
        self
    }

    /// Keeps a histogram of the time that blocking closures wait in the queue. Fixed storage does not keep one.
    pub const fn blocking_queue_wait(mut self, config: HistogramConfig) -> Self {
        self.blocking_queue_wait = Some(config);
        self
    }

    /// Keeps metrics per spawn location on each worker: the tasks, the polls, their times and their schedule latency.
    /// The default is 0: none are kept.
    ///
    /// Each of the first `capacity` locations has its own entry, and so do tasks without a location. All other
    /// locations share one entry, so nothing is lost. Locations are identified by their [numbers](crate::LocationId),
    /// which an adapter assigns from 1 on. A location takes 200 bytes on each worker, allocated when a slot is first
    /// leased. Times are measured for the polls that [`poll_time_sampling`](Self::poll_time_sampling) and
    /// [`schedule_latency_sampling`](Self::schedule_latency_sampling) select. Fixed storage keeps none.
    pub const fn locations(mut self, capacity: usize) -> Self {
        self.locations = capacity;
        self
    }

    /// Keeps at least the last `events` events of each worker: measured polls, parks and unparks. Each worker has space
    /// for one event more, rounded up to a power of two: 4,095 events use the memory in full. The default is 0: none are
    /// kept.
    ///
    /// An event takes 16 bytes on each worker, allocated when a slot is first leased. 4,095 events are a quarter of a
    /// millisecond of the shortest polls, and seconds of a service under load. Only polls whose time is measured
    /// ([`poll_time_sampling`](Self::poll_time_sampling)) are recorded. Fixed storage keeps none.
    pub const fn flight_recorder(mut self, events: usize) -> Self {
        self.flight_events = events;
        self
    }

    /// Sets the initial sampling of poll times. The default is every poll if there is a poll-time histogram, and off
    /// otherwise.
    pub const fn poll_time_sampling(mut self, sampling: Sampling) -> Self {
        self.poll_time_sampling = Some(sampling);
        self
    }

    /// Sets the initial sampling of schedule latency. The default is every poll if there is a schedule-latency
    /// histogram, and off otherwise.
    pub const fn schedule_latency_sampling(mut self, sampling: Sampling) -> Self {
        self.schedule_latency_sampling = Some(sampling);
        self
    }

    /// Sets the minimum time between two submits at the end of a poll. With zero, every poll submits when it ends.
    pub const fn submit_interval(mut self, interval: Duration) -> Self {
        self.submit_interval = interval;
        self
    }

    /// Sets the metrics that the runtime's hooks measure. The default is [`MetricSet::NONE`]. All other metrics are
    /// `None`, unless a [`Probe`](crate::Probe) reports them.
    pub const fn measures(mut self, numbers: MetricSet) -> Self {
        self.measures = numbers;
        self
    }

    /// Sets the epoch, which identifies this producer of snapshots after a restart. The default is derived from the
    /// start time.
    pub const fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Sets the time at which the runtime started, in nanoseconds since the Unix epoch.
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

    /// The metrics that hooks measure. Empty without the feature `record`.
    const fn recorded(&self) -> MetricSet {
        if RECORDING { self.measures } else { MetricSet::NONE }
    }

    const fn check(&self) -> Result<(), ConfigError> {
        if self.workers == 0 && !self.has_dynamic_workers {
            return Err(ConfigError::NoWorkers);
        }
        if self.workers > MAX_WORKERS {
            return Err(ConfigError::TooManyWorkers {
                workers: self.workers,
                limit: MAX_WORKERS,
            });
        }
        if self.flight_events > MAX_EVENTS {
            return Err(ConfigError::TooManyEvents {
                events: self.flight_events,
                limit: MAX_EVENTS,
            });
        }
        if self.locations > MAX_LOCATIONS {
            return Err(ConfigError::TooManyLocations {
                locations: self.locations,
                limit: MAX_LOCATIONS,
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
    use crate::host_cells::{HostCells, Shared};
    use crate::locations::rows_of;
    use crate::record::SharedHistogram;
    use crate::registry::Registry;
    use crate::registry_info::unique_epoch;
    use crate::registry_info::{Layout, RegistryInfo};
    use crate::storage::{HeapStorage, Inline, SharedBuckets};
    use crate::switches::Switches;
    use crate::time::{TimeSource, Timestamp};
    use alloc::sync::Arc;
    use core::time::Duration;

    impl Builder<'_> {
        /// Builds the registry, with a slot for each worker.
        ///
        /// # Errors
        /// Returns a [`ConfigError`] if the configuration is invalid.
        pub fn build<T: TimeSource>(&self, clock: T) -> Result<Arc<Registry<HeapStorage, T>>, ConfigError> {
            self.check()?;
            let locations = if RECORDING { self.locations } else { 0 };
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
            let shared_rows = if locations == 0 { 0 } else { rows_of(locations) };
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
                    locations,
                    flight_events: if RECORDING { self.flight_events } else { 0 },
                }),
                switches: Switches::new(self.initial_poll_time(), self.initial_schedule_latency()),
                shared: Shared::new(HostCells::new(wait, shared_rows)),
                clock,
            }))
        }
    }
}

#[cfg(not(metrics_core_loom))]
pub(crate) mod in_a_static {
    use super::{Builder, ConfigError, RECORDING, TimeScale};
    use crate::histogram::HistogramConfig;
    use crate::host_cells::Shared;
    use crate::registry::Registry;
    use crate::registry_info::{Layout, RegistryInfo};
    use crate::storage::{BucketWidth, StaticStorage};
    use crate::switches::{Sampling, Switches};
    use crate::time::Timestamp;
    use core::time::Duration;

    /// The checked configuration of a registry in a `static`. As a `const`, it stays in flash.
    ///
    /// Create it with [`Builder::describe`] and pass it to [`Registry::new`], where there is an example.
    #[derive(Debug)]
    pub struct StaticRegistryConfig<const WORKERS: usize, const BUCKETS: usize> {
        info: RegistryInfo<&'static str>,
        poll_time: Sampling,
        schedule_latency: Sampling,
    }

    impl Builder<'static> {
        /// Creates the configuration of a registry in a `static`, for `WORKERS` workers and histograms of up to
        /// `BUCKETS` buckets. The registry needs no heap.
        ///
        /// A `const` context can't call the clock, so pass the values that the clock's
        /// [`TimeSource`](crate::TimeSource) implementation returns. A rate of zero means that there is no clock. The
        /// const parameter `WORKERS` overrides [`workers`](Self::workers). Fixed storage keeps no histogram of
        /// blocking closures.
        ///
        /// # Errors
        /// Returns a [`ConfigError`] if the configuration is invalid. In a `const`, that is a compile error.
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
                    // `StaticWorker` compares 32 bits.
                    interval: if interval > u32::MAX as u64 {
                        u32::MAX as u64
                    } else {
                        interval
                    },
                    measures: this.recorded(),
                    poll_time: Layout::new(this.poll_time),
                    schedule_latency: Layout::new(this.schedule_latency),
                    blocking_queue_wait: None,
                    locations: 0,
                    flight_events: 0,
                },
                poll_time: this.initial_poll_time(),
                schedule_latency: this.initial_schedule_latency(),
            })
        }
    }

    impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
        Registry<StaticStorage<WORKERS, BUCKETS, C>, T>
    {
        /// Creates a registry for a `static`. All mutable state is in the registry, in RAM; the configuration stays
        /// where it is.
        ///
        /// ```
        /// use core::time::Duration;
        /// use metrics_core::{Builder, StaticRegistryConfig, StaticStorage, HistogramConfig, NoClock, Registry};
        ///
        /// const CONFIG: StaticRegistryConfig<1, 20> =
        ///     match Builder::new().name("firmware").describe(0, Duration::ZERO) {
        ///         Ok(config) => config,
        ///         Err(_) => panic!("a worker without histograms always fits"),
        ///     };
        /// static METRICS: Registry<StaticStorage<1, 20>, NoClock> = Registry::new(&CONFIG, NoClock);
        ///
        /// assert_eq!(METRICS.name(), "firmware");
        /// ```
        pub const fn new(config: &'static StaticRegistryConfig<WORKERS, BUCKETS>, clock: T) -> Self {
            let info = &config.info;
            Registry {
                storage: StaticStorage::new(
                    info.timed && info.poll_time.get().is_some(),
                    info.timed && info.schedule_latency.get().is_some(),
                ),
                switches: Switches::new(config.poll_time, config.schedule_latency),
                info,
                clock,
                shared: Shared::new(()),
            }
        }
    }
}
