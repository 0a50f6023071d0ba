//! The interface of a runtime under test, so that one scenario runs on all of them.

use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::sync::Arc;

use super::clock::ManualClock;
use metrics_std::{HistogramConfig, RuntimeMetrics};

/// A task's future.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The configuration with which a scenario starts a runtime.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The number of worker threads.
    pub workers: usize,
    /// The maximum number of threads of the blocking pool.
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

/// A known difference: the runtime's own value has another meaning than the metric.
pub struct Deviation {
    /// The runtimes, by name.
    pub runtimes: &'static [&'static str],
    /// The scenario that shows the difference.
    pub scenario: &'static str,
    /// The metric that the scenario does not check there.
    pub metrics: &'static [&'static str],
    /// The reason for the difference.
    pub why: &'static str,
}

/// All known differences. They are listed below the table.
pub static DEVIATIONS: &[Deviation] = &[
    Deviation {
        runtimes: &[
            "Tokio (unstable), multi-thread",
            "Tokio (unstable), current-thread",
        ],
        scenario: "a cancelled task is dropped without a poll",
        metrics: &["poll_count", "poll_time", "mean_poll_time"],
        why: "Tokio calls its poll hooks for the run that drops a cancelled task, and does not report that it polled nothing",
    },
    Deviation {
        runtimes: &["Tokio (unstable), multi-thread"],
        scenario: "the LIFO slot is part of a queue's depth",
        metrics: &["local_queue_depth"],
        why: "Tokio's depth leaves out the LIFO slot",
    },
];

/// The runtime lacks an operation that the scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported;

/// A kind of runtime: a column of the table.
pub trait Subject {
    /// The column's title.
    fn name(&self) -> &'static str;

    /// Starts one.
    ///
    /// # Errors
    /// Returns an error if it can't have that many workers.
    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported>;
}

/// A started runtime.
///
/// A method returns an error if the runtime lacks the operation. The scenario then does not run on it.
pub trait Runtime: Send + Sync {
    /// Returns its reader, or `None` if recording is off.
    fn metrics(&self) -> Option<&RuntimeMetrics>;

    /// Spawns a task as a user does. The handle cancels it, if it can be cancelled.
    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send>;

    /// Runs a future to its end on this thread, as a root.
    ///
    /// # Errors
    /// Returns an error if this runtime has no `block_on`.
    fn block_on(&self, root: Task) -> Result<(), Unsupported>;

    /// Waits until no task is left to run and everything is submitted.
    fn wait_until_idle(&self);

    /// Makes worker 0 wake and park again this many times without work. Returns how many of these parks count as noops
    /// by the metric's definition: all except the first of a new worker.
    ///
    /// # Errors
    /// Returns an error if this runtime's workers do not park.
    fn park(&self, times: u64) -> Result<u64, Unsupported> {
        let _ = times;
        Err(Unsupported)
    }

    /// Spawns a task whose polls are not measured, on a runtime that itself reports whether its workers make progress.
    ///
    /// # Errors
    /// Returns an error if every task is measured, or if the runtime does not report progress.
    fn spawn_unmeasured(&self, task: Task) -> Result<(), Unsupported> {
        drop(task);
        Err(Unsupported)
    }

    /// Runs a closure on the blocking pool.
    ///
    /// # Errors
    /// Returns an error if there is no blocking pool.
    fn spawn_blocking(&self, f: Box<dyn FnOnce() + Send>) -> Result<(), Unsupported> {
        drop(f);
        Err(Unsupported)
    }

    /// Runs blocking code within a poll and hands the worker over.
    ///
    /// # Errors
    /// Returns an error if its workers can't be handed over.
    fn block_in_place(&self, f: &mut dyn FnMut()) -> Result<(), Unsupported> {
        let _ = f;
        Err(Unsupported)
    }

    /// Spends one unit of the cooperative budget.
    ///
    /// # Errors
    /// Returns an error if there is no budget.
    fn consume_budget(&self) -> Result<Task, Unsupported> {
        Err(Unsupported)
    }

    /// The number of operations in a budget.
    fn budget(&self) -> usize {
        128
    }

    /// The capacity of a local queue without the LIFO slot, if it is bounded.
    fn local_queue_capacity(&self) -> Option<usize> {
        None
    }

    /// Wraps a future that is measured itself and awaited inside a task.
    ///
    /// # Errors
    /// Returns an error if only whole tasks are measured.
    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        drop(inner);
        Err(Unsupported)
    }

    /// Registers a UDP socket with the I/O driver until the returned value is dropped.
    ///
    /// # Errors
    /// Returns an error if there is no I/O driver.
    fn register_socket(&self) -> Result<Box<dyn Any + Send>, Unsupported> {
        Err(Unsupported)
    }

    /// Returns whether the runtime itself measures busy time, with a clock that a test can't advance.
    fn has_own_clock(&self) -> bool {
        false
    }

    /// Works for this duration, as measured by the clock of the busy time.
    fn work(&self, clock: &ManualClock, duration: Duration) {
        clock.advance(duration);
    }
}
