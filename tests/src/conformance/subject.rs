//! What a runtime under test has to be able to do, so that one scenario runs on all of them.

use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::sync::Arc;

use super::clock::ManualClock;
use metrics_std::{HistogramConfig, RuntimeMetrics};

/// A task's future.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a scenario asks of the runtime that it starts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Worker threads.
    pub workers: usize,
    /// The most threads of the blocking pool.
    pub blocking_threads: usize,
    /// The layout of every histogram; `None` for none.
    pub histograms: Option<HistogramConfig>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            workers: 1,
            blocking_threads: 4,
            histograms: Some(HistogramConfig::DEFAULT),
        }
    }
}

/// Where a runtime's own number, taken over as it is, means something else than ours.
pub struct Deviation {
    /// The runtimes, by name.
    pub runtimes: &'static [&'static str],
    /// The scenario that shows it.
    pub scenario: &'static str,
    /// What is not judged there.
    pub metrics: &'static [&'static str],
    /// Why it can't be as it should.
    pub why: &'static str,
}

/// Every difference that is known. It stands below the table.
pub static DEVIATIONS: &[Deviation] = &[
    Deviation {
        runtimes: &[
            "Tokio (unstable), multi-thread",
            "Tokio (unstable), current-thread",
        ],
        scenario: "a cancelled task is dropped without a poll",
        metrics: &["poll_count", "poll_time", "schedule_latency", "mean_poll_time"],
        why: "Tokio calls its poll hooks for the run that drops a cancelled task, and does not say that it polled nothing",
    },
    Deviation {
        runtimes: &[
            "Tokio (unstable), multi-thread",
            "Tokio (unstable), current-thread",
        ],
        scenario: "a task waits from its first wake to its poll",
        metrics: &["schedule_latency"],
        why: "Tokio measures it on its own clock, which a scenario can't drive",
    },
    Deviation {
        runtimes: &["Tokio (unstable), multi-thread"],
        scenario: "the LIFO slot is part of a queue's depth",
        metrics: &["local_queue_depth"],
        why: "Tokio's depth leaves out the LIFO slot",
    },
];

/// This runtime can't do what the scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported;

/// A kind of runtime: a column of the table.
pub trait Subject {
    /// The column's title.
    fn name(&self) -> &'static str;

    /// Starts one.
    ///
    /// # Errors
    /// If it can't have that many workers.
    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported>;
}

/// A started runtime.
///
/// What it can't do, it says: then the scenario does not run on it.
pub trait Runtime: Send + Sync {
    /// Its reader; `None` of a runtime whose reader has nothing to say at all.
    fn metrics(&self) -> Option<&RuntimeMetrics>;

    /// Spawns a task as its users would. The handle cancels it, if it can be cancelled.
    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send>;

    /// Runs a future to its end on this thread, as a root.
    ///
    /// # Errors
    /// If this runtime has no such way.
    fn block_on(&self, root: Task) -> Result<(), Unsupported>;

    /// Returns when nothing is left to run and everything was submitted.
    fn settle(&self);

    /// Makes worker 0 wake and park again so many times, with nothing to do. Returns how many of these parks are in
    /// vain by the metric's definition: all, but for the first of a fresh worker.
    ///
    /// # Errors
    /// If this runtime's workers don't park.
    fn park(&self, times: u64) -> Result<u64, Unsupported> {
        let _ = times;
        Err(Unsupported)
    }

    /// Spawns a task whose polls are not measured, on a runtime that reports by its own signs whether its workers make progress.
    ///
    /// # Errors
    /// If every task is measured, or if there are no such signs.
    fn spawn_unmeasured(&self, task: Task) -> Result<(), Unsupported> {
        drop(task);
        Err(Unsupported)
    }

    /// Runs a closure on the blocking pool.
    ///
    /// # Errors
    /// If there is none.
    fn spawn_blocking(&self, f: Box<dyn FnOnce() + Send>) -> Result<(), Unsupported> {
        drop(f);
        Err(Unsupported)
    }

    /// Runs code that blocks in the middle of a poll, handing the worker over.
    ///
    /// # Errors
    /// If its workers can't be handed over.
    fn block_in_place(&self, f: &mut dyn FnMut()) -> Result<(), Unsupported> {
        let _ = f;
        Err(Unsupported)
    }

    /// Spends one unit of the cooperative budget.
    ///
    /// # Errors
    /// If there is no such budget.
    fn consume_budget(&self) -> Result<Task, Unsupported> {
        Err(Unsupported)
    }

    /// Operations in a budget.
    fn budget(&self) -> usize {
        128
    }

    /// Tasks that a local queue holds beside the LIFO slot, where it is bounded.
    fn local_queue_capacity(&self) -> Option<usize> {
        None
    }

    /// A future that is measured by itself and awaited inside a task.
    ///
    /// # Errors
    /// If only whole tasks are measured.
    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        drop(inner);
        Err(Unsupported)
    }

    /// Registers an UDP socket with the I/O driver, until what is returned is dropped.
    ///
    /// # Errors
    /// If there is no I/O driver.
    fn register_socket(&self) -> Result<Box<dyn Any + Send>, Unsupported> {
        Err(Unsupported)
    }

    /// Is busy time measured by the runtime itself, on a clock that can't be driven by hand?
    fn has_own_clock(&self) -> bool {
        false
    }

    /// Does work that takes so long, in the time that the busy duration is measured in.
    fn work(&self, clock: &ManualClock, duration: Duration) {
        clock.advance(duration);
    }
}
