//! One runtime's metrics: slots, shared counters, switches and the clock.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::cell::{SharedCounter, SharedU32};
use crate::histogram::HistogramConfig;
use crate::live::LocationId;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::locations::{SharedLocationRow, row_of};
use crate::record::{SharedHistogram, StallCells, StallKind};
use crate::stamp::WakeStamp;
use crate::storage::Storage;
use crate::switches::Switches;
use crate::sync::RECORDING;
use crate::tasks::{SharedTaskCells, TaskCounts, TaskEnd};
use crate::time::{TimeScale, TimeSource, Timestamp};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::boxed::Box;
use core::ops::Deref;
use core::time::Duration;

/// The shared state of one runtime's metrics: workers write it and readers read it.
///
/// Build one on the heap with a [`Builder`](crate::Builder), or in a `static` from a `StaticRegistryConfig`. A
/// registry holds no thread, no executor and no reference to the runtime.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use metrics_core::{Builder, NoClock, RuntimeMetrics, Worker};
///
/// let registry = Builder::new().name("server").build(NoClock).expect("the configuration is valid");
/// // One side records ...
/// let worker = Worker::lease(registry.clone(), 0).expect("a slot is free");
/// // ... and the other side reads.
/// let metrics = RuntimeMetrics::new(registry);
/// assert_eq!(metrics.name(), "server");
/// # }
/// ```
// With this field order the first slot starts at the registry's address: a Cortex-M0 reaches an offset of up to 124
// bytes with one instruction.
#[repr(C)]
#[derive(Debug)]
pub struct Registry<S: Storage, T> {
    pub(crate) storage: S,
    pub(crate) switches: Switches,
    /// On a microcontroller, a reference into flash.
    pub(crate) info: S::RegistryInfo,
    pub(crate) clock: T,
    pub(crate) shared: Shared<S::Host>,
}

/// The part of a registry that never changes after construction.
// The fields that a poll reads come first: see `Registry`.
#[repr(C)]
#[derive(Debug)]
pub struct RegistryInfo<N> {
    pub(crate) scale: TimeScale,
    /// The number of ticks after which the end of a poll submits.
    pub(crate) interval: u64,
    pub(crate) poll_time: Layout,
    pub(crate) schedule_latency: Layout,
    pub(crate) timed: bool,
    pub(crate) name: N,
    pub(crate) epoch: u64,
    pub(crate) started_at: Option<u64>,
    pub(crate) started: Timestamp,
    pub(crate) num_workers: usize,
    pub(crate) resolution: Duration,
    /// The metrics that the runtime's hooks measure.
    pub(crate) measures: MetricSet,
    pub(crate) blocking_queue_wait: Option<HistogramConfig>,
    /// The number of spawn locations with rows of their own; zero if there are no rows.
    pub(crate) locations: usize,
    /// The number of events that each worker keeps; zero if none.
    pub(crate) flight_events: usize,
}

/// The layout of a histogram that may be absent.
///
/// This is not an `Option`: a slot that has the histogram knows that the layout exists, so a poll does not check for
/// it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    config: HistogramConfig,
    kept: bool,
}

impl Layout {
    pub(crate) const fn new(config: Option<HistogramConfig>) -> Self {
        match config {
            Some(config) => Self { config, kept: true },
            None => Self {
                config: HistogramConfig::DEFAULT,
                kept: false,
            },
        }
    }

    /// The layout, if the registry keeps the histogram.
    pub(crate) const fn get(&self) -> Option<&HistogramConfig> {
        if self.kept { Some(&self.config) } else { None }
    }

    /// The layout of a histogram that exists.
    #[inline(always)]
    pub(crate) fn of<'a, H>(&'a self, histogram: Option<&'a H>) -> Option<(&'a HistogramConfig, &'a H)> {
        histogram.map(|histogram| (&self.config, histogram))
    }
}

/// A shared handle to a registry: an `Arc` on a server, a `&'static` reference in firmware.
pub trait RegistryRef: Clone + Deref<Target = Registry<Self::Storage, Self::Clock>> {
    /// The storage of its slots.
    type Storage: Storage;
    /// Its clock.
    type Clock: TimeSource;
}

impl<S: Storage, T: TimeSource> RegistryRef for &'static Registry<S, T> {
    type Storage = S;
    type Clock = T;
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<S: Storage, T: TimeSource> RegistryRef for alloc::sync::Arc<Registry<S, T>> {
    type Storage = S;
    type Clock = T;
}

impl<S: Storage, T: TimeSource> Registry<S, T> {
    /// Returns the runtime's name.
    pub fn name(&self) -> &str {
        self.info.name.as_ref()
    }

    /// Returns the switches, which turn sampling on and off while the runtime runs.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Returns the clock.
    pub fn clock(&self) -> &T {
        &self.clock
    }

    /// Returns the conversion from the clock's ticks to nanoseconds, which the registry computed at construction.
    pub fn scale(&self) -> &TimeScale {
        &self.info.scale
    }

    /// Returns `true` if the clock is available.
    #[inline(always)]
    pub fn is_timed(&self) -> bool {
        RECORDING && self.info.timed
    }

    /// Returns the clock's current timestamp. Without the feature `record` this returns zero ticks and does not read
    /// the clock.
    #[inline(always)]
    pub(crate) fn now(&self) -> Timestamp {
        if RECORDING {
            self.clock.now()
        } else {
            Timestamp::from_ticks(0)
        }
    }

    /// Returns the clock's resolution at construction, or zero without a clock.
    pub fn resolution(&self) -> Duration {
        self.info.resolution
    }

    /// Returns the configured number of workers: zero with
    /// [`Builder::dynamic_workers`](crate::Builder::dynamic_workers). A pool that changes its size may run more.
    pub fn num_workers(&self) -> usize {
        self.info.num_workers
    }

    /// Marks the wake stamp of a task that becomes scheduled now. This reads the clock only if schedule latency is
    /// measured and the stamp is not set, so a repeated wake costs one load.
    #[inline]
    pub fn stamp(&self, stamp: &WakeStamp) {
        if self.stamps_wakes() && !stamp.is_set() {
            stamp.mark(self.now());
        }
    }

    /// Returns `true` if [`stamp`](Self::stamp) sets stamps: the clock is available and schedule latency is switched
    /// on.
    #[inline]
    pub fn stamps_wakes(&self) -> bool {
        self.switches.measures_schedule_latency() && self.is_timed()
    }

    /// Returns the layout of the poll-time histogram, if there is one.
    pub fn poll_time_config(&self) -> Option<&HistogramConfig> {
        self.info.poll_time.get().filter(|_| self.info.timed)
    }

    /// Returns the layout of the schedule-latency histogram, if there is one.
    pub fn schedule_latency_config(&self) -> Option<&HistogramConfig> {
        self.info.schedule_latency.get().filter(|_| self.info.timed)
    }

    /// Returns the layout of the histogram of blocking-queue waits, if there is one.
    pub fn blocking_queue_wait_config(&self) -> Option<&HistogramConfig> {
        self.info.blocking_queue_wait.as_ref().filter(|_| self.info.timed)
    }

    /// Returns the number of spawn locations with entries of their own; zero if no metrics are kept per location.
    pub fn location_capacity(&self) -> usize {
        self.info.locations
    }

    /// Returns the number of events that the flight recorder keeps per worker; zero if there is no flight recorder.
    pub fn flight_recorder_capacity(&self) -> usize {
        self.info.flight_events
    }

    /// Returns the minimum time between two submits at the end of a poll, rounded to the ticks of the clock.
    pub fn submit_interval(&self) -> Duration {
        Duration::from_nanos(self.info.scale.nanos_of(self.info.interval))
    }

    /// Returns the counters for code that runs on no worker.
    pub fn shared(&self) -> SharedCounters<'_, S> {
        SharedCounters {
            shared: &self.shared,
            info: &self.info,
        }
    }

    /// A metric that hooks count, with task counts from [`task_counts`](Self::task_counts). `None` if the runtime's
    /// hooks don't measure it.
    pub(crate) fn runtime_number(&self, number: RuntimeNumber, tasks: &TaskCounts) -> Option<u64> {
        let host = S::host(&self.shared.host);
        // Measured as soon as a watchdog starts, whatever the configuration.
        match number {
            RuntimeNumber::PollStallCount => return host?.stalls.get(StallKind::Poll),
            RuntimeNumber::NoProgressStallCount => return host?.stalls.get(StallKind::NoProgress),
            _ => {}
        }
        if !self.info.measures.has_runtime(number) {
            return None;
        }
        match number {
            RuntimeNumber::SpawnedTasksCount => Some(tasks.spawned),
            RuntimeNumber::CoveredTasks | RuntimeNumber::NumAliveTasks => Some(tasks.alive()),
            RuntimeNumber::CompletedTasksCount => Some(tasks.completed),
            RuntimeNumber::CancelledTasksCount => Some(tasks.cancelled),
            RuntimeNumber::PanickedTasksCount => Some(tasks.panicked),
            RuntimeNumber::RemoteScheduleCount => self.shared.remote_schedules.load_acquire(),
            RuntimeNumber::IoDriverFdRegisteredCount => host?.io_registered.load_acquire(),
            RuntimeNumber::IoDriverFdDeregisteredCount => host?.io_deregistered.load_acquire(),
            RuntimeNumber::IoDriverReadyCount => host?.io_ready.load_acquire(),
            // Only the runtime itself reports the others.
            _ => None,
        }
    }

    /// The per-worker metrics that hooks measure. These include no gauges, which only the runtime reports.
    pub(crate) fn measured(&self) -> MetricSet {
        let counters = MetricSet::worker(WorkerNumber::COUNTERS);
        let mut measures = self.info.measures.intersection(counters);
        if S::host(&self.shared.host).is_some_and(|host| host.measures_roots.load_acquire() != 0) {
            measures = measures.union(MetricSet::worker(&[WorkerNumber::RootPolls]));
        }
        if self.info.timed {
            measures
        } else {
            measures.without(MetricSet::worker(&[WorkerNumber::BusyDurationTotal]))
        }
    }

    /// The task counts at this moment.
    pub(crate) fn task_counts(&self) -> TaskCounts {
        let mut counts = self.sum_tasks();
        // If the runtime counts a spawn after it accepts the task, another thread may end the task before it is
        // counted.
        counts.spawned = counts.spawned.max(counts.ended());
        counts
    }

    /// Reads the counts: all ends before all spawns, so that the spawn of each counted end is counted too.
    pub(crate) fn sum_tasks(&self) -> TaskCounts {
        let mut counts = TaskCounts::default();
        self.shared.tasks.add_ends(&mut counts);
        for slot in self.storage.slots() {
            slot.tasks.add_ends(&mut counts);
        }
        self.shared.tasks.add_spawns(&mut counts);
        for slot in self.storage.slots() {
            slot.tasks.add_spawns(&mut counts);
        }
        counts
    }
}

/// The cells with many writers. No worker's hot path accesses them.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) tasks: SharedTaskCells,
    pub(crate) remote_schedules: SharedCounter,
    pub(crate) host: H,
}

/// The counters that exist only under an operating system: those of an I/O driver and of a blocking pool.
#[derive(Debug)]
pub struct HostCells<B> {
    pub(crate) io_registered: SharedCounter,
    pub(crate) io_deregistered: SharedCounter,
    pub(crate) io_ready: SharedCounter,
    pub(crate) blocking_queue_wait: Option<SharedHistogram<B>>,
    pub(crate) stalls: StallCells,
    /// Nonzero once a root future is measured.
    pub(crate) measures_roots: SharedU32,
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) locations: Box<[SharedLocationRow]>,
}

impl<H> Shared<H> {
    crate::sync::const_unless_loom! {
        pub(crate) const fn new(host: H) -> Self {
            Self {
                tasks: SharedTaskCells::new(),
                remote_schedules: SharedCounter::new(),
                host,
            }
        }
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<B> HostCells<B> {
    /// Creates cells with this number of rows for spawn locations.
    pub(crate) fn new(blocking_queue_wait: Option<SharedHistogram<B>>, locations: usize) -> Self {
        Self {
            locations: (0..locations).map(|_| SharedLocationRow::new()).collect(),
            io_registered: SharedCounter::new(),
            io_deregistered: SharedCounter::new(),
            io_ready: SharedCounter::new(),
            blocking_queue_wait,
            stalls: StallCells::new(),
            measures_roots: SharedU32::new(0),
        }
    }
}

/// Tasks per spawn location, which only heap storage counts.
impl<B> HostCells<B> {
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    fn spawned_at(&self, location: LocationId) {
        if let Some(row) = row_of(&self.locations, location) {
            row.spawned.increment_release();
        }
    }

    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    fn ended_at(&self, location: LocationId) {
        if let Some(row) = row_of(&self.locations, location) {
            row.ended.increment_release();
        }
    }

    #[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
    #[allow(clippy::unused_self)]
    fn spawned_at(&self, _: LocationId) {}

    #[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
    #[allow(clippy::unused_self)]
    fn ended_at(&self, _: LocationId) {}
}

/// The times at which a blocking closure was queued and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockingStart {
    /// The time at which the closure was passed to the pool.
    pub queued_at: Timestamp,
    /// The time at which a thread of the pool started to run it.
    pub started_at: Timestamp,
}

/// Counters that any thread may increment: code that runs on no worker, the blocking pool and the I/O driver.
///
/// Each call is a read-modify-write operation on a cache line that all callers share. On a worker, use the worker's
/// own hooks.
///
/// An interrupt may call every method, even if it interrupts the same method, because none takes a lock. On a chip
/// without compare-and-swap, each method uses the implementation that the binary chooses for `portable-atomic`. An
/// interrupt may also call [`Registry::stamp`], the methods of [`WakeStamp`] and every reader. A worker's hooks are
/// for the one context that runs the worker.
#[derive(Debug)]
pub struct SharedCounters<'a, S: Storage> {
    shared: &'a Shared<S::Host>,
    info: &'a S::RegistryInfo,
}

impl<S: Storage> SharedCounters<'_, S> {
    /// Counts a task without a known spawn location that a thread outside the workers spawned.
    pub fn task_spawned(&self) {
        self.task_spawned_at(LocationId::UNKNOWN);
    }

    /// Counts a task that a thread outside the workers spawned at this location.
    pub fn task_spawned_at(&self, location: LocationId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.spawned_at(location);
        }
        self.shared.tasks.spawned();
    }

    /// Counts a task without a known spawn location that ended on a thread outside the workers.
    pub fn task_ended(&self, end: TaskEnd) {
        self.task_ended_at(LocationId::UNKNOWN, end);
    }

    /// Counts a task that was spawned at this location and ended on a thread outside the workers.
    pub fn task_ended_at(&self, location: LocationId, end: TaskEnd) {
        if let Some(host) = S::host(&self.shared.host) {
            host.ended_at(location);
        }
        self.shared.tasks.ended(end);
    }

    /// Counts a task that was scheduled onto the global queue from outside a worker.
    pub fn remote_schedule(&self) {
        self.shared.remote_schedules.increment_release();
    }

    /// Counts a registration with the I/O driver. Fixed storage ignores it.
    pub fn io_registered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_registered.increment_release();
        }
    }

    /// Counts a deregistration from the I/O driver. Fixed storage ignores it.
    pub fn io_deregistered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_deregistered.increment_release();
        }
    }

    /// Adds to the number of readiness events that the I/O driver delivered. Fixed storage ignores it.
    pub fn io_ready(&self, events: u64) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_ready.add_release(events);
        }
    }

    /// Adds the polls of root futures to the measured metrics. An adapter that sees only wrapped roots calls it when the
    /// first one is wrapped; until then the number of root polls is `None`. Fixed storage ignores it.
    pub fn measure_root_polls(&self) {
        if let Some(host) = S::host(&self.shared.host)
            && RECORDING
        {
            host.measures_roots.store_release(1);
        }
    }

    /// Starts counting stalls of these kinds, which read 0 from now on.
    ///
    /// Returns `false` if another watchdog already counts them; the caller must not count them then. Fixed storage
    /// counts no stalls and returns `false`.
    pub fn begin_stall_watch(&self, kinds: &[StallKind]) -> bool {
        S::host(&self.shared.host).is_some_and(|host| host.stalls.begin_watch(kinds))
    }

    /// Ends the watch that [`begin_stall_watch`](Self::begin_stall_watch) started. The counts remain.
    pub fn end_stall_watch(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.stalls.end_watch();
        }
    }

    /// Counts a stall that the watchdog found.
    pub fn stalled(&self, kind: StallKind) {
        if let Some(host) = S::host(&self.shared.host) {
            host.stalls.count(kind);
        }
    }

    /// Records the queue wait of a blocking closure that started. The wait is not recorded if the clock stepped back
    /// since the closure was queued.
    pub fn blocking_started(&self, start: BlockingStart) {
        if let (true, Some(config), Some(histogram)) = (
            self.info.timed,
            &self.info.blocking_queue_wait,
            S::host(&self.shared.host).and_then(|host| host.blocking_queue_wait.as_ref()),
        ) && let Some(nanos) = self
            .info
            .scale
            .nanos_across_cores(start.started_at, start.queued_at)
        {
            histogram.record(S::shared_buckets, config, nanos);
        }
    }
}

/// Creates an epoch that is unique within this process, and most likely unique among processes that start at different
/// times.
///
/// The epochs of two registries of one process that are `n` registries apart differ by `n` times 2^64 divided by the
/// golden ratio. They are equal only if their times differ by exactly that much, which is hours for a million
/// registries (the three-distance theorem).
#[cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    use crate::cell::SharedU32;
    static REGISTRIES: SharedU32 = SharedU32::new(0);
    let number = REGISTRIES.add(1);
    started.wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Each model creates one registry, and loom's atomics can't be static.
#[cfg(all(feature = "alloc", metrics_core_loom))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    started
}
