//! Configures and builds a registry. The configuration is checked once, before any arithmetic.

#[cfg(not(metrics_core_loom))]
pub(crate) mod in_a_static;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod on_the_heap;

use crate::catalog::MetricSet;
use crate::config_error::ConfigError;
use crate::flight::DEFAULT_FLIGHT_RECORDER_THRESHOLD;
use crate::histogram::HistogramConfig;
use crate::locations::MAX_LOCATIONS;
use crate::record::NEVER;
use crate::slot::MAX_WORKERS;
use crate::switches::Sampling;
use crate::sync::RECORDING;
use crate::time_scale::TimeScale;
use core::time::Duration;

/// The largest number of events that a worker keeps: 16 MiB of them.
const MAX_EVENTS: usize = 1 << 20;

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
    census: bool,
    flight_events: usize,
    flight_threshold: Duration,
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
            census: false,
            flight_events: 0,
            flight_threshold: DEFAULT_FLIGHT_RECORDER_THRESHOLD,
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

    /// Declares that the number of workers is not known, because each thread leases a slot when it first needs one. Readers
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

    /// Keeps a histogram of the time that blocking closures wait in the queue. Static storage does not keep one.
    pub const fn blocking_queue_wait(mut self, config: HistogramConfig) -> Self {
        self.blocking_queue_wait = Some(config);
        self
    }

    /// Keeps metrics per spawn location on each worker: the tasks, the polls, their times and their schedule latency.
    /// The default is 0: none are kept.
    ///
    /// Each of the first `capacity` locations has its own entry, and so do tasks without a location. All other
    /// locations share one entry, so nothing is lost. Locations are identified by their [numbers](crate::LocationId),
    /// which an adapter assigns from 1 on. A location takes about 170 bytes on each worker, allocated when a slot is first
    /// leased. Times are measured for the polls that [`poll_time_sampling`](Self::poll_time_sampling) and
    /// [`schedule_latency_sampling`](Self::schedule_latency_sampling) select. Static storage keeps none.
    pub const fn locations(mut self, capacity: usize) -> Self {
        self.locations = capacity;
        self
    }

    /// Counts in each snapshot how many alive tasks of each spawn location are queued, polling and waiting, and how many
    /// of the waiting tasks can't be woken because no waker of them exists. A task is counted as one that can't be woken
    /// from one second after its last poll. Needs [`locations`](Self::locations). The default is off.
    ///
    /// Only adapters whose wrapper owns the tasks' wakers keep a census; see
    /// [`Probe::census`](crate::Probe::census). Others, static storage and a registry without a clock report none. The time
    /// of a snapshot grows with the number of alive tasks.
    pub const fn census(mut self) -> Self {
        self.census = true;
        self
    }

    /// Keeps at least the last `events` events of each worker: measured polls, parks and unparks. Each worker has space
    /// for one event more, rounded up to a power of two, so 4,095 events leave no space unused. The default is 0: none
    /// are kept.
    ///
    /// An event takes 16 bytes on each worker, allocated when a slot is first leased. Short polls that follow each other
    /// are one event ([`flight_recorder_threshold`](Self::flight_recorder_threshold)). Only polls whose time is measured
    /// ([`poll_time_sampling`](Self::poll_time_sampling)) are recorded. Static storage keeps none.
    pub const fn flight_recorder(mut self, events: usize) -> Self {
        self.flight_events = events;
        self
    }

    /// Sets the threshold of the flight recorder, at most 4.29 seconds. Polls whose duration and schedule latency are
    /// below it and that follow each other are folded into one event, a [burst](crate::FlightEventKind::Burst), until a
    /// longer poll, a park, or a pause of this length. The default is [`DEFAULT_FLIGHT_RECORDER_THRESHOLD`]. With zero,
    /// every poll is an event of its own.
    ///
    /// A burst is at most 100 thresholds long. On a worker that runs only the shortest polls, 4,095 events cover a quarter
    /// of a millisecond without bursts, and 4 seconds with the default.
    pub const fn flight_recorder_threshold(mut self, threshold: Duration) -> Self {
        self.flight_threshold = threshold;
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
    ///
    /// The searching, running and polling time of a worker need the hooks of busy time, `start_processing_scheduled_tasks`
    /// and `end_processing_scheduled_tasks`: a poll outside busy time counts as polling and as searching.
    pub const fn measures(mut self, numbers: MetricSet) -> Self {
        self.measures = numbers;
        self
    }

    /// Sets the epoch, which identifies this producer of snapshots after a restart. The default is derived from the
    /// start time.
    ///
    /// A registry in a `static` has its address by default, which is the same after each reboot. If the snapshots of
    /// firmware are compared over several runs, create its configuration at startup, with an epoch for each boot, such as a
    /// random number or a count of boots.
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

    /// Returns the metrics that hooks measure. Empty without the feature `record`.
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
        if self.census && self.locations == 0 {
            return Err(ConfigError::CensusWithoutLocations);
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
