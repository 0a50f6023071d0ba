//! A runtime's metrics at one moment, as plain values.

#[cfg(feature = "serde")]
mod budget;
mod debug;
#[cfg(feature = "serde")]
mod decode;
mod interval;
mod locations;
#[cfg(feature = "serde")]
mod locations_wire;
mod measurements;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod merge;
mod visit;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod window;
#[cfg(feature = "serde")]
mod wire;
mod worker_snapshot;

#[cfg(feature = "serde")]
pub use decode::SnapshotSeed;
pub use interval::{Interval, SinceError, WorkerInterval, WorkerSinceError};
pub use locations::{LocationKind, LocationSnapshot};
pub use measurements::{HistogramReading, Measurements};
pub use visit::{Sample, SampleValue, WorkerLabel};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use window::{Window, WindowError};
#[cfg(feature = "serde")]
pub use wire::SNAPSHOT_SCHEMA;
pub use worker_snapshot::{Staleness, WorkerSnapshot};

use crate::catalog::{
    HistogramName, ON_DEMAND, RuntimeNumber, RuntimeNumbers, in_unit, with_histograms, with_runtime_numbers,
};
use crate::histogram::HistogramSnapshot;
use crate::record::position;
use crate::storage::{Rows, Storage, Text};
use crate::tasks::TaskCounts;
use core::time::Duration;

/// A runtime's metrics at one moment, as a value that holds no reference to the runtime or the registry.
///
/// Take one with [`RuntimeMetrics::snapshot`](crate::RuntimeMetrics::snapshot), or many cheaply with a
/// `SnapshotReader`. Compare two with [`since`](Self::since).
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use metrics_core::{Builder, MetricSet, NoClock, RuntimeMetrics, TaskEnd, Worker};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).expect("the configuration is valid");
/// let worker = Worker::lease(registry.clone(), 0).expect("a slot is free");
/// worker.task_spawned();
/// worker.task_spawned();
/// worker.task_ended(TaskEnd::Completed);
///
/// let snapshot = RuntimeMetrics::new(registry).snapshot();
/// # #[cfg(feature = "record")] {
/// assert_eq!(snapshot.name(), "main");
/// assert_eq!(snapshot.tasks().map(|tasks| tasks.alive()), Some(1));
/// # }
/// # }
/// ```
///
/// # Consistency
/// The counters and histograms of one worker come from one submit. Those of two workers are not from the same instant.
/// The number of alive tasks is never negative. Gauges are what the runtime reported at the time of the snapshot.
pub struct Snapshot<S: Storage> {
    pub(crate) name: S::Text,
    pub(crate) epoch: u64,
    pub(crate) started_at: Option<u64>,
    pub(crate) uptime: Option<u64>,
    /// Zero if it is not known.
    pub(crate) num_workers: usize,
    pub(crate) tasks: Option<TaskCounts>,
    pub(crate) runtime: RuntimeNumbers,
    pub(crate) blocking_queue_wait: Option<HistogramSnapshot<S::Counts>>,
    /// At most one of each name. Only storage on the heap has any.
    pub(crate) on_demand: [S::External<HistogramSnapshot<S::Counts>>; ON_DEMAND.len()],
    pub(crate) total: Measurements<S>,
    /// Sorted by index.
    pub(crate) workers: S::Rows<WorkerSnapshot<S>>,
    /// At most one.
    pub(crate) external: S::External<WorkerSnapshot<S>>,
    /// Sorted by number. `None` if the registry keeps none.
    pub(crate) locations: Option<S::Locations<LocationSnapshot<S>>>,
}

impl<S: Storage> Snapshot<S> {
    /// An empty snapshot, for a `static` into which a snapshot is taken.
    pub const EMPTY: Self = Self {
        name: S::Text::EMPTY,
        epoch: 0,
        started_at: None,
        uptime: None,
        num_workers: 0,
        tasks: None,
        runtime: RuntimeNumbers::NONE,
        blocking_queue_wait: None,
        on_demand: [const { S::External::EMPTY }; ON_DEMAND.len()],
        total: Measurements::NONE,
        workers: S::Rows::EMPTY,
        external: S::External::EMPTY,
        locations: None,
    };
}

impl<S: Storage> Default for Snapshot<S> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<S: Storage> Clone for Snapshot<S> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            blocking_queue_wait: self.blocking_queue_wait.clone(),
            on_demand: self.on_demand.clone(),
            total: self.total.clone(),
            workers: self.workers.clone(),
            external: self.external.clone(),
            locations: self.locations.clone(),
            ..*self
        }
    }
}

impl<S: Storage> Snapshot<S> {
    /// Returns the runtime's name.
    pub fn name(&self) -> &str {
        self.name.as_ref()
    }

    /// Returns the identifier of the producer. Two registries, two runs of a program, and a process and its fork each
    /// have different epochs. The exception is a registry in a `static`: unless [`Builder::epoch`](crate::Builder::epoch)
    /// sets another one for each run, its epoch is the same in all of them.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the time at which the runtime started, in nanoseconds since the Unix epoch. `None` if it is not known.
    pub fn started_at(&self) -> Option<u64> {
        self.started_at
    }

    /// Returns the time from the creation of the registry to the snapshot. `None` without a clock.
    pub fn uptime(&self) -> Option<Duration> {
        self.uptime.map(Duration::from_nanos)
    }

    /// Returns the number of workers that the probe reports, or else the configured number. `None` if neither is known.
    /// This includes workers that no thread has run yet, which have no entry in [`workers`](Self::workers).
    pub fn num_workers(&self) -> Option<usize> {
        (self.num_workers != 0).then_some(self.num_workers)
    }

    /// Returns the sum over all workers and external threads. A metric that is not known for every one of them is
    /// `None`.
    pub fn total(&self) -> &Measurements<S> {
        &self.total
    }

    /// Returns the workers that a thread has run or that the runtime reports metrics for, sorted by index.
    pub fn workers(&self) -> &[WorkerSnapshot<S>] {
        self.workers.as_slice()
    }

    /// Returns the worker with this index; `None` if it has no entry in [`workers`](Self::workers).
    pub fn worker(&self, index: usize) -> Option<&WorkerSnapshot<S>> {
        let workers = self.workers.as_slice();
        let place = workers.binary_search_by_key(&index, WorkerSnapshot::index);
        workers.get(place.ok()?)
    }

    /// Returns the metrics of all external threads together: threads that poll this runtime's tasks but are not its
    /// workers. `None` if there are none.
    pub fn external(&self) -> Option<&WorkerSnapshot<S>> {
        self.external.as_slice().first()
    }

    /// Returns the workers, followed by the external threads.
    pub(crate) fn all(&self) -> impl Iterator<Item = &WorkerSnapshot<S>> {
        self.workers.as_slice().iter().chain(self.external.as_slice())
    }

    /// Returns `true` if the values of some worker are missing.
    fn is_missing(&self) -> bool {
        self.all().any(WorkerSnapshot::is_missing)
    }
}

/// Metrics of the whole runtime. Each is `None` if the runtime does not measure it.
impl<S: Storage> Snapshot<S> {
    /// Returns a metric of the whole runtime.
    pub fn runtime_number(&self, number: RuntimeNumber) -> Option<u64> {
        self.runtime.get(number)
    }

    /// Returns the counts of measured tasks by how they ended.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.tasks
    }

    /// Returns the histogram of the time that blocking closures waited in the queue, in nanoseconds. `None` if the registry
    /// keeps none, or if no attempt to read it has succeeded.
    pub fn blocking_queue_wait(&self) -> Option<&HistogramSnapshot<S::Counts>> {
        self.blocking_queue_wait.as_ref()
    }

    pub(crate) fn on_demand(&self, name: HistogramName) -> Option<&HistogramSnapshot<S::Counts>> {
        self.on_demand.get(position(name)?)?.as_slice().first()
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $kind:ident $unit:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        /// Getters of the metrics of the whole runtime.
        impl<S: Storage> Snapshot<S> {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Option<in_unit!($unit)> {
                    self.runtime.get(RuntimeNumber::$variant).map(in_unit!($unit, from))
                }
            )*
        }
    };
}
with_runtime_numbers!(getters);

/// Defines a getter of each histogram in [`ON_DEMAND`], which returns the type at the front.
macro_rules! histogram_getters {
    ($of:ident $histogram:ident
     Worker { $($of_workers:tt)* } Runtime { $($of_the_runtime:tt)* }
     OnDemand { $($(#[$doc:meta])* $name:ident $variant:ident $exported:literal $unlike:literal,)* }) => {
        /// Getters of the histograms that exist once something measures them. Each is `None` until then.
        impl<S: Storage> $of<S> {
            $(
                $(#[$doc])*
                ///
                /// The values are in nanoseconds.
                pub fn $name(&self) -> Option<&$histogram<S::Counts>> {
                    self.on_demand(HistogramName::$variant)
                }
            )*
        }
    };
}
use histogram_getters;
with_histograms!(histogram_getters Snapshot HistogramSnapshot);
