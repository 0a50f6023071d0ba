//! A runtime's metrics at one moment, as plain values.

mod debug;
#[cfg(feature = "serde")]
mod decode;
mod interval;
mod measurements;
mod visit;
#[cfg(feature = "serde")]
mod wire;
mod worker_snapshot;

#[cfg(feature = "serde")]
pub use decode::SnapshotSeed;
pub use interval::{Interval, SinceError, WorkerInterval, WorkerSinceError};
pub use measurements::{HistogramReading, Measurements};
pub use visit::{Sample, SampleValue, WorkerLabel};
#[cfg(feature = "serde")]
pub use wire::SNAPSHOT_SCHEMA;
pub use worker_snapshot::{Staleness, WorkerSnapshot};

use crate::catalog::{RuntimeNumber, RuntimeNumbers, with_runtime_numbers};
use crate::histogram::HistogramSnapshot;
use crate::storage::{Rows, Storage, Text};
use crate::tasks::TaskCounts;
use core::time::Duration;

/// A runtime's metrics at one moment.
///
/// Each worker's counters and histograms are of one submit, whole; those of two workers are not of the same instant. Task counts
/// never give a negative number of alive tasks. Gauges are what the runtime reported when it was read.
///
/// A snapshot is a value: it holds no reference to the runtime or the registry. Take one with
/// [`RuntimeMetrics::snapshot`](crate::RuntimeMetrics::snapshot). A `SnapshotReader` takes many cheaply.
pub struct Snapshot<S: Storage> {
    pub(crate) name: S::Text,
    pub(crate) epoch: u64,
    pub(crate) started_at: Option<u64>,
    pub(crate) uptime: Option<u64>,
    pub(crate) num_workers: usize,
    pub(crate) tasks: Option<TaskCounts>,
    pub(crate) runtime: RuntimeNumbers,
    pub(crate) blocking_queue_wait: Option<HistogramSnapshot<S::Counts>>,
    pub(crate) total: Measurements<S>,
    /// Sorted by index.
    pub(crate) workers: S::Rows<WorkerSnapshot<S>>,
    /// At most one.
    pub(crate) external: S::External<WorkerSnapshot<S>>,
}

impl<S: Storage> Snapshot<S> {
    /// A snapshot of nothing, for a `static` that a reading is written to.
    pub const EMPTY: Self = Self {
        name: S::Text::EMPTY,
        epoch: 0,
        started_at: None,
        uptime: None,
        num_workers: 0,
        tasks: None,
        runtime: RuntimeNumbers::NONE,
        blocking_queue_wait: None,
        total: Measurements::NONE,
        workers: S::Rows::EMPTY,
        external: S::External::EMPTY,
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
            total: self.total.clone(),
            workers: self.workers.clone(),
            external: self.external.clone(),
            ..*self
        }
    }
}

impl<S: Storage> Snapshot<S> {
    /// The runtime's name.
    pub fn name(&self) -> &str {
        self.name.as_ref()
    }

    /// Identifies the producer: another registry, the same program after a restart, and a process forked from this one each have
    /// another epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the runtime started, in nanoseconds since the Unix epoch, where it is known.
    pub fn started_at(&self) -> Option<u64> {
        self.started_at
    }

    /// How long after the registry was made the snapshot was taken. `None` without a clock.
    pub fn uptime(&self) -> Option<Duration> {
        self.uptime.map(Duration::from_nanos)
    }

    /// Workers of the runtime: as its probe reports, else as it was configured. A worker that no thread has run yet is counted here
    /// and has no entry in [`workers`](Self::workers).
    pub fn num_workers(&self) -> usize {
        self.num_workers
    }

    /// The sum over all workers, external threads included. A number that is not known of every one of them is `None`.
    pub fn total(&self) -> &Measurements<S> {
        &self.total
    }

    /// The workers that a thread has run or that the runtime reports numbers of, sorted by index.
    pub fn workers(&self) -> &[WorkerSnapshot<S>] {
        self.workers.as_slice()
    }

    /// The worker with this index; `None` if it has no entry in [`workers`](Self::workers).
    pub fn worker(&self, index: usize) -> Option<&WorkerSnapshot<S>> {
        let workers = self.workers.as_slice();
        let place = workers.binary_search_by_key(&index, WorkerSnapshot::index);
        workers.get(place.ok()?)
    }

    /// Polls of this runtime's tasks by threads that are not its workers, together; `None` if there were none.
    pub fn external(&self) -> Option<&WorkerSnapshot<S>> {
        self.external.as_slice().first()
    }

    /// The workers, then the external threads.
    pub(crate) fn all(&self) -> impl Iterator<Item = &WorkerSnapshot<S>> {
        self.workers.as_slice().iter().chain(self.external.as_slice())
    }

    /// Whether the numbers of some worker are missing.
    fn is_missing(&self) -> bool {
        self.all().any(WorkerSnapshot::is_missing)
    }
}

/// The runtime as a whole. `None` where the runtime does not measure the number.
impl<S: Storage> Snapshot<S> {
    /// A number of the runtime as a whole.
    pub fn runtime_number(&self, number: RuntimeNumber) -> Option<u64> {
        self.runtime.get(number)
    }

    /// Spawns and ends of the tasks whose polls are measured.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.tasks
    }

    /// How long blocking closures waited to be started, in nanoseconds. `None` also if no reading of it has succeeded.
    pub fn blocking_queue_wait(&self) -> Option<&HistogramSnapshot<S::Counts>> {
        self.blocking_queue_wait.as_ref()
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $kind:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        /// The numbers of the runtime as a whole, one by one.
        impl<S: Storage> Snapshot<S> {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Option<u64> {
                    self.runtime.get(RuntimeNumber::$variant)
                }
            )*
        }
    };
}
with_runtime_numbers!(getters);
