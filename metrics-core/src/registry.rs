//! One runtime's metrics: slots, shared counters, switches and the clock.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::histogram::HistogramConfig;
use crate::host_cells::Shared;
use crate::record::StallKind;
use crate::shared_counters::SharedCounters;
use crate::stamp::WakeStamp;
use crate::storage::Storage;
use crate::switches::Switches;
use crate::sync::RECORDING;
use crate::tasks::TaskCounts;
use crate::time::{TimeSource, Timestamp};
use crate::time_scale::TimeScale;
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

    /// Returns `true` if the adapter keeps the activity of each alive task, and snapshots count it per spawn location.
    pub fn keeps_census(&self) -> bool {
        self.info.census
    }

    /// Returns the number of events that the flight recorder keeps per worker; zero if there is no flight recorder.
    pub fn flight_recorder_capacity(&self) -> usize {
        self.info.flight_events
    }

    /// Returns the duration and schedule latency below which the flight recorder folds polls into bursts.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub fn flight_recorder_threshold(&self) -> Duration {
        self.info.fold.threshold()
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

    /// Returns a metric that hooks count, with task counts from [`task_counts`](Self::task_counts). `None` if the runtime's
    /// hooks don't measure it.
    pub(crate) fn runtime_number(&self, number: RuntimeNumber, tasks: &TaskCounts) -> Option<u64> {
        let host = S::host(&self.shared.host);
        // Measured as soon as a watch starts, whatever the configuration.
        match number {
            RuntimeNumber::PollStallCount => return host?.stalls.get(StallKind::Poll),
            RuntimeNumber::NoProgressStallCount => return host?.stalls.get(StallKind::NoProgress),
            RuntimeNumber::QueueStallCount => return host?.stalls.get(StallKind::Queue),
            RuntimeNumber::Overload => return host?.load.get().map(|state| u64::from(state.is_overloaded())),
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

    /// Returns the per-worker metrics that hooks measure, without those that only a probe reports.
    pub(crate) fn measured(&self) -> MetricSet {
        let counters = MetricSet::worker(WorkerNumber::HOOK_COUNTERS);
        let mut measures = self.info.measures.intersection(counters);
        if S::host(&self.shared.host).is_some_and(|host| host.measures_roots.load_acquire() != 0) {
            measures = measures.union(MetricSet::worker(&[WorkerNumber::RootPolls]));
        }
        if self.info.timed {
            measures
        } else {
            measures.without(MetricSet::worker(WorkerNumber::STATE_TIMES))
        }
    }

    /// Returns the task counts at this moment.
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
