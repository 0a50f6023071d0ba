//! One runtime's metrics: slots, shared counters, switches, clock.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::cell::SharedCounter;
use crate::histogram::HistogramConfig;
use crate::record::{SharedHistogram, StallCells, StallKind};
use crate::stamp::WakeStamp;
use crate::storage::Storage;
use crate::switches::Switches;
use crate::sync::RECORDING;
use crate::tasks::{SharedTaskCells, TaskCounts, TaskEnd};
use crate::time::{TimeScale, TimeSource, Timestamp};
use core::ops::Deref;
use core::time::Duration;

/// Everything that one runtime's workers write and its readers read.
///
/// Made by a [`Builder`](crate::Builder) on the heap, or const-constructed in a `static` of a
/// `StaticRegistryConfig`. It holds no thread, no executor and no reference to the runtime.
// In this order the first slot begins where the registry does: a Cortex-M0 reaches 124 bytes from an address in one
// instruction.
#[repr(C)]
#[derive(Debug)]
pub struct Registry<S: Storage, T> {
    pub(crate) storage: S,
    pub(crate) switches: Switches,
    /// On a microcontroller a reference into flash.
    pub(crate) info: S::RegistryInfo,
    pub(crate) clock: T,
    pub(crate) shared: Shared<S::Host>,
}

/// What was settled when the registry was made, and never changes.
// What a poll looks at comes first: see `Registry`.
#[repr(C)]
#[derive(Debug)]
pub struct RegistryInfo<N> {
    pub(crate) scale: TimeScale,
    /// Ticks after which a poll's end submits.
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
    /// What the runtime's hooks measure.
    pub(crate) measures: MetricSet,
    pub(crate) blocking_queue_wait: Option<HistogramConfig>,
}

/// The layout of a histogram that there may be.
///
/// Not an `Option`: a slot that has the histogram knows that there is a layout, and need not ask again at every poll.
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

    /// The layout, if the histogram is kept.
    pub(crate) const fn get(&self) -> Option<&HistogramConfig> {
        if self.kept { Some(&self.config) } else { None }
    }

    /// The layout beside a histogram that is there.
    #[inline(always)]
    pub(crate) fn of<'a, H>(&'a self, histogram: Option<&'a H>) -> Option<(&'a HistogramConfig, &'a H)> {
        histogram.map(|histogram| (&self.config, histogram))
    }
}

/// A registry and how it is held: an `Arc` on a server, a `&'static` in firmware.
pub trait RegistryRef: Clone + Deref<Target = Registry<Self::Storage, Self::Clock>> {
    /// Where its slots live.
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
    /// The runtime's name.
    pub fn name(&self) -> &str {
        self.info.name.as_ref()
    }

    /// The switches.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// The clock.
    pub fn clock(&self) -> &T {
        &self.clock
    }

    /// How the clock's ticks become nanoseconds, as read once at construction.
    pub fn scale(&self) -> &TimeScale {
        &self.info.scale
    }

    /// Whether the clock works here.
    #[inline(always)]
    pub fn is_timed(&self) -> bool {
        RECORDING && self.info.timed
    }

    /// A clock reading. Zero ticks without the feature `record`, which leaves the clock alone.
    #[inline(always)]
    pub(crate) fn now(&self) -> Timestamp {
        if RECORDING {
            self.clock.now()
        } else {
            Timestamp::from_ticks(0)
        }
    }

    /// The smallest step of the clock, as it said at construction; zero without a clock.
    pub fn resolution(&self) -> Duration {
        self.info.resolution
    }

    /// Workers the registry was built for. A dynamic pool may run more.
    pub fn num_workers(&self) -> usize {
        self.info.num_workers
    }

    /// Stamps a task that becomes scheduled now. Reads the clock only if schedule latency is measured and the task has no
    /// stamp yet: a repeated wake costs one load.
    #[inline]
    pub fn stamp(&self, stamp: &WakeStamp) {
        if self.stamps_wakes() && !stamp.is_set() {
            stamp.mark(self.now());
        }
    }

    /// Whether [`stamp`](Self::stamp) sets stamps: the clock works, and schedule latency is not switched off.
    #[inline]
    pub fn stamps_wakes(&self) -> bool {
        self.switches.measures_schedule_latency() && self.is_timed()
    }

    /// The layout of the poll-time histogram, if there is one.
    pub fn poll_time_config(&self) -> Option<&HistogramConfig> {
        self.info.poll_time.get().filter(|_| self.info.timed)
    }

    /// The layout of the schedule-latency histogram, if there is one.
    pub fn schedule_latency_config(&self) -> Option<&HistogramConfig> {
        self.info.schedule_latency.get().filter(|_| self.info.timed)
    }

    /// The layout of the blocking-queue histogram, if there is one.
    pub fn blocking_queue_wait_config(&self) -> Option<&HistogramConfig> {
        self.info.blocking_queue_wait.as_ref().filter(|_| self.info.timed)
    }

    /// The counters of those who are on no worker.
    pub fn shared(&self) -> SharedCounters<'_, S> {
        SharedCounters {
            shared: &self.shared,
            info: &self.info,
        }
    }

    /// A number that hooks count, with task counts read by [`task_counts`](Self::task_counts). `None` if the runtime's hooks don't
    /// measure it.
    pub(crate) fn runtime_number(&self, number: RuntimeNumber, tasks: &TaskCounts) -> Option<u64> {
        let host = S::host(&self.shared.host);
        // Measured once a watchdog looks for them, which no description foresees.
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
            // Only the runtime itself can report the others.
            _ => None,
        }
    }

    /// The per-worker numbers that hooks measure: no gauge, which only the runtime can report.
    pub(crate) fn measured(&self) -> MetricSet {
        let counters = MetricSet::worker(WorkerNumber::COUNTERS);
        let measures = self.info.measures.intersection(counters);
        if self.info.timed {
            measures
        } else {
            measures.without(MetricSet::worker(&[WorkerNumber::BusyDurationTotal]))
        }
    }

    /// Tasks at this moment.
    pub(crate) fn task_counts(&self) -> TaskCounts {
        let mut counts = self.sum_tasks();
        // Where a spawn counts once the runtime has accepted the task, another thread may have ended the task before that.
        counts.spawned = counts.spawned.max(counts.ended());
        counts
    }

    /// What was counted: every end first, then every spawn, so that a task that is counted as ended is counted as spawned too.
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

/// The cells with many writers. Nothing on a worker's hot path touches them.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) tasks: SharedTaskCells,
    pub(crate) remote_schedules: SharedCounter,
    pub(crate) host: H,
}

/// What only a runtime under an operating system has: an I/O driver and a blocking pool.
#[derive(Debug)]
pub struct HostCells<B> {
    pub(crate) io_registered: SharedCounter,
    pub(crate) io_deregistered: SharedCounter,
    pub(crate) io_ready: SharedCounter,
    pub(crate) blocking_queue_wait: Option<SharedHistogram<B>>,
    pub(crate) stalls: StallCells,
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
    pub(crate) fn new(blocking_queue_wait: Option<SharedHistogram<B>>) -> Self {
        Self {
            io_registered: SharedCounter::new(),
            io_deregistered: SharedCounter::new(),
            io_ready: SharedCounter::new(),
            blocking_queue_wait,
            stalls: StallCells::new(),
        }
    }
}

/// When a blocking closure was queued, and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockingStart {
    /// When it was passed to the pool.
    pub queued_at: Timestamp,
    /// When a thread of the pool began to run it.
    pub started_at: Timestamp,
}

/// What any thread may count: code that runs on no worker, the blocking pool, the I/O driver.
///
/// Each call is a read-modify-write on a line that all callers share; a worker has hooks of its own for tasks.
///
/// Every method may be called from an interrupt, also from one that interrupts the same method: none takes a lock. On a chip without
/// compare-and-swap each enters the critical section that the feature `critical-section` names. Of the rest of a registry, an
/// interrupt may call [`Registry::stamp`], the methods of [`WakeStamp`], and every reader; a worker's hooks are for the one context
/// that runs the worker.
#[derive(Debug)]
pub struct SharedCounters<'a, S: Storage> {
    shared: &'a Shared<S::Host>,
    info: &'a S::RegistryInfo,
}

impl<S: Storage> SharedCounters<'_, S> {
    /// A task was accepted, from a thread that is no worker.
    pub fn task_spawned(&self) {
        self.shared.tasks.spawned();
    }

    /// A task ended on a thread that is no worker.
    pub fn task_ended(&self, end: TaskEnd) {
        self.shared.tasks.ended(end);
    }

    /// A task was scheduled onto the global queue from outside a worker.
    pub fn remote_schedule(&self) {
        self.shared.remote_schedules.increment_release();
    }

    /// Something was registered with the I/O driver. Fixed storage does not count it.
    pub fn io_registered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_registered.increment_release();
        }
    }

    /// Something was deregistered from the I/O driver.
    pub fn io_deregistered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_deregistered.increment_release();
        }
    }

    /// The I/O driver delivered so many readiness events.
    pub fn io_ready(&self, events: u64) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_ready.add_release(events);
        }
    }

    /// A watchdog begins to count stalls of these kinds, which read 0 from then on. Returns `false` if another one counts them already:
    /// then this one must not. Fixed storage counts none.
    pub fn begin_stall_watch(&self, kinds: &[StallKind]) -> bool {
        S::host(&self.shared.host).is_some_and(|host| host.stalls.begin_watch(kinds))
    }

    /// The watchdog whose call of [`begin_stall_watch`](Self::begin_stall_watch) returned `true` ends. What it counted stays.
    pub fn end_stall_watch(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.stalls.end_watch();
        }
    }

    /// The watchdog found a stall.
    pub fn stalled(&self, kind: StallKind) {
        if let Some(host) = S::host(&self.shared.host) {
            host.stalls.count(kind);
        }
    }

    /// A blocking closure started. Its wait is not recorded if the clock has stepped back since it was queued.
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

/// An epoch that no other registry of this process gets, and that most likely no other process gets that started at another time.
///
/// Epochs of one process that are `n` registries apart differ by `n` times 2^64 divided by the golden ratio: two are equal only if their
/// times differ by just that, which is hours for a million registries (the three-distance theorem).
#[cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    use crate::cell::SharedU32;
    static REGISTRIES: SharedU32 = SharedU32::new(0);
    let number = REGISTRIES.add(1);
    started.wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Models make one registry, and loom's atomics can't be static.
#[cfg(all(feature = "alloc", metrics_core_loom))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    started
}
