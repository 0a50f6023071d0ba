//! Snapshots of nothing.

mod interval;
mod measurements;
mod table;
#[cfg(feature = "serde")]
mod wire;
mod worker;

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use metrics_core::{HistogramSnapshot, SinceError, Storage, TaskCounts};

use super::getters::unmeasured;

pub use interval::{Interval, WorkerInterval};
pub use measurements::Measurements;
pub use table::Table;
pub use worker::WorkerSnapshot;

/// A runtime's metrics at one moment: no worker, and every number `None`.
pub struct Snapshot<S: Storage>(PhantomData<S>);

impl<S: Storage> fmt::Debug for Snapshot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl<S: Storage> Default for Snapshot<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Storage> Clone for Snapshot<S> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<S: Storage> Snapshot<S> {
    /// Empty: the name is not kept.
    pub fn name(&self) -> &str {
        ""
    }

    /// Zero: nothing is produced.
    pub fn epoch(&self) -> u64 {
        0
    }

    /// Zero: the snapshot has no worker.
    pub fn num_workers(&self) -> usize {
        0
    }

    /// The sum over no worker.
    pub fn total(&self) -> Measurements<S> {
        Measurements::new()
    }

    /// An empty table.
    pub fn table(&self) -> Table<'_, S> {
        Table::new()
    }

    /// No worker.
    pub fn workers(&self) -> impl Iterator<Item = WorkerSnapshot<S>> + '_ {
        core::iter::empty()
    }

    /// What happened since an earlier snapshot: nothing.
    ///
    /// # Errors
    /// Never.
    pub fn since(&self, _earlier: &Self) -> Result<Interval<S>, SinceError> {
        Ok(Interval::new())
    }
}

/// The runtime as a whole.
impl<S: Storage> Snapshot<S> {
    unmeasured! {
        started_at() -> u64;
        uptime() -> Duration;
        worker(index: usize) -> WorkerSnapshot<S>;
        foreign() -> WorkerSnapshot<S>;
        tasks() -> TaskCounts;
        spawned_tasks_count() -> u64;
        covered_tasks() -> u64;
        num_alive_tasks() -> u64;
        completed_tasks_count() -> u64;
        cancelled_tasks_count() -> u64;
        panicked_tasks_count() -> u64;
        budget_forced_yield_count() -> u64;
        global_queue_depth() -> u64;
        remote_schedule_count() -> u64;
        num_blocking_threads() -> u64;
        num_idle_blocking_threads() -> u64;
        blocking_queue_depth() -> u64;
        blocking_queue_wait() -> &HistogramSnapshot<S::Counts>;
        io_driver_fd_registered_count() -> u64;
        io_driver_fd_deregistered_count() -> u64;
        io_driver_ready_count() -> u64;
    }
}
