//! The monitor of a thread: it measures futures, and reads what was measured.

use crate::measured::{Measured, Task};
use crate::recorder::Recorder;
use crate::waker::Wakes;
use crate::{PerformanceClock, Registry, RuntimeMetrics, Snapshot, no_finer_than};
use core::cell::OnceCell;
use core::error::Error;
use core::fmt;
use core::panic::Location;
use metrics_core::{
    ConfigError, HistogramConfig, IfRecording, LeaseError, MetricSet, Probe, RECORDING, Sampling, Site,
    TimeSource, WorkerNumber,
};
use std::rc::Rc;
use std::sync::Arc;

/// Measures futures on an executor that has no hooks, such as that of `wasm_bindgen_futures`.
///
/// There is one worker: this thread. It counts as parked until a measured future is polled; then it is busy until the
/// host's microtasks have run dry, which a microtask of our own sees. What a turn counted is published at its end. A clone
/// is another handle on the same numbers.
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

/// Describes a [`Monitor`]. Everything has a default.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<'a> {
    name: &'a str,
    poll_time: Option<HistogramConfig>,
    schedule_latency: Option<HistogramConfig>,
    poll_time_sampling: Sampling,
    schedule_latency_sampling: Sampling,
    clock: Option<PerformanceClock>,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Builder<'a> {
    /// A runtime named `main` with both histograms, in the default layout, measuring every poll.
    pub const fn new() -> Self {
        Self {
            name: "main",
            poll_time: Some(HistogramConfig::DEFAULT),
            schedule_latency: Some(HistogramConfig::DEFAULT),
            poll_time_sampling: Sampling::Every,
            schedule_latency_sampling: Sampling::Every,
            clock: None,
        }
    }

    /// The name by which exporters tell several runtimes apart.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// The layout of the poll-time histogram, or `None` for none. Coarsened to the clock: see [`no_finer_than`].
    pub const fn poll_time(mut self, config: Option<HistogramConfig>) -> Self {
        self.poll_time = config;
        self
    }

    /// The layout of the schedule-latency histogram, or `None` for none. Coarsened to the clock too.
    pub const fn schedule_latency(mut self, config: Option<HistogramConfig>) -> Self {
        self.schedule_latency = config;
        self
    }

    /// How many polls the poll-time histogram measures at first.
    pub const fn poll_time_sampling(mut self, sampling: Sampling) -> Self {
        self.poll_time_sampling = sampling;
        self
    }

    /// How many polls the schedule-latency histogram measures at first.
    pub const fn schedule_latency_sampling(mut self, sampling: Sampling) -> Self {
        self.schedule_latency_sampling = sampling;
        self
    }

    /// The clock, where [`PerformanceClock::find`] is not what is wanted.
    pub const fn clock(mut self, clock: PerformanceClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Makes the monitor. Without a clock it counts and measures no time.
    ///
    /// # Errors
    /// [`BuildError`]; the defaults give none.
    pub fn build(&self) -> Result<Monitor, BuildError> {
        let recorder = IfRecording::new(|| self.recorder());
        Ok(Monitor(recorder.transpose()?))
    }

    fn recorder(&self) -> Result<Rc<Recorder>, BuildError> {
        let clock = self.clock.unwrap_or_else(PerformanceClock::find);
        let mut builder = metrics_core::Builder::new()
            .name(self.name)
            .poll_time_sampling(self.poll_time_sampling)
            .schedule_latency_sampling(self.schedule_latency_sampling)
            .measures(MEASURED);
        if clock.available() {
            builder = builder.started_at(clock.now().ticks());
        }
        if let Some(config) = self.poll_time {
            builder = builder.poll_time(no_finer_than(config, clock.resolution()));
        }
        if let Some(config) = self.schedule_latency {
            builder = builder.schedule_latency(no_finer_than(config, clock.resolution()));
        }
        let registry = builder.build(clock).map_err(BuildError::Config)?;
        Recorder::new(registry).map_err(BuildError::Lease)
    }
}

/// What a wrapper sees of its host. No queue is stolen from, and a park without a poll can't be told from no turn at all.
const MEASURED: MetricSet = MetricSet::worker(&[
    WorkerNumber::BusyDurationTotal,
    WorkerNumber::ParkCount,
    WorkerNumber::ParkUnparkCount,
    WorkerNumber::PollCount,
    WorkerNumber::NestedPolls,
])
.union(MetricSet::TASKS);

/// Why a monitor can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The registry's configuration.
    Config(ConfigError),
    /// Its one worker.
    Lease(LeaseError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lease(error) => error.fmt(f),
        }
    }
}

impl Error for BuildError {}

/// The queue depth of wrapped tasks, and the places that spawned them.
#[derive(Clone, Debug)]
pub struct MonitorProbe(Arc<Wakes>);

impl Probe for MonitorProbe {
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalScheduleCount, WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        match number {
            _ if worker != 0 => None,
            WorkerNumber::LocalScheduleCount => Some(self.0.schedules()),
            WorkerNumber::LocalQueueDepth => Some(self.0.depth()),
            _ => None,
        }
    }

    fn write_site(&self, site: Site, out: &mut dyn fmt::Write) -> fmt::Result {
        crate::site::write(site, out)
    }
}

impl Monitor {
    /// The monitor of this thread, made with defaults the first time unless [`install`](Self::install) came before.
    ///
    /// # Errors
    /// As [`Builder::build`], whose defaults give none.
    pub fn current() -> Result<Self, BuildError> {
        let current = || {
            CURRENT.with(|current| {
                if let Some(recorder) = current.get() {
                    return Ok(Rc::clone(recorder));
                }
                let recorder = Builder::new().recorder()?;
                Ok(Rc::clone(current.get_or_init(|| recorder)))
            })
        };
        Ok(Self(IfRecording::new(current).transpose()?))
    }

    /// Makes this the monitor of its thread. `false`, and nothing changed, if the thread has one already.
    pub fn install(&self) -> bool {
        let install = |recorder: &Rc<_>| CURRENT.with(|current| current.set(Rc::clone(recorder)).is_ok());
        self.0.get().is_none_or(install)
    }

    /// Spawns a measured task on the executor of `wasm_bindgen_futures`.
    #[track_caller]
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, future: F) {
        wasm_bindgen_futures::spawn_local(self.measure(future));
    }

    /// A measured future, to be handed to any executor of this thread. It counts as spawned from now on.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        let location = Location::caller();
        Measured::new(future, self.0.map(|recorder| Task::new(recorder, location)))
    }

    /// The recorder, without the feature `record` `None`.
    pub(crate) fn recorder(&self) -> &IfRecording<Rc<Recorder>> {
        &self.0
    }

    /// A reader.
    pub fn metrics(&self) -> RuntimeMetrics<MonitorProbe> {
        match self.0.get() {
            Some(recorder) => RuntimeMetrics::with_probe(
                Arc::clone(&recorder.registry),
                MonitorProbe(Arc::clone(&recorder.wakes)),
            ),
            None => RuntimeMetrics::with_probe(unrecorded(), MonitorProbe(Arc::default())),
        }
    }

    /// Takes a snapshot with everything in it that this thread counted so far, the poll going on left out.
    pub fn snapshot(&self) -> Snapshot {
        match self.0.get() {
            Some(recorder) => {
                recorder.worker.submit();
                self.metrics().snapshot()
            }
            None => Snapshot::default(),
        }
    }

    /// Tasks that woke themselves during their own poll: a sign of futures that yield by waking, or that spin.
    pub fn self_wake_count(&self) -> u64 {
        self.0.get().map_or(0, |recorder| recorder.wakes.self_wakes())
    }
}

thread_local! {
    /// The recorder of the thread's monitor.
    static CURRENT: OnceCell<Rc<Recorder>> = const { OnceCell::new() };
}

/// What a monitor without a recorder reads.
fn unrecorded() -> Arc<Registry> {
    let registry = metrics_core::Builder::new().build(PerformanceClock::ABSENT);
    registry.unwrap_or_else(|_| unreachable!("the defaults are a valid configuration"))
}

/// Spawns a task on the executor of `wasm_bindgen_futures`, measured by this thread's monitor.
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
        // A wrapper without a task behind it would still be code in the module.
        return wasm_bindgen_futures::spawn_local(future);
    }
    match Monitor::current() {
        Ok(monitor) => monitor.spawn_local(future),
        // A task that can't be measured runs all the same.
        Err(_) => wasm_bindgen_futures::spawn_local(future),
    }
}
