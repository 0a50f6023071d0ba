//! The one serialised form of a snapshot, and that of an interval.
//!
//! Field names are those of the one list of metrics. A `u64` is a decimal string where people and JavaScript read it and native
//! elsewhere; durations are nanoseconds; what is not measured is null. Rows of one worker are summed, so a reader of the
//! format never sees a slot. Fixed and heap storage have the same form: what firmware writes, a host reads.

use super::measurements::{HistogramReading, Measurements};
use super::refresh::Names;
use super::row::{Row, Staleness, WorkerSnapshot};
use super::update::Sums;
use super::{FOREIGN, Interval, Snapshot, WorkerInterval};
use crate::catalog::{
    MetricSet, RuntimeNumber, RuntimeNumbers, WorkerNumber, with_runtime_numbers, with_worker_numbers,
};
use crate::counters::{CounterValues, MEAN_FRACTION, WORKER_NUMBERS};
use crate::histogram::{HistogramInterval, HistogramSnapshot};
use crate::live::{LiveRecord, Site, Transition, WorkerState};
use crate::options::Sampling;
use crate::serde_u64;
use crate::slot::Holder;
use crate::storage::{Rows, Storage};
use crate::tasks::TaskCounts;
use crate::time::{TimeScale, Timestamp};
use core::fmt;
use core::time::Duration;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// Raised when a field is renamed, removed or changes its meaning. A new field does not raise it for JSON; binary
/// formats are read by the version that wrote them.
pub const SNAPSHOT_SCHEMA: u32 = 1;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct SnapshotWire<S: Storage> {
    schema: u32,
    #[serde(with = "crate::serde_storage::text")]
    name: S::Text,
    #[serde(with = "serde_u64")]
    epoch: u64,
    #[serde(with = "serde_u64::option")]
    started_at: Option<u64>,
    #[serde(with = "serde_u64::option")]
    uptime: Option<u64>,
    num_workers: u32,
    #[serde(with = "serde_u64::option")]
    spawned_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    covered_tasks: Option<u64>,
    #[serde(with = "serde_u64::option")]
    num_alive_tasks: Option<u64>,
    #[serde(with = "serde_u64::option")]
    completed_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    cancelled_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    panicked_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    global_queue_depth: Option<u64>,
    #[serde(with = "serde_u64::option")]
    remote_schedule_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    num_blocking_threads: Option<u64>,
    #[serde(with = "serde_u64::option")]
    num_idle_blocking_threads: Option<u64>,
    #[serde(with = "serde_u64::option")]
    blocking_queue_depth: Option<u64>,
    blocking_queue_wait: Option<HistogramSnapshot<S::Counts>>,
    #[serde(with = "serde_u64::option")]
    io_driver_fd_registered_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    io_driver_fd_deregistered_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    io_driver_ready_count: Option<u64>,
    #[serde(default, with = "serde_u64::option")]
    poll_stall_count: Option<u64>,
    #[serde(default, with = "serde_u64::option")]
    no_progress_stall_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    budget_forced_yield_count: Option<u64>,
    total: MeasurementsWire<S>,
    #[serde(with = "crate::serde_storage::rows")]
    workers: S::Rows<WorkerWire<S>>,
    foreign: Option<WorkerWire<S>>,
}

macro_rules! runtime_numbers {
    ($($(#[$doc:meta])* $kind:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        impl<S: Storage> SnapshotWire<S> {
            fn runtime_numbers(&self) -> RuntimeNumbers {
                let mut numbers = RuntimeNumbers::NONE;
                $(numbers.set(RuntimeNumber::$variant, self.$name);)*
                numbers
            }
        }
    };
}
with_runtime_numbers!(runtime_numbers);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct WorkerWire<S: Storage> {
    worker: u32,
    state: WorkerState,
    #[serde(with = "serde_u64::option")]
    since: Option<u64>,
    site: u32,
    #[serde(with = "crate::serde_storage::text")]
    site_name: S::Text,
    #[serde(with = "serde_u64::option")]
    busy_in_progress: Option<u64>,
    #[serde(with = "serde_u64::option")]
    local_queue_depth: Option<u64>,
    #[serde(with = "serde_u64::option")]
    thread: Option<u64>,
    #[serde(with = "crate::serde_storage::text")]
    thread_name: S::Text,
    stale: Option<StaleWire>,
    measurements: MeasurementsWire<S>,
}

impl<S: Storage> Clone for WorkerWire<S> {
    fn clone(&self) -> Self {
        Self {
            site_name: self.site_name.clone(),
            thread_name: self.thread_name.clone(),
            measurements: self.measurements.clone(),
            ..*self
        }
    }
}

impl<S: Storage> fmt::Debug for WorkerWire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerWire")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct StaleWire {
    #[serde(with = "serde_u64::option")]
    age: Option<u64>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct MeasurementsWire<S: Storage> {
    counters: CountersWire,
    #[serde(with = "serde_u64::option")]
    mean_poll_time: Option<u64>,
    poll_time: Option<ReadingWire<S>>,
    schedule_latency: Option<ReadingWire<S>>,
}

impl<S: Storage> Clone for MeasurementsWire<S> {
    fn clone(&self) -> Self {
        Self {
            poll_time: self.poll_time.clone(),
            schedule_latency: self.schedule_latency.clone(),
            ..*self
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct ReadingWire<S: Storage> {
    sampling: Sampling,
    #[serde(with = "serde_u64")]
    polls: u64,
    histogram: HistogramSnapshot<S::Counts>,
}

impl<S: Storage> Clone for ReadingWire<S> {
    fn clone(&self) -> Self {
        Self {
            histogram: self.histogram.clone(),
            ..*self
        }
    }
}

macro_rules! counters_wire {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        gauges { $($gauges:tt)* }
    ) => {
        #[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
        struct CountersWire {
            $(#[serde(with = "serde_u64::option")] $name: Option<u64>,)*
        }

        impl CountersWire {
            fn new(counter: impl Fn(WorkerNumber) -> Option<u64>) -> Self {
                Self { $($name: counter(WorkerNumber::$variant),)* }
            }

            fn get(&self, counter: WorkerNumber) -> Option<u64> {
                match counter {
                    $(WorkerNumber::$variant => self.$name,)*
                    _ => None,
                }
            }
        }
    };
}
with_worker_numbers!(counters_wire);

impl CountersWire {
    fn supplied(&self) -> MetricSet {
        let mut set = MetricSet::NONE;
        for &counter in WorkerNumber::COUNTERS {
            if self.get(counter).is_some() {
                set = set.union(MetricSet::worker(&[counter]));
            }
        }
        set
    }
}

fn nanos(duration: Option<Duration>) -> Option<u64> {
    duration.map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

impl<S: Storage> From<&Measurements<S>> for MeasurementsWire<S> {
    fn from(measurements: &Measurements<S>) -> Self {
        let reading = |reading: &HistogramReading<S>| ReadingWire {
            sampling: reading.sampling,
            polls: reading.polls,
            histogram: reading.histogram.clone(),
        };
        Self {
            counters: CountersWire::new(|counter| measurements.counter(counter)),
            mean_poll_time: nanos(measurements.mean_poll_time()),
            poll_time: measurements.poll_time.as_ref().map(reading),
            schedule_latency: measurements.schedule_latency.as_ref().map(reading),
        }
    }
}

impl<S: Storage> From<MeasurementsWire<S>> for Measurements<S> {
    fn from(wire: MeasurementsWire<S>) -> Self {
        let mut values = [0; WORKER_NUMBERS];
        for &counter in WorkerNumber::COUNTERS {
            values[counter as usize] = wire.counters.get(counter).unwrap_or(0);
        }
        let reading = |wire: ReadingWire<S>| HistogramReading {
            histogram: wire.histogram,
            sampling: wire.sampling,
            polls: wire.polls,
        };
        Self {
            supplied: wire.counters.supplied(),
            values: CounterValues {
                settled_at: 0,
                // Zero is "no sample yet", so a mean that was there stays there.
                mean_poll_time: wire
                    .mean_poll_time
                    .map_or(0, |mean| (mean.saturating_mul(1 << MEAN_FRACTION)).max(1)),
                thread: 0,
                values,
            },
            poll_time: wire.poll_time.map(reading),
            schedule_latency: wire.schedule_latency.map(reading),
        }
    }
}

impl<S: Storage> From<&WorkerSnapshot<S>> for WorkerWire<S> {
    fn from(worker: &WorkerSnapshot<S>) -> Self {
        Self {
            worker: u32::try_from(worker.index).unwrap_or(u32::MAX),
            state: worker.state(),
            since: nanos(worker.state_for()),
            site: worker.site().as_u32(),
            site_name: worker.site_name.clone(),
            busy_in_progress: nanos(worker.busy_in_progress),
            local_queue_depth: worker.local_queue_depth(),
            thread: worker.thread,
            thread_name: worker.thread_name.clone(),
            stale: worker.stale.map(|stale| StaleWire {
                age: nanos(stale.age),
            }),
            measurements: (&worker.measurements).into(),
        }
    }
}

impl<S: Storage> Serialize for Snapshot<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut workers = S::Rows::default();
        for worker in self.workers() {
            if workers.try_push(WorkerWire::from(&worker)).is_err() {
                break;
            }
        }
        SnapshotWire::<S> {
            schema: SNAPSHOT_SCHEMA,
            name: self.name.clone(),
            epoch: self.epoch,
            started_at: self.started_at,
            uptime: self.uptime,
            num_workers: u32::try_from(self.num_workers).unwrap_or(u32::MAX),
            spawned_tasks_count: self.spawned_tasks_count(),
            covered_tasks: self.covered_tasks(),
            num_alive_tasks: self.num_alive_tasks(),
            completed_tasks_count: self.completed_tasks_count(),
            cancelled_tasks_count: self.cancelled_tasks_count(),
            panicked_tasks_count: self.panicked_tasks_count(),
            global_queue_depth: self.global_queue_depth(),
            remote_schedule_count: self.remote_schedule_count(),
            num_blocking_threads: self.num_blocking_threads(),
            num_idle_blocking_threads: self.num_idle_blocking_threads(),
            blocking_queue_depth: self.blocking_queue_depth(),
            blocking_queue_wait: self.blocking_queue_wait.clone(),
            io_driver_fd_registered_count: self.io_driver_fd_registered_count(),
            io_driver_fd_deregistered_count: self.io_driver_fd_deregistered_count(),
            io_driver_ready_count: self.io_driver_ready_count(),
            poll_stall_count: self.poll_stall_count(),
            no_progress_stall_count: self.no_progress_stall_count(),
            budget_forced_yield_count: self.total().budget_forced_yield_count(),
            total: (&self.total()).into(),
            workers,
            foreign: self.foreign().as_ref().map(WorkerWire::from),
        }
        .serialize(serializer)
    }
}

/// One of a worker's histograms.
type Pick<S> = fn(&MeasurementsWire<S>) -> Option<&ReadingWire<S>>;

impl<'de, S: Storage> Deserialize<'de> for Snapshot<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = SnapshotWire::<S>::deserialize(deserializer)?;
        if wire.schema != SNAPSHOT_SCHEMA {
            return Err(D::Error::custom(format_args!(
                "snapshot schema {} is not {SNAPSHOT_SCHEMA}, the one this version reads: use the version that wrote it",
                wire.schema
            )));
        }
        let taken_at = wire.uptime.unwrap_or(0);
        let runtime = wire.runtime_numbers();
        let mut snapshot = Self {
            name: wire.name,
            epoch: wire.epoch,
            started_at: wire.started_at,
            taken_at: Timestamp::from_ticks(taken_at),
            uptime: wire.uptime,
            timed: wire.uptime.is_some(),
            // Its stamps are nanoseconds since the start.
            scale: TimeScale::new(1_000_000_000),
            num_workers: wire.num_workers as usize,
            runtime,
            blocking_queue_wait: wire.blocking_queue_wait,
            sums: Sums::new(wire.total.into(), Measurements::new(MetricSet::NONE)),
            ..Self::default()
        };
        if let (Some(covered), Some(completed), Some(cancelled), Some(panicked)) = (
            wire.covered_tasks,
            wire.completed_tasks_count,
            wire.cancelled_tasks_count,
            wire.panicked_tasks_count,
        ) {
            // By the count that was written: a host may cover tasks whose ends nobody counts.
            let known = || {
                [covered, completed, cancelled, panicked]
                    .into_iter()
                    .fold(0, u64::saturating_add)
            };
            let spawned = wire.spawned_tasks_count.unwrap_or_else(known);
            snapshot.tasks = Some(TaskCounts {
                spawned,
                completed,
                cancelled,
                panicked,
            });
        }
        let workers = wire.workers.as_slice();
        let depth: Option<u64> = workers.iter().map(|worker| worker.local_queue_depth).sum();
        let total = &mut snapshot.sums.total;
        total.set(
            WorkerNumber::LocalQueueDepth,
            depth.filter(|_| !workers.is_empty()),
        );
        snapshot.supplied = snapshot.sums.total.supplied;
        // A total of which a part was not to be read has no histogram; then its workers' tell how they are sampled.
        let sampling = |total: Option<&HistogramReading<S>>, of: Pick<S>| {
            let workers = || {
                let mut workers = wire.workers.as_slice().iter().chain(&wire.foreign);
                let reading = workers.find_map(|worker| of(&worker.measurements))?;
                Some(reading.sampling)
            };
            total
                .map(|reading| reading.sampling)
                .or_else(workers)
                .unwrap_or(Sampling::Off)
        };
        snapshot.poll_time_sampling =
            sampling(snapshot.sums.total.poll_time.as_ref(), |m| m.poll_time.as_ref());
        snapshot.schedule_latency_sampling = sampling(snapshot.sums.total.schedule_latency.as_ref(), |m| {
            m.schedule_latency.as_ref()
        });
        // Every index is a place in the list: none can make a reader walk, or keep, more than was written.
        if snapshot.num_workers > wire.workers.as_slice().len() {
            return Err(D::Error::custom(
                "a snapshot lists each of its workers: this one says it has more",
            ));
        }
        for (index, worker) in wire.workers.as_slice().iter().enumerate() {
            if worker.worker as usize != index {
                return Err(D::Error::custom(
                    "a snapshot lists its workers in order, each once: these are not",
                ));
            }
            snapshot
                .restore(worker.clone(), index)
                .map_err(D::Error::custom)?;
        }
        if let Some(foreign) = wire.foreign {
            snapshot.restore(foreign, FOREIGN).map_err(D::Error::custom)?;
        }
        Ok(snapshot)
    }
}

impl<S: Storage> Snapshot<S> {
    fn restore(&mut self, wire: WorkerWire<S>, worker: usize) -> Result<(), &'static str> {
        const FULL: &str = "more workers than this storage holds: read it with heap storage";
        let ago = |nanos: Option<u64>| nanos.map(|nanos| self.taken_at.ticks().saturating_sub(nanos));
        let live = LiveRecord {
            state: wire.state,
            site: Site::from_u32(wire.site),
            since: ago(wire.since).map(Timestamp::from_ticks),
            transition: Transition::default(),
            busy_since: ago(wire.busy_in_progress).unwrap_or(0),
        };
        // Without a clock no age can be told, whatever the bytes say.
        let stale = wire.stale.map(|stale| Staleness {
            age: stale.age.filter(|_| self.timed).map(Duration::from_nanos),
        });
        let age = stale.and_then(|stale| nanos(stale.age));
        let mut data = Measurements::from(wire.measurements);
        data.values.thread = wire.thread.unwrap_or(0);
        let has_no_counter = data.supplied.has_no_worker();
        data.set(WorkerNumber::LocalQueueDepth, wire.local_queue_depth);
        let row = Row {
            holder: Holder::of(worker, wire.state != WorkerState::Idle),
            // Without a clock only its numbers tell whether it was ever read.
            seq: match stale {
                Some(Staleness { age: None }) if self.timed || has_no_counter => None,
                _ => Some(0),
            },
            read_at: Timestamp::from_ticks(ago(age).unwrap_or(self.taken_at.ticks())),
            stale: stale.is_some(),
            data,
            live: Some(live),
        };
        let names = Names {
            thread: wire.thread_name,
            site: wire.site_name,
            ..Names::default()
        };
        self.unread |= row.is_unread();
        self.rows.try_push(row).map_err(|_| FULL)?;
        self.names.try_push(names).map_err(|_| FULL)?;
        Ok(())
    }
}

#[derive(serde::Serialize)]
#[serde(bound = "")]
struct IntervalWire<'a, S: Storage> {
    schema: u32,
    #[serde(with = "serde_u64::option")]
    wall: Option<u64>,
    #[serde(with = "serde_u64::option")]
    spawned_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    completed_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    cancelled_tasks_count: Option<u64>,
    #[serde(with = "serde_u64::option")]
    panicked_tasks_count: Option<u64>,
    blocking_queue_wait: Option<&'a HistogramInterval<S::Counts>>,
    total: &'a WorkerInterval<S>,
    workers: &'a [WorkerInterval<S>],
}

#[derive(serde::Serialize)]
#[serde(bound = "")]
struct WorkerIntervalWire<'a, S: Storage> {
    busy_ratio: Option<f64>,
    counters: CountersWire,
    poll_time: Option<&'a HistogramInterval<S::Counts>>,
    schedule_latency: Option<&'a HistogramInterval<S::Counts>>,
}

impl<S: Storage> Serialize for WorkerInterval<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        WorkerIntervalWire::<S> {
            busy_ratio: self.busy_ratio(),
            counters: CountersWire::new(|counter| self.counter(counter)),
            poll_time: self.poll_time(),
            schedule_latency: self.schedule_latency(),
        }
        .serialize(serializer)
    }
}

impl<S: Storage> Serialize for Interval<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let tasks = |pick: fn(&TaskCounts) -> u64| self.tasks().as_ref().map(pick);
        IntervalWire::<S> {
            schema: SNAPSHOT_SCHEMA,
            wall: nanos(self.wall()),
            spawned_tasks_count: tasks(|tasks| tasks.spawned),
            completed_tasks_count: tasks(|tasks| tasks.completed),
            cancelled_tasks_count: tasks(|tasks| tasks.cancelled),
            panicked_tasks_count: tasks(|tasks| tasks.panicked),
            blocking_queue_wait: self.blocking_queue_wait(),
            total: self.total(),
            workers: self.workers(),
        }
        .serialize(serializer)
    }
}
