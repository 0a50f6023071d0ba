//! The counters for code that runs on no worker.

use crate::histogram::HistogramConfig;
use crate::host_cells::{LocationEvent, Shared};
use crate::live::LocationId;
use crate::locations::GroupId;
use crate::record::{DURATION_LAYOUT, LagKind, LoadState, StallKind};
use crate::storage::Storage;
use crate::sync::RECORDING;
use crate::tasks::TaskEnd;
use crate::time::Timestamp;
use core::time::Duration;

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
/// interrupt may also call [`Registry::stamp`](crate::Registry::stamp), the methods of [`WakeStamp`](crate::WakeStamp) and every reader. A worker's hooks are
/// for the one context that runs the worker.
#[derive(Debug)]
pub struct SharedCounters<'a, S: Storage> {
    pub(crate) shared: &'a Shared<S::Host>,
    pub(crate) info: &'a S::RegistryInfo,
}

impl<S: Storage> SharedCounters<'_, S> {
    /// Counts a task without a known spawn location that a thread outside the workers spawned.
    pub fn task_spawned(&self) {
        self.task_spawned_at(LocationId::UNKNOWN);
    }

    /// Counts a task that a thread outside the workers spawned at this location.
    pub fn task_spawned_at(&self, location: LocationId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.count_at(location, LocationEvent::Spawned);
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
            host.count_at(location, LocationEvent::Ended);
        }
        self.shared.tasks.ended(end);
    }

    /// Counts a future of a group that a thread outside the workers started.
    pub fn group_started(&self, group: GroupId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.count_in_group(group, LocationEvent::Spawned);
        }
    }

    /// Counts a future of a group that ended on a thread outside the workers.
    pub fn group_ended(&self, group: GroupId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.count_in_group(group, LocationEvent::Ended);
        }
    }

    /// Counts a task that was scheduled onto the global queue from outside a worker.
    pub fn remote_schedule(&self) {
        self.shared.remote_schedules.increment_release();
    }

    /// Counts a registration with the I/O driver. Static storage ignores it.
    pub fn io_registered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_registered.increment_release();
        }
    }

    /// Counts a deregistration from the I/O driver. Static storage ignores it.
    pub fn io_deregistered(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_deregistered.increment_release();
        }
    }

    /// Adds to the number of readiness events that the I/O driver delivered. Static storage ignores it.
    pub fn io_ready(&self, events: u64) {
        if let Some(host) = S::host(&self.shared.host) {
            host.io_ready.add_release(events);
        }
    }

    /// Adds the polls of root futures to the measured metrics. An adapter that sees only wrapped roots calls it when the
    /// first one is wrapped; until then the number of root polls is `None`. Static storage ignores it.
    pub fn measure_root_polls(&self) {
        if let Some(host) = S::host(&self.shared.host)
            && RECORDING
        {
            host.measures_roots.store_release(1);
        }
    }

    /// Starts counting stalls of these kinds, which read 0 from now on.
    ///
    /// Returns `false` if another watchdog already counts them; the caller must not count them then. Static storage
    /// counts no stalls and returns `false`.
    pub fn begin_stall_watch(&self, kinds: &[StallKind]) -> bool {
        let Some(host) = S::host(&self.shared.host).filter(|host| host.stalls.begin_watch(kinds)) else {
            return false;
        };
        // A watchdog that is refused adds no durations.
        for kind in kinds {
            host.on_demand.measure(kind.durations(), DURATION_LAYOUT);
        }
        true
    }

    /// Starts counting stalls of one more kind. Only the watchdog that [began](Self::begin_stall_watch) the watch may call it.
    /// Without a watch, it has no effect.
    pub fn also_watch_stalls(&self, kind: StallKind) {
        if let Some(host) = S::host(&self.shared.host)
            && host.stalls.also_watch(kind)
        {
            host.on_demand.measure(kind.durations(), DURATION_LAYOUT);
        }
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

    /// Counts a stall of a poll at the spawn location of its task.
    pub fn location_stalled(&self, location: LocationId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.count_at(location, LocationEvent::Stalled);
        }
    }

    /// Counts a stall of a poll at the group of the future that the task polled.
    pub fn group_stalled(&self, group: GroupId) {
        if let Some(host) = S::host(&self.shared.host) {
            host.count_in_group(group, LocationEvent::Stalled);
        }
    }

    /// Records how long a stall lasted, which has been counted and is over.
    pub fn stall_ended(&self, kind: StallKind, lasted: Duration) {
        if let Some(host) = S::host(&self.shared.host) {
            host.on_demand.record(kind.durations(), nanos(lasted));
        }
    }

    /// Adds the histogram of this lag to the metrics, with this layout. Call it when a probe starts; until then the histogram
    /// is `None`. If it exists, its layout and its samples remain. Static storage and a registry without a clock keep none.
    pub fn measure_lag(&self, kind: LagKind, layout: HistogramConfig) {
        if let Some(host) = S::host(&self.shared.host)
            && self.info.timed
        {
            host.on_demand.measure(kind.histogram(), layout);
        }
    }

    /// Records a lag that a probe measured. It is not recorded before [`measure_lag`](Self::measure_lag) is called.
    pub fn record_lag(&self, kind: LagKind, lag: Duration) {
        if let Some(host) = S::host(&self.shared.host) {
            host.on_demand.record(kind.histogram(), nanos(lag));
        }
    }

    /// Starts a watch for overload: from now on, the gauge `overload` is 0 or 1.
    ///
    /// Returns `false` if there is another watch; the caller must not set the state then. Static storage returns `false`.
    pub fn begin_load_watch(&self) -> bool {
        RECORDING && S::host(&self.shared.host).is_some_and(|host| host.load.begin_watch())
    }

    /// Sets the state that the watch found.
    pub fn set_load(&self, state: LoadState) {
        if let Some(host) = S::host(&self.shared.host) {
            host.load.set(state);
        }
    }

    /// Ends the watch that [`begin_load_watch`](Self::begin_load_watch) started. The gauge is absent from now on.
    pub fn end_load_watch(&self) {
        if let Some(host) = S::host(&self.shared.host) {
            host.load.end_watch();
        }
    }

    /// Returns the state that the watch found, or `None` without a watch. This is one atomic read.
    #[inline]
    pub fn load_state(&self) -> Option<LoadState> {
        S::host(&self.shared.host)?.load.get()
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
