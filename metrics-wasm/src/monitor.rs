//! What measures the futures of one thread: a worker, driven by the polls it sees and by the ends of the host's turns.

use crate::measured::Measured;
use crate::turn::{self, Turn};
use crate::waker::{TaskWaker, Wakes};
use crate::{PerformanceClock, Registry, RuntimeMetrics, Snapshot, Worker, no_finer_than};
use core::cell::{Cell, OnceCell, RefCell};
use core::error::Error;
use core::fmt;
use core::panic::Location;
use metrics_core::{
    ConfigError, HistogramConfig, LeaseError, MetricSet, PollStart, Probe, Sampling, Site, TimeSource,
    Timestamp, WorkerNumber,
};
use std::rc::Rc;
use std::sync::Arc;

/// Measures futures on an executor that has no hooks, such as that of `wasm_bindgen_futures`.
///
/// There is one worker: this thread. It counts as parked until a measured future is polled; then it is busy until the
/// host's microtasks have run dry, which a microtask of our own sees. What a turn counted is published at its end. A clone
/// is another handle on the same numbers.
#[derive(Clone)]
pub struct Monitor(Rc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    worker: Worker,
    wakes: Arc<Wakes>,
    turn: Turn<Self>,
    /// In the poll of a measured future: one polled now is inside another.
    polling: Cell<bool>,
    long_polls: LongPolls,
}

/// Polls longer than a threshold, for who watches the event loop. Kept apart from the worker, whose histogram does not
/// say which poll was long.
#[derive(Default)]
struct LongPolls {
    /// Nanoseconds; `None` while nobody watches.
    threshold: Cell<Option<u64>>,
    going_on: Cell<Option<(Timestamp, Site)>>,
    found: RefCell<Vec<(Timestamp, Timestamp, Site)>>,
}

impl LongPolls {
    fn start(&self, worker: &Worker, site: Site) {
        if self.threshold.get().is_some() {
            self.going_on.set(Some((worker.now(), site)));
        }
    }

    fn end(&self, worker: &Worker) {
        if let (Some((start, site)), Some(threshold)) = (self.going_on.take(), self.threshold.get()) {
            let end = worker.now();
            if worker.registry().scale().nanos(end, start) >= threshold {
                self.found.borrow_mut().push((start, end, site));
            }
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("name", &self.0.registry.name())
            .finish_non_exhaustive()
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
        let worker = Worker::lease(Arc::clone(&registry), 0).map_err(BuildError::Lease)?;
        worker.park();
        Ok(Monitor(Rc::new_cyclic(|monitor| Inner {
            registry,
            worker,
            wakes: Arc::default(),
            turn: Turn::new(monitor.clone()),
            polling: Cell::new(false),
            long_polls: LongPolls::default(),
        })))
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
        CURRENT.with(|current| {
            if let Some(monitor) = current.get() {
                return Ok(monitor.clone());
            }
            let monitor = Builder::new().build()?;
            Ok(current.get_or_init(|| monitor).clone())
        })
    }

    /// Makes this the monitor of its thread. `false`, and nothing changed, if the thread has one already.
    pub fn install(&self) -> bool {
        CURRENT.with(|current| current.set(self.clone()).is_ok())
    }

    /// Spawns a measured task on the executor of `wasm_bindgen_futures`.
    #[track_caller]
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, future: F) {
        wasm_bindgen_futures::spawn_local(self.measure(future));
    }

    /// A measured future, to be handed to any executor of this thread. It counts as spawned from now on.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::new(self.clone(), future, Location::caller())
    }

    /// A reader.
    pub fn metrics(&self) -> RuntimeMetrics<MonitorProbe> {
        RuntimeMetrics::with_probe(
            Arc::clone(&self.0.registry),
            MonitorProbe(Arc::clone(&self.0.wakes)),
        )
    }

    /// Takes a snapshot with everything in it that this thread counted so far, the poll going on left out.
    pub fn snapshot(&self) -> Snapshot {
        self.0.worker.submit();
        self.metrics().snapshot()
    }

    /// Tasks that woke themselves during their own poll: a sign of futures that yield by waking, or that spin.
    pub fn self_wake_count(&self) -> u64 {
        self.0.wakes.self_wakes()
    }

    /// Notes polls of at least so many nanoseconds from now on; `u64::MAX` notes none.
    pub(crate) fn watch_long_polls(&self, threshold: u64) {
        self.0
            .long_polls
            .threshold
            .set(Some(threshold).filter(|&nanos| nanos != u64::MAX));
    }

    pub(crate) fn take_long_polls(&self) -> Vec<(Timestamp, Timestamp, Site)> {
        self.0.long_polls.found.take()
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.0.worker
    }

    pub(crate) fn spawned(&self) -> Arc<TaskWaker> {
        TaskWaker::spawned(Arc::clone(&self.0.registry), Arc::clone(&self.0.wakes))
    }

    /// Says whether the poll counts. One inside another does not.
    pub(crate) fn start_poll(&self, start: PollStart) -> bool {
        let Inner {
            worker,
            turn,
            polling,
            long_polls,
            ..
        } = &*self.0;
        if polling.replace(true) {
            worker.incr_nested_polls();
            return false;
        }
        if turn.poll(&self.0) {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
        } else {
            // Whatever ran since the last poll was not ours.
            worker.discard_last_timestamp();
        }
        long_polls.start(worker, start.site);
        worker.start_poll(start);
        true
    }

    pub(crate) fn end_poll(&self) {
        let Inner {
            worker,
            turn,
            polling,
            long_polls,
            ..
        } = &*self.0;
        polling.set(false);
        worker.end_poll();
        long_polls.end(worker);
        if !turn.is_open() {
            worker.park();
        }
    }
}

thread_local! {
    static CURRENT: OnceCell<Monitor> = const { OnceCell::new() };
}

impl turn::Owner for Inner {
    fn turn(&self) -> &Turn<Self> {
        &self.turn
    }

    fn has_work(&self) -> bool {
        self.wakes.depth() > 0
    }

    fn end_turn(&self) {
        self.worker.park();
    }
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
    match Monitor::current() {
        Ok(monitor) => monitor.spawn_local(future),
        // A task that can't be measured runs all the same.
        Err(_) => wasm_bindgen_futures::spawn_local(future),
    }
}
