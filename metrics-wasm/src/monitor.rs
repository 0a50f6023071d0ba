//! The monitor of a thread: it measures futures and reads their metrics.

use crate::build::BuildError;
use crate::clock::PerformanceClock;
use crate::measured::{Measured, Task};
use crate::probe::MonitorProbe;
use crate::recorder::Recorder;
use crate::resolution::{no_finer_than, threshold_no_finer_than};
use crate::runtime::{Registry, RuntimeMetrics, Snapshot};
use core::cell::OnceCell;
use core::error::Error;
use core::fmt;
use core::panic::Location;
use core::time::Duration;
use metrics_core::{
    DEFAULT_FLIGHT_RECORDER_THRESHOLD, HistogramConfig, IfRecording, MetricSet, RECORDING, Sampling,
    TimeSource, WorkerNumber,
};
use std::rc::Rc;
use std::sync::Arc;

/// Measures futures on an executor that has no hooks, such as the one of `wasm_bindgen_futures`.
///
/// A monitor has one worker: its thread. The worker is parked until a measured future is polled. It is then busy until the host
/// has run all its microtasks, and submits its metrics. A clone is another handle to the same metrics.
///
/// ```no_run
/// use metrics_wasm::Monitor;
///
/// let monitor = Monitor::current()?;
/// monitor.spawn_local(async { /* ... */ });
/// println!("{:?} polls", monitor.snapshot().total().poll_count());
/// # Ok::<(), metrics_wasm::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Monitor(IfRecording<Rc<Recorder>>);

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut monitor = f.debug_struct("Monitor");
        if let Some(recorder) = self.0.get() {
            monitor.field("name", &recorder.registry.name());
        }
        monitor.finish_non_exhaustive()
    }
}

/// The settings of a [`Monitor`]. Each has a default.
///
/// ```no_run
/// use metrics_wasm::{HistogramConfig, Monitor};
///
/// let monitor = Monitor::builder()
///     .name("ui")
///     .poll_time(Some(HistogramConfig::h2(100_000, 10_000_000_000, 3)?))
///     .schedule_latency(None)
///     .build()?;
/// monitor.install()?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct MonitorBuilder<'a> {
    name: &'a str,
    poll_time: Option<HistogramConfig>,
    schedule_latency: Option<HistogramConfig>,
    poll_time_sampling: Sampling,
    schedule_latency_sampling: Sampling,
    locations: usize,
    flight_recorder: usize,
    flight_recorder_threshold: Duration,
    clock: Option<PerformanceClock>,
}

impl<'a> MonitorBuilder<'a> {
    const fn new() -> Self {
        Self {
            name: "main",
            poll_time: Some(HistogramConfig::DEFAULT),
            schedule_latency: Some(HistogramConfig::DEFAULT),
            poll_time_sampling: Sampling::Every,
            schedule_latency_sampling: Sampling::Every,
            locations: 0,
            flight_recorder: 0,
            flight_recorder_threshold: DEFAULT_FLIGHT_RECORDER_THRESHOLD,
            clock: None,
        }
    }

    /// Sets the name of the runtime in snapshots and exporters. The default is `main`.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Sets the layout of the poll time histogram, or `None` for no such histogram. The default is [`HistogramConfig::DEFAULT`].
    /// [`no_finer_than`] adapts it to the clock.
    pub const fn poll_time(mut self, config: Option<HistogramConfig>) -> Self {
        self.poll_time = config;
        self
    }

    /// Sets the layout of the schedule latency histogram, or `None` for no such histogram. The default is
    /// [`HistogramConfig::DEFAULT`]. [`no_finer_than`] adapts it to the clock.
    pub const fn schedule_latency(mut self, config: Option<HistogramConfig>) -> Self {
        self.schedule_latency = config;
        self
    }

    /// Sets the initial sampling of the poll time histogram. The default is every poll.
    pub const fn poll_time_sampling(mut self, sampling: Sampling) -> Self {
        self.poll_time_sampling = sampling;
        self
    }

    /// Sets the initial sampling of the schedule latency histogram. The default is every poll.
    pub const fn schedule_latency_sampling(mut self, sampling: Sampling) -> Self {
        self.schedule_latency_sampling = sampling;
        self
    }

    /// Keeps metrics for each of this many spawn locations, and for all others together. The default is 0: none are kept. See
    /// [`Builder::locations`](metrics_core::Builder::locations).
    pub const fn locations(mut self, capacity: usize) -> Self {
        self.locations = capacity;
        self
    }

    /// Keeps at least the last `events` polls and parks, for
    /// [`RuntimeMetrics::flight_recording`](metrics_core::RuntimeMetrics::flight_recording). The default is 0: none are kept. See
    /// [`Builder::flight_recorder`](metrics_core::Builder::flight_recorder).
    pub const fn flight_recorder(mut self, events: usize) -> Self {
        self.flight_recorder = events;
        self
    }

    /// Sets the threshold of the flight recorder: polls below it that follow each other are one event. See
    /// [`Builder::flight_recorder_threshold`](metrics_core::Builder::flight_recorder_threshold). Unless it is zero, it is at
    /// least twice the resolution of the clock.
    pub const fn flight_recorder_threshold(mut self, threshold: Duration) -> Self {
        self.flight_recorder_threshold = threshold;
        self
    }

    /// Sets the clock. The default is [`PerformanceClock::detect`].
    pub const fn clock(mut self, clock: PerformanceClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Builds the monitor. If the clock is unavailable, the monitor counts and measures no time.
    ///
    /// # Errors
    /// Returns [`BuildError`] for settings that no registry accepts. The defaults are valid.
    pub fn build(&self) -> Result<Monitor, BuildError> {
        let recorder = IfRecording::new(|| self.recorder());
        Ok(Monitor(recorder.transpose()?))
    }

    fn recorder(&self) -> Result<Rc<Recorder>, BuildError> {
        let clock = self.clock.unwrap_or_else(PerformanceClock::detect);
        let mut builder = metrics_core::Builder::new()
            .name(self.name)
            .measures(MEASURED)
            .locations(self.locations)
            .flight_recorder(self.flight_recorder)
            .flight_recorder_threshold(threshold_no_finer_than(
                self.flight_recorder_threshold,
                clock.resolution(),
            ));
        if clock.available() {
            builder = builder.started_at(clock.now().ticks());
        }
        if let Some(config) = self.poll_time {
            builder = builder
                .poll_time(no_finer_than(config, clock.resolution()))
                .poll_time_sampling(self.poll_time_sampling);
        }
        if let Some(config) = self.schedule_latency {
            builder = builder
                .schedule_latency(no_finer_than(config, clock.resolution()))
                .schedule_latency_sampling(self.schedule_latency_sampling);
        }
        let registry = builder.build(clock).map_err(BuildError::Config)?;
        Recorder::new(registry).map_err(BuildError::Lease)
    }
}

/// The metrics that a wrapper can measure. It sees no queue to steal from, and it can't distinguish a park without a poll
/// from the absence of a turn of the event loop.
const MEASURED: MetricSet = MetricSet::worker(&[
    WorkerNumber::BusyDurationTotal,
    WorkerNumber::ParkCount,
    WorkerNumber::ParkUnparkCount,
    WorkerNumber::PollCount,
    WorkerNumber::NestedPolls,
])
.union(MetricSet::TASKS);

/// The error of [`Monitor::install`]: the thread already has a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyInstalled;

impl fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this thread already has a monitor: call Monitor::install before the first spawn_local, Monitor::current or new RuntimeMetrics()",
        )
    }
}

impl Error for AlreadyInstalled {}

impl Monitor {
    /// Creates a builder with the default settings.
    pub const fn builder<'a>() -> MonitorBuilder<'a> {
        MonitorBuilder::new()
    }

    /// Returns the monitor of this thread. The first call builds one with the default settings, unless [`install`](Self::install) was
    /// called before.
    ///
    /// # Errors
    /// Returns the error of [`MonitorBuilder::build`]. The default settings give none.
    pub fn current() -> Result<Self, BuildError> {
        let current = || {
            CURRENT.with(|current| {
                if let Some(recorder) = current.get() {
                    return Ok(Rc::clone(recorder));
                }
                let recorder = MonitorBuilder::new().recorder()?;
                Ok(Rc::clone(current.get_or_init(|| recorder)))
            })
        };
        Ok(Self(IfRecording::new(current).transpose()?))
    }

    /// Makes this the monitor of its thread, until the thread ends. Does nothing without the feature `record`.
    ///
    /// # Errors
    /// Returns [`AlreadyInstalled`] if the thread has a monitor.
    pub fn install(&self) -> Result<(), AlreadyInstalled> {
        let install = |recorder: &Rc<_>| CURRENT.with(|current| current.set(Rc::clone(recorder)));
        self.0.get().map_or(Ok(()), install).map_err(|_| AlreadyInstalled)
    }

    /// Spawns a measured task on the executor of `wasm_bindgen_futures`.
    #[track_caller]
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, future: F) {
        wasm_bindgen_futures::spawn_local(self.measure(future));
    }

    /// Wraps a future to measure it. Spawn the returned future on any executor of this thread. This call counts the task as spawned
    /// and records the caller as its spawn location.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        let location = Location::caller();
        Measured::new(future, self.0.map(|recorder| Task::new(recorder, location)))
    }

    /// Returns the recorder. It exists only with the feature `record`.
    pub(crate) fn recorder(&self) -> &IfRecording<Rc<Recorder>> {
        &self.0
    }

    /// Returns a reader of the metrics. Other threads can use it too.
    pub fn metrics(&self) -> RuntimeMetrics<MonitorProbe> {
        match self.0.get() {
            Some(recorder) => RuntimeMetrics::with_probe(
                Arc::clone(&recorder.registry),
                MonitorProbe::new(Arc::clone(&recorder.wakes)),
            ),
            None => RuntimeMetrics::with_probe(unrecorded(), MonitorProbe::new(Arc::default())),
        }
    }

    /// Submits this thread's metrics and takes a snapshot. It contains every poll that has ended.
    pub fn snapshot(&self) -> Snapshot {
        match self.0.get() {
            Some(recorder) => {
                recorder.worker.submit();
                self.metrics().snapshot()
            }
            None => Snapshot::default(),
        }
    }

    /// Returns the number of times that a task has woken itself during its own poll. Futures that yield or spin do so. `None` without
    /// the feature `record`.
    pub fn self_wake_count(&self) -> Option<u64> {
        self.0.get().map(|recorder| recorder.wakes.self_wakes())
    }
}

thread_local! {
    /// The recorder of the thread's monitor.
    static CURRENT: OnceCell<Rc<Recorder>> = const { OnceCell::new() };
}

/// Returns the registry that a monitor reads without the feature `record`. Nothing is recorded in it.
fn unrecorded() -> Arc<Registry> {
    let registry = metrics_core::Builder::new().build(PerformanceClock::UNAVAILABLE);
    registry.unwrap_or_else(|_| unreachable!("the defaults are a valid configuration"))
}

/// Spawns a task on the executor of `wasm_bindgen_futures` and measures it with this thread's monitor.
///
/// ```no_run
/// metrics_wasm::spawn_local(async { /* ... */ });
/// let snapshot = metrics_wasm::Monitor::current()?.snapshot();
/// assert_eq!(snapshot.spawned_tasks_count(), Some(1));
/// # Ok::<(), metrics_wasm::BuildError>(())
/// ```
#[track_caller]
pub fn spawn_local<F: Future<Output = ()> + 'static>(future: F) {
    if !RECORDING {
        // The wrapper would add code to the module although it has no task.
        return wasm_bindgen_futures::spawn_local(future);
    }
    match Monitor::current() {
        Ok(monitor) => monitor.spawn_local(future),
        // A task runs even if it can't be measured.
        Err(_) => wasm_bindgen_futures::spawn_local(future),
    }
}
