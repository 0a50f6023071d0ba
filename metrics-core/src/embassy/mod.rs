//! embassy: the whole vocabulary from its seven trace hooks.
//!
//! embassy-executor's `trace` feature calls seven functions that the final binary must define.
//! [`embassy_trace!`](crate::embassy_trace) defines them for an [`EmbassyMetrics`] in a `static`, which keeps one worker of a
//! [`Registry`] for each executor, where each executor's time went, and a table of tasks.
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
//! # What embassy really does, and what becomes of it
//!
//! - **Ids are truncated addresses and come back.** A task's storage is a `static`, so the same id is the same task spawned again:
//!   its row goes on counting, and says how often it was spawned and how often it ended.
//! - **A task's end is reported inside its last poll**, after others may already have spawned it again. Spawns and ends are counted apart, and
//!   the poll is charged when it ends.
//! - **A wake of a queued task is not reported.** So every report is one stay in the queue, and leads to one poll.
//! - **A task that is woken during its last poll, or after it, is queued once more**, and taken off without anything
//!   being polled. Its row knows that it has ended: no poll is counted. (Of tasks without a row that is known only while none of
//!   them is alive; else such a visit counts as one short poll.)
//! - **An interrupt executor preempts another.** What it took is no part of the other's polls, nor of its busy time; it is
//!   `preempted`. While an executor has nothing to do it is idle, whoever else runs on its core.
//! - **A wake may come from an interrupt or another core.** It writes cells of its own and touches nothing that a sequence count
//!   guards. The waker is not wrapped.
//! - **Interrupt handlers that run no executor can't be seen.** Their time belongs to whatever they interrupted.
//!
//! # Tasks that don't fit
//!
//! A task gets a row when it is first spawned and keeps it. The tasks that come when all rows are taken share one:
//! their polls, active time, longest poll and wakes are summed there, and nothing is lost but who had which.

mod executor;
mod macros;
mod task_row;
mod text_table;
mod trace_hooks;
mod trace_snapshot;

pub use executor::ExecutorState;
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

/// The numbers that embassy's trace hooks measure, for [`Builder::measures`](crate::Builder::measures).
pub const MEASURED: MetricSet = MetricSet::worker(&[
    WorkerNumber::BusyDurationTotal,
    WorkerNumber::ParkCount,
    WorkerNumber::ParkUnparkCount,
    WorkerNumber::NoopCount,
    WorkerNumber::PollCount,
])
.union(MetricSet::TASKS);

/// How often a pair of readings is tried that an interrupt executor may come between.
const READS: u32 = 4;

/// Everything that [`embassy_trace!`](crate::embassy_trace) feeds, for a `static`.
///
/// - `EXECUTORS`: executors that are told apart, each a worker of the registry in the order in which they first spawn
///   or are polled. Hooks of further ones are not counted, but for spawns and ends of their tasks.
/// - `TASKS`: rows of the table. embassy's tasks are statics, so a program knows how many it has: a `#[task]` counts its
///   `pool_size`.
/// - `BUCKETS`: capacity of the histograms, and `C`: how wide their buckets count.
///
/// The hooks are public, for hosts that are no embassy and for tests that replay a recorded sequence. Their contract is
/// embassy's: `poll_start`, `task_exec_begin`, `task_exec_end`, `task_end` and `executor_idle` of one executor come
/// from one context at a time.
#[derive(Debug)]
pub struct EmbassyMetrics<
    T,
    const EXECUTORS: usize,
    const TASKS: usize,
    const BUCKETS: usize,
    C: BucketWidth = Buckets64,
> {
    registry: Registry<StaticStorage<EXECUTORS, BUCKETS, C>, T>,
    executors: [Executor<EXECUTORS>; EXECUTORS],
    rows: [Row; TASKS],
    /// The executor that runs on each core.
    tops: [AtomicU32; EXECUTORS],
    /// Spawns and wakes of the tasks that found no row.
    overflow_spawned: SharedCounter,
    overflow_wakes: SharedCounter,
}

impl<T: TimeSource, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C: BucketWidth>
    EmbassyMetrics<T, EXECUTORS, TASKS, BUCKETS, C>
{
    /// Around a registry with a worker for each executor.
    pub const fn new(registry: Registry<StaticStorage<EXECUTORS, BUCKETS, C>, T>) -> Self {
        Self {
            registry,
            executors: [const { Executor::new() }; EXECUTORS],
            rows: [const { Row::new() }; TASKS],
            tops: [const { AtomicU32::new(NONE) }; EXECUTORS],
            overflow_spawned: SharedCounter::new(),
            overflow_wakes: SharedCounter::new(),
        }
    }

    /// The registry, with a worker for each executor.
    pub fn registry(&self) -> &Registry<StaticStorage<EXECUTORS, BUCKETS, C>, T> {
        &self.registry
    }

    /// A reader of the registry: the same vocabulary as on every other runtime.
    pub fn metrics(
        &'static self,
    ) -> RuntimeMetrics<&'static Registry<StaticStorage<EXECUTORS, BUCKETS, C>, T>> {
        RuntimeMetrics::new(&self.registry)
    }
}
