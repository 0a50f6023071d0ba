//! What happened between two snapshots: nothing that anybody knows of.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use metrics_core::{Counter, HistogramInterval, Storage, TaskCounts};

use crate::base::getters::{unmeasured, unmeasured_counters};

/// The difference of two snapshots, every number `None`.
#[derive(Debug)]
pub struct Interval<S: Storage> {
    total: WorkerInterval<S>,
}

/// The difference of one worker's numbers, or of all together, every one `None`.
pub struct WorkerInterval<S: Storage>(PhantomData<S>);

impl<S: Storage> fmt::Debug for WorkerInterval<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerInterval").finish_non_exhaustive()
    }
}

impl<S: Storage> Clone for WorkerInterval<S> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<S: Storage> Interval<S> {
    pub(super) const fn new() -> Self {
        Self {
            total: WorkerInterval(PhantomData),
        }
    }

    /// All workers together.
    pub fn total(&self) -> &WorkerInterval<S> {
        &self.total
    }

    /// No worker.
    pub fn workers(&self) -> &[WorkerInterval<S>] {
        &[]
    }

    unmeasured! {
        wall() -> Duration;
        worker(index: usize) -> &WorkerInterval<S>;
        tasks() -> TaskCounts;
        blocking_queue_wait() -> &HistogramInterval<S::Counts>;
    }
}

impl<S: Storage> WorkerInterval<S> {
    unmeasured! {
        per_second(counter: Counter) -> f64;
        busy_ratio() -> f64;
        poll_time() -> &HistogramInterval<S::Counts>;
        schedule_latency() -> &HistogramInterval<S::Counts>;
    }
    unmeasured_counters!();
}
