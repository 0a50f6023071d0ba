//! What Tokio counts itself, asked when somebody reads.

use metrics_core::{Counter, CounterSet, Probe};
use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

/// Tokio's own numbers. Held by readers only: it holds a handle, which keeps the runtime's memory and not the runtime.
pub(crate) struct TokioProbe {
    metrics: RuntimeMetrics,
    counters: CounterSet,
}

impl TokioProbe {
    pub(super) fn new(runtime: &Handle) -> Self {
        Self {
            metrics: runtime.metrics(),
            counters: counters(&runtime.runtime_flavor(), cfg!(target_has_atomic = "64")),
        }
    }

    /// A number that moves with the worker's parks and its settled busy time. `None` while it is parked, and on the
    /// current-thread flavour, which nobody may be driving.
    #[cfg(target_has_atomic = "64")]
    pub(crate) fn progress(&self, worker: usize) -> Option<u64> {
        if !self.has(worker) || self.counters.contains(Counter::BusyDurationTotal) {
            return None;
        }
        let parks = self.metrics.worker_park_unpark_count(worker);
        // Odd means parked. Both only grow, so a sum that stands still says that both do.
        let busy = self.metrics.worker_total_busy_duration(worker).as_nanos() as u64;
        parks.is_multiple_of(2).then(|| busy.wrapping_add(parks))
    }

    #[cfg(not(target_has_atomic = "64"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn progress(&self, _: usize) -> Option<u64> {
        None
    }

    fn has(&self, worker: usize) -> bool {
        worker < self.metrics.num_workers()
    }
}

/// The per-worker counters that Tokio keeps better than hooks could. Without 64-bit atomics (`wide`) it keeps none.
fn counters(flavor: &RuntimeFlavor, wide: bool) -> CounterSet {
    let mut counters = CounterSet::NONE;
    if *flavor == RuntimeFlavor::CurrentThread {
        // No hook tells its busy time. Where Tokio does not either, nobody does, and it is asked in vain.
        counters = counters.union(CounterSet::of(&[Counter::BusyDurationTotal]));
    }
    if wide {
        counters = counters.union(CounterSet::of(&[Counter::ParkCount, Counter::ParkUnparkCount]));
    }
    if wide && cfg!(tokio_unstable) {
        counters = counters.union(CounterSet::of(&[
            Counter::NoopCount,
            Counter::StealCount,
            Counter::StealOperations,
            Counter::LocalScheduleCount,
            Counter::OverflowCount,
        ]));
    }
    counters
}

impl Probe for TokioProbe {
    fn num_workers(&self) -> Option<usize> {
        Some(self.metrics.num_workers())
    }

    fn global_queue_depth(&self) -> Option<u64> {
        Some(self.metrics.global_queue_depth() as u64)
    }

    fn num_alive_tasks(&self) -> Option<u64> {
        Some(self.metrics.num_alive_tasks() as u64)
    }

    fn worker_counters(&self) -> CounterSet {
        self.counters
    }

    fn worker_counter(&self, worker: usize, counter: Counter) -> Option<u64> {
        if !self.has(worker) || !self.counters.contains(counter) {
            return None;
        }
        self.stable(worker, counter)
            .or_else(|| self.unstable(worker, counter))
    }

    #[cfg(tokio_unstable)]
    fn local_queue_depth(&self, worker: usize) -> Option<u64> {
        self.has(worker)
            .then(|| self.metrics.worker_local_queue_depth(worker) as u64)
    }

    #[cfg(tokio_unstable)]
    fn covered_tasks(&self) -> Option<u64> {
        // The task hooks show them all.
        self.num_alive_tasks()
    }

    #[cfg(tokio_unstable)]
    fn num_blocking_threads(&self) -> Option<u64> {
        Some(self.metrics.num_blocking_threads() as u64)
    }

    #[cfg(tokio_unstable)]
    fn num_idle_blocking_threads(&self) -> Option<u64> {
        Some(self.metrics.num_idle_blocking_threads() as u64)
    }

    #[cfg(tokio_unstable)]
    fn blocking_queue_depth(&self) -> Option<u64> {
        Some(self.metrics.blocking_queue_depth() as u64)
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn spawned_tasks_count(&self) -> Option<u64> {
        Some(self.metrics.spawned_tasks_count())
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn remote_schedule_count(&self) -> Option<u64> {
        Some(self.metrics.remote_schedule_count())
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn io_driver_fd_registered_count(&self) -> Option<u64> {
        self.io_driver(self.metrics.io_driver_fd_registered_count())
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn io_driver_fd_deregistered_count(&self) -> Option<u64> {
        self.io_driver(self.metrics.io_driver_fd_deregistered_count())
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn io_driver_ready_count(&self) -> Option<u64> {
        self.io_driver(self.metrics.io_driver_ready_count())
    }
}

impl TokioProbe {
    #[cfg(target_has_atomic = "64")]
    fn stable(&self, worker: usize, counter: Counter) -> Option<u64> {
        match counter {
            Counter::BusyDurationTotal => {
                Some(self.metrics.worker_total_busy_duration(worker).as_nanos() as u64)
            }
            Counter::ParkCount => Some(self.metrics.worker_park_count(worker)),
            Counter::ParkUnparkCount => Some(self.metrics.worker_park_unpark_count(worker)),
            _ => None,
        }
    }

    #[cfg(not(target_has_atomic = "64"))]
    fn stable(&self, _: usize, _: Counter) -> Option<u64> {
        None
    }

    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn unstable(&self, worker: usize, counter: Counter) -> Option<u64> {
        match counter {
            Counter::NoopCount => Some(self.metrics.worker_noop_count(worker)),
            Counter::StealCount => Some(self.metrics.worker_steal_count(worker)),
            Counter::StealOperations => Some(self.metrics.worker_steal_operations(worker)),
            Counter::LocalScheduleCount => Some(self.metrics.worker_local_schedule_count(worker)),
            Counter::OverflowCount => Some(self.metrics.worker_overflow_count(worker)),
            _ => None,
        }
    }

    #[cfg(not(all(tokio_unstable, target_has_atomic = "64")))]
    #[allow(clippy::unused_self)]
    fn unstable(&self, _: usize, _: Counter) -> Option<u64> {
        None
    }

    /// Tokio says 0 where there is no driver. A runtime that has one and never registered anything is taken for one
    /// without.
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    fn io_driver(&self, count: u64) -> Option<u64> {
        (self.metrics.io_driver_fd_registered_count() != 0).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_stands_in_for_the_busy_time_of_a_current_thread_runtime() {
        for wide in [false, true] {
            let busy = |flavor| counters(&flavor, wide).contains(Counter::BusyDurationTotal);
            assert!(busy(RuntimeFlavor::CurrentThread));
            assert!(!busy(RuntimeFlavor::MultiThread), "its parks tell");
        }
        assert!(counters(&RuntimeFlavor::MultiThread, false).is_empty());
    }

    #[test]
    fn what_tokio_does_not_count_reads_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let probe = TokioProbe::new(runtime.handle());
        let busy = probe.worker_counter(0, Counter::BusyDurationTotal);
        assert_eq!(busy.is_some(), cfg!(target_has_atomic = "64"));
    }
}
