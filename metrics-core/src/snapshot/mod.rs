//! What a reader gets: owned, coherent, comparable with an earlier one.

mod debug;
mod gather;
mod interval;
mod measurements;
mod refresh;
mod row;
mod update;
mod visit;
#[cfg(feature = "serde")]
mod wire;

pub use interval::{Interval, SinceError, WorkerInterval};
pub use measurements::{HistogramReading, Measurements};
pub use row::{Staleness, WorkerSnapshot};
pub use visit::{Sample, SampleValue, WorkerLabel};
#[cfg(feature = "serde")]
pub use wire::SNAPSHOT_SCHEMA;

use crate::catalog::{MetricSet, RuntimeNumber, RuntimeNumbers, WorkerNumber, with_runtime_numbers};
use crate::histogram::HistogramSnapshot;
use crate::options::Sampling;
use crate::slot::FOREIGN;
use crate::storage::{Rows, Storage};
use crate::tasks::TaskCounts;
use crate::time::{TimeScale, Timestamp};
use core::time::Duration;
use refresh::{Hosted, Names};
use row::Row;
use update::Sums;

/// A runtime's metrics at one moment.
///
/// Each worker's counters and histograms are of one submit, whole; two workers' are not of the same instant. Task counts
/// never give a negative number of alive tasks. Gauges are what the runtime said when asked.
///
/// It remembers what it read under which sequence count, so that refreshing it
/// ([`RuntimeMetrics::snapshot_into`](crate::RuntimeMetrics::snapshot_into)) passes over slots that did not move and allocates
/// nothing once it has seen every slot. It holds no reference to the runtime or the registry.
pub struct Snapshot<S: Storage> {
    /// Which registry the rows are of. An address, compared and never followed.
    identity: usize,
    name: S::Text,
    epoch: u64,
    started_at: Option<u64>,
    taken_at: Timestamp,
    uptime: Option<u64>,
    timed: bool,
    scale: TimeScale,
    num_workers: usize,
    supplied: MetricSet,
    tasks: Option<TaskCounts>,
    runtime: RuntimeNumbers,
    /// Which of them the runtime ever reported itself.
    probed: MetricSet,
    poll_time_sampling: Sampling,
    schedule_latency_sampling: Sampling,
    sums: Sums<S>,
    rows: S::Rows<Row<S>>,
    names: S::Rows<Names<S::Text>>,
    /// Whether some slot could never be read.
    unread: bool,
    /// Counters that the runtime counts itself, which take the place of ours.
    hosted: MetricSet,
    host: S::Rows<Hosted>,
    blocking_queue_wait: Option<HistogramSnapshot<S::Counts>>,
    blocking_scratch: Option<HistogramSnapshot<S::Counts>>,
}

impl<S: Storage> Default for Snapshot<S> {
    /// An empty snapshot, to be refreshed.
    fn default() -> Self {
        Self {
            identity: 0,
            name: S::Text::default(),
            epoch: 0,
            started_at: None,
            taken_at: Timestamp::from_ticks(0),
            uptime: None,
            timed: false,
            scale: TimeScale::new(0),
            num_workers: 0,
            supplied: MetricSet::NONE,
            tasks: None,
            runtime: RuntimeNumbers::NONE,
            probed: MetricSet::NONE,
            poll_time_sampling: Sampling::Off,
            schedule_latency_sampling: Sampling::Off,
            sums: Sums::none(),
            rows: S::Rows::default(),
            names: S::Rows::default(),
            unread: false,
            hosted: MetricSet::NONE,
            host: S::Rows::default(),
            blocking_queue_wait: None,
            blocking_scratch: None,
        }
    }
}

impl<S: Storage> Clone for Snapshot<S> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            sums: self.sums.clone(),
            rows: self.rows.clone(),
            names: self.names.clone(),
            host: self.host.clone(),
            blocking_queue_wait: self.blocking_queue_wait.clone(),
            blocking_scratch: self.blocking_scratch.clone(),
            ..*self
        }
    }
}

impl<S: Storage> Snapshot<S> {
    /// The runtime's name.
    pub fn name(&self) -> &str {
        self.name.as_ref()
    }

    /// What tells this producer from the one before a restart.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the runtime started, in nanoseconds since the Unix epoch, where it knows.
    pub fn started_at(&self) -> Option<u64> {
        self.started_at
    }

    /// How long after the registry was made the snapshot was taken. `None` without a clock.
    pub fn uptime(&self) -> Option<Duration> {
        self.uptime.map(Duration::from_nanos)
    }

    /// Workers of the runtime: as the probe says, else as it was described. [`workers`](Self::workers) has a row more for each that was
    /// leased with a higher index.
    pub fn num_workers(&self) -> usize {
        self.num_workers
    }

    /// The sum over all workers, those of foreign threads included. `None` is what is not known of every one of them.
    pub fn total(&self) -> Measurements<S> {
        let mut total = self.sums.total.clone();
        if self.unread {
            total.withhold();
        }
        for &counter in WorkerNumber::ALL {
            if self.hosted.has_worker(counter) {
                total.set(counter, self.hosted_total(counter));
            }
        }
        self.label(&mut total);
        total
    }

    /// The workers, in the order of their indices.
    pub fn workers(&self) -> impl Iterator<Item = WorkerSnapshot<S>> + '_ {
        let highest = self
            .rows
            .as_slice()
            .iter()
            .filter_map(|row| row.worker().filter(|&worker| worker != FOREIGN))
            .max();
        let workers = self.num_workers.max(highest.map_or(0, |worker| worker + 1));
        (0..workers).map(|index| self.gather(index))
    }

    /// One worker, or `None` if the runtime has none of that index.
    pub fn worker(&self, index: usize) -> Option<WorkerSnapshot<S>> {
        let known =
            index < self.num_workers || self.rows.as_slice().iter().any(|row| row.worker() == Some(index));
        (known && index != FOREIGN).then(|| self.gather(index))
    }

    /// Polls of this runtime's tasks by threads that are none of its workers; `None` if there were none.
    pub fn foreign(&self) -> Option<WorkerSnapshot<S>> {
        self.rows
            .as_slice()
            .iter()
            .any(|row| row.worker() == Some(FOREIGN))
            .then(|| self.gather(FOREIGN))
    }
}

/// The runtime as a whole. `None` where the runtime does not measure the thing.
impl<S: Storage> Snapshot<S> {
    /// A number of the runtime as a whole.
    pub fn runtime_number(&self, number: RuntimeNumber) -> Option<u64> {
        self.runtime.get(number)
    }

    /// Spawns and ends of the tasks whose polls are measured.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.tasks
    }

    /// How long blocking closures waited to be started, in nanoseconds.
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
