//! The numbers that Tokio counts itself, read when a reader asks.

use metrics_core::{MetricSet, Probe, ProbedState, RuntimeNumber, WorkerNumber};
use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

/// Tokio's own numbers. Held by readers only: it holds a handle, which keeps the runtime's memory and not the runtime.
pub(crate) struct TokioProbe {
    metrics: RuntimeMetrics,
    is_current_thread: bool,
}

impl TokioProbe {
    pub(super) fn new(runtime: &Handle) -> Self {
        Self {
            metrics: runtime.metrics(),
            is_current_thread: runtime.runtime_flavor() == RuntimeFlavor::CurrentThread,
        }
    }

    /// A number that moves with the worker's parks and its settled busy time. `None` while it is parked, and on the
    /// current-thread flavour, which no thread may be driving.
    pub(crate) fn progress(&self, worker: usize) -> Option<u64> {
        if self.is_current_thread {
            return None;
        }
        let state = self
            .worker_state(worker)
            .filter(|state| state.parked == Some(false))?;
        // Both only grow, so a sum that stands still shows that both do.
        Some(
            state
                .busy?
                .wrapping_add(self.worker(worker, WorkerNumber::ParkUnparkCount)?),
        )
    }
}

/// The per-worker numbers that Tokio keeps better than hooks could. Without 64-bit atomics (`wide`) it keeps no counter.
fn worker_numbers(is_current_thread: bool, wide: bool) -> MetricSet {
    let mut numbers = MetricSet::NONE;
    if is_current_thread {
        // No hook measures its busy time. Where Tokio does not report it either, it reads `None`.
        numbers = numbers.union(MetricSet::worker(&[WorkerNumber::BusyDurationTotal]));
    }
    if wide {
        numbers = numbers.union(MetricSet::worker(&[
            WorkerNumber::ParkCount,
            WorkerNumber::ParkUnparkCount,
        ]));
    }
    if cfg!(tokio_unstable) {
        numbers = numbers.union(MetricSet::worker(&[WorkerNumber::LocalQueueDepth]));
    }
    if wide && cfg!(tokio_unstable) {
        numbers = numbers.union(MetricSet::worker(&[
            WorkerNumber::NoopCount,
            WorkerNumber::StealCount,
            WorkerNumber::StealOperations,
            WorkerNumber::LocalScheduleCount,
            WorkerNumber::OverflowCount,
        ]));
    }
    numbers
}

impl Probe for TokioProbe {
    fn num_workers(&self) -> Option<usize> {
        Some(self.metrics.num_workers())
    }

    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        let metrics = &self.metrics;
        Some(match number {
            RuntimeNumber::NumAliveTasks => metrics.num_alive_tasks() as u64,
            RuntimeNumber::GlobalQueueDepth => metrics.global_queue_depth() as u64,
            // The task hooks show them all.
            #[cfg(tokio_unstable)]
            RuntimeNumber::CoveredTasks => metrics.num_alive_tasks() as u64,
            #[cfg(tokio_unstable)]
            RuntimeNumber::NumBlockingThreads => metrics.num_blocking_threads() as u64,
            #[cfg(tokio_unstable)]
            RuntimeNumber::NumIdleBlockingThreads => metrics.num_idle_blocking_threads() as u64,
            #[cfg(tokio_unstable)]
            RuntimeNumber::BlockingQueueDepth => metrics.blocking_queue_depth() as u64,
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::SpawnedTasksCount => metrics.spawned_tasks_count(),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::RemoteScheduleCount => metrics.remote_schedule_count(),
            // Tokio reports 0 where there is no driver. A runtime that has one and never registered anything is taken for one
            // without.
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::IoDriverFdRegisteredCount
            | RuntimeNumber::IoDriverFdDeregisteredCount
            | RuntimeNumber::IoDriverReadyCount
                if metrics.io_driver_fd_registered_count() == 0 =>
            {
                return None;
            }
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::IoDriverFdRegisteredCount => metrics.io_driver_fd_registered_count(),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::IoDriverFdDeregisteredCount => metrics.io_driver_fd_deregistered_count(),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            RuntimeNumber::IoDriverReadyCount => metrics.io_driver_ready_count(),
            _ => return None,
        })
    }

    fn worker_numbers(&self) -> MetricSet {
        worker_numbers(self.is_current_thread, cfg!(target_has_atomic = "64"))
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        let metrics = &self.metrics;
        if worker >= metrics.num_workers() {
            return None;
        }
        Some(match number {
            #[cfg(target_has_atomic = "64")]
            WorkerNumber::BusyDurationTotal => metrics.worker_total_busy_duration(worker).as_nanos() as u64,
            #[cfg(target_has_atomic = "64")]
            WorkerNumber::ParkCount => metrics.worker_park_count(worker),
            #[cfg(target_has_atomic = "64")]
            WorkerNumber::ParkUnparkCount => metrics.worker_park_unpark_count(worker),
            #[cfg(tokio_unstable)]
            WorkerNumber::LocalQueueDepth => metrics.worker_local_queue_depth(worker) as u64,
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            WorkerNumber::NoopCount => metrics.worker_noop_count(worker),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            WorkerNumber::StealCount => metrics.worker_steal_count(worker),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            WorkerNumber::StealOperations => metrics.worker_steal_operations(worker),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            WorkerNumber::LocalScheduleCount => metrics.worker_local_schedule_count(worker),
            #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
            WorkerNumber::OverflowCount => metrics.worker_overflow_count(worker),
            _ => return None,
        })
    }

    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        // Odd means parked.
        let parks = self.worker(worker, WorkerNumber::ParkUnparkCount)?;
        Some(ProbedState {
            parked: Some(!parks.is_multiple_of(2)),
            busy: self.worker(worker, WorkerNumber::BusyDurationTotal),
            // Tokio does not report how long a stretch has lasted so far.
            in_progress: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_stands_in_for_the_busy_time_of_a_current_thread_runtime() {
        for wide in [false, true] {
            let busy = |is_current_thread| {
                worker_numbers(is_current_thread, wide).has_worker(WorkerNumber::BusyDurationTotal)
            };
            assert!(busy(true));
            assert!(!busy(false), "the park hooks measure it");
        }
        let narrow = worker_numbers(false, false);
        assert!(
            !WorkerNumber::COUNTERS
                .iter()
                .any(|&number| narrow.has_worker(number))
        );
    }

    #[test]
    fn what_tokio_does_not_count_reads_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let probe = TokioProbe::new(runtime.handle());
        let busy = probe.worker(0, WorkerNumber::BusyDurationTotal);
        assert_eq!(busy.is_some(), cfg!(target_has_atomic = "64"));
    }
}
