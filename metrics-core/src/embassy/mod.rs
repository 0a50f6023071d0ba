//! Metrics of embassy executors, from embassy's seven trace hooks.
//!
//! embassy-executor's feature `trace` calls seven functions that the final binary must define.
//! [`embassy_trace!`](crate::embassy_trace) defines them for an [`EmbassyMetrics`] in a `static`, which contains a
//! [`Registry`] with one worker per executor, the times of each executor, and a table of tasks.
//!
//! ```text
//!  waker, any context, any core            executor's own context                     reader
//!  task_new         ──► shared counters    poll_start      ──► scheduling ┐           snapshot()
//!                   ──► row: spawned       task_exec_begin ──► polling    ├─► slot ──► polls, poll time, busy time
//!  task_ready_begin ──► row: wakes, stamp  task_exec_end   ──► scheduling │   row  ──► active, waiting, longest
//!                                          task_end        ──► ended      │   executor ──► idle, polling, scheduling
//!                                          executor_idle   ──► idle       ┘
//! ```
//!
//! # How embassy's hooks are interpreted
//!
//! - **Ids are truncated addresses and are reused.** A task's storage is a `static`, so the same id is the same task
//!   spawned again. Its row continues to count, and shows how often it was spawned and how often it ended.
//! - **A task's end is reported inside its last poll**, possibly after another context has spawned it again. Spawns
//!   and ends are counted separately, and the poll is recorded when it ends.
//! - **A wake of a queued task is not reported.** Every report is therefore one wait in the queue, and leads to one
//!   poll.
//! - **A task that is woken during its last poll, or after it, is queued once more**, and removed from the queue
//!   without a poll. Its row records that it has ended, so no poll is counted. (For tasks without a row, this is known
//!   only while none of them is alive. Otherwise, it counts as one short poll.)
//! - **An interrupt executor preempts another executor.** The time that it takes is not part of the other's polls or
//!   busy time; it is `preempted`. An executor without work is idle, whatever else runs on its core.
//! - **A wake may come from an interrupt or another core.** It writes only its own cells, and no data that a sequence
//!   count guards. The waker is not wrapped.
//! - **An interrupt handler that runs no executor is visible if it calls [`EmbassyMetrics::with_interrupt`].** Otherwise
//!   its time belongs to the code that it interrupted.
//!
//! # Tasks without a row
//!
//! A task gets a row when it is first spawned and keeps it. Tasks that are spawned after all rows are taken share one
//! row, which sums their polls, active time, longest poll and wakes. Only their distribution over the tasks is lost.

mod config;
mod executor;
mod frame;
mod interrupt;
mod macros;
mod name;
mod task_row;
mod text_table;
mod trace_hooks;
mod trace_reader;
mod trace_snapshot;

pub use config::{Configured, EmbassyConfig};
pub use executor::ExecutorState;
pub use interrupt::InterruptHandler;
pub use name::TaskName;
#[cfg(feature = "embassy-time")]
pub use time_driver::EmbassyClock;
#[cfg(feature = "embassy-time")]
mod time_driver;
pub use text_table::Table;
#[cfg(feature = "alloc")]
pub use trace_snapshot::HeapTrace;
pub use trace_snapshot::{ExecutorRow, FixedTrace, OverflowRow, TaskRow, TraceRows, TraceSnapshot};

use crate::catalog::{MetricSet, WorkerNumber};
use crate::cell::SharedCounter;
use crate::reader::RuntimeMetrics;
use crate::registry::Registry;
use crate::storage::{BucketWidth, Buckets64, StaticStorage};
use crate::sync::AtomicU32;
use crate::time::TimeSource;
use executor::{Executor, NONE};
use task_row::Row;

/// The metrics that embassy's trace hooks measure, for [`Builder::measures`](crate::Builder::measures).
pub const MEASURED: MetricSet = MetricSet::worker(&[
    WorkerNumber::BusyDurationTotal,
    WorkerNumber::ParkCount,
    WorkerNumber::ParkUnparkCount,
    WorkerNumber::NoopCount,
    WorkerNumber::PollCount,
])
.union(MetricSet::TASKS);

/// The number of attempts to read a pair of values. An interrupt executor may change them between the two loads.
const READS: u32 = 4;

/// The storage of the registry of [`EmbassyMetrics`], and of its snapshots.
pub type EmbassyStorage<K, const EXECUTORS: usize, const BUCKETS: usize, C = Buckets64> =
    StaticStorage<EXECUTORS, BUCKETS, Configured<K, EXECUTORS, BUCKETS, C>>;

/// The target of the hooks that [`embassy_trace!`](crate::embassy_trace) defines, for a `static`.
///
/// - `K`: the configuration.
/// - `EXECUTORS`: the number of executors that are measured separately. Each is a worker of the registry, in the order
///   in which they first spawn or are polled. Hooks of further executors count only the spawns, ends and wakes of
///   their tasks ([`OverflowRow::unmeasured_wakes`]).
/// - `TASKS`: the number of rows in the table. embassy's tasks are statics, so their number is known: a `#[task]`
///   counts with its `pool_size`.
/// - `BUCKETS`: the capacity of the histograms. `C`: the width of their bucket counts.
///
/// The hooks are public, for executors other than embassy's and for tests that replay a recorded sequence. Their
/// contract is embassy's: one context at a time calls `poll_start`, `task_exec_begin`, `task_exec_end`, `task_end` and
/// `executor_idle` of one executor.
#[derive(Debug)]
pub struct EmbassyMetrics<
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
    T,
    const EXECUTORS: usize,
    const TASKS: usize,
    const BUCKETS: usize,
    C: BucketWidth = Buckets64,
> {
    registry: Registry<EmbassyStorage<K, EXECUTORS, BUCKETS, C>, T>,
    executors: [Executor; EXECUTORS],
    rows: [Row; TASKS],
    /// The executor or interrupt that runs on each core, counted from 1.
    tops: [AtomicU32; EXECUTORS],
    /// The executor that a hook named last.
    recent: AtomicU32,
    /// Spawns and wakes of the tasks without a row.
    overflow_spawned: SharedCounter,
    overflow_wakes: SharedCounter,
    /// Wakes of tasks on executors past the last slot.
    unmeasured_wakes: SharedCounter,
}

impl<K, T, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C>
    EmbassyMetrics<K, T, EXECUTORS, TASKS, BUCKETS, C>
where
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
    T: TimeSource,
    C: BucketWidth,
{
    /// Creates the metrics, for a `static`.
    ///
    /// They are all zeros, so they take no flash, if the clock has no data and both histograms measure every poll at
    /// first, which is the default. Otherwise, they take as much flash as RAM.
    pub const fn new(clock: T) -> Self {
        Self {
            registry: K::REGISTRY.registry(StaticStorage::zeros(), Configured::INFO, clock),
            executors: [const { Executor::new() }; EXECUTORS],
            rows: [const { Row::new() }; TASKS],
            tops: [const { AtomicU32::new(NONE) }; EXECUTORS],
            recent: AtomicU32::new(0),
            overflow_spawned: SharedCounter::new(),
            overflow_wakes: SharedCounter::new(),
            unmeasured_wakes: SharedCounter::new(),
        }
    }

    /// Returns the registry, which has one worker per executor.
    pub fn registry(&self) -> &Registry<EmbassyStorage<K, EXECUTORS, BUCKETS, C>, T> {
        &self.registry
    }

    /// Returns a reading handle on the registry, with the same metrics as for every other runtime.
    pub fn metrics(
        &'static self,
    ) -> RuntimeMetrics<&'static Registry<EmbassyStorage<K, EXECUTORS, BUCKETS, C>, T>> {
        RuntimeMetrics::new(&self.registry)
    }
}
