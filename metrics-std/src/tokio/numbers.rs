//! Maps this crate's metrics to the methods of Tokio's `RuntimeMetrics`.

use metrics_core::{RuntimeNumber, WorkerNumber};
use tokio::runtime::RuntimeMetrics;

/// Returns a runtime metric as Tokio reports it.
pub(super) fn runtime(metrics: &RuntimeMetrics, number: RuntimeNumber) -> Option<u64> {
    Some(match number {
        RuntimeNumber::NumAliveTasks => metrics.num_alive_tasks() as u64,
        RuntimeNumber::GlobalQueueDepth => metrics.global_queue_depth() as u64,
        #[cfg(target_has_atomic = "64")]
        RuntimeNumber::NumParkedWorkers => (0..metrics.num_workers())
            // An odd count means parked.
            .filter(|&worker| !metrics.worker_park_unpark_count(worker).is_multiple_of(2))
            .count() as u64,
        // The task hooks measure every task.
        #[cfg(tokio_unstable)]
        RuntimeNumber::CoveredTasks => metrics.num_alive_tasks() as u64,
        #[cfg(tokio_unstable)]
        RuntimeNumber::NumBlockingThreads => metrics.num_blocking_threads() as u64,
        #[cfg(tokio_unstable)]
        RuntimeNumber::NumIdleBlockingThreads => metrics.num_idle_blocking_threads() as u64,
        #[cfg(tokio_unstable)]
        RuntimeNumber::BlockingQueueDepth => metrics.blocking_queue_depth() as u64,
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        RuntimeNumber::RemoteScheduleCount => metrics.remote_schedule_count(),
        // Tokio reports 0 if there is no driver. A runtime whose driver has never registered anything is treated as one without.
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

/// Returns a worker metric as Tokio reports it.
pub(super) fn worker(metrics: &RuntimeMetrics, worker: usize, number: WorkerNumber) -> Option<u64> {
    if worker >= metrics.num_workers() {
        return None;
    }
    match number {
        #[cfg(target_has_atomic = "64")]
        WorkerNumber::BusyDurationTotal => Some(metrics.worker_total_busy_duration(worker).as_nanos() as u64),
        #[cfg(target_has_atomic = "64")]
        WorkerNumber::ParkCount => Some(metrics.worker_park_count(worker)),
        #[cfg(target_has_atomic = "64")]
        WorkerNumber::ParkUnparkCount => Some(metrics.worker_park_unpark_count(worker)),
        #[cfg(tokio_unstable)]
        WorkerNumber::LocalQueueDepth => Some(metrics.worker_local_queue_depth(worker) as u64),
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        WorkerNumber::NoopCount => Some(metrics.worker_noop_count(worker)),
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        WorkerNumber::StealCount => Some(metrics.worker_steal_count(worker)),
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        WorkerNumber::StealOperations => Some(metrics.worker_steal_operations(worker)),
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        WorkerNumber::LocalScheduleCount => Some(metrics.worker_local_schedule_count(worker)),
        #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
        WorkerNumber::OverflowCount => Some(metrics.worker_overflow_count(worker)),
        _ => None,
    }
}
