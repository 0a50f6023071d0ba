//! Where the numbers of each metric of the one list are in a snapshot.

use super::reading::{Labels, Runtime, Worker};
use core::time::Duration;
use metrics_core::{Heap, HistogramSnapshot, Measurements, WorkerNumber, WorkerState};

/// The samples of a histogram in a snapshot, in nanoseconds.
pub(super) type Histogram = HistogramSnapshot<Vec<u64>>;

/// Where the numbers of a family are. A getter that answers `None` gives no sample, never a 0.
#[derive(Clone, Copy)]
pub(super) enum Values {
    /// A counter of each worker.
    WorkerCounter(WorkerNumber),
    /// A number of each worker that goes up and down.
    WorkerGauge(fn(&Worker) -> Option<u64>),
    /// The same of a time.
    WorkerTime(fn(&Worker) -> Option<Duration>),
    /// Each worker's state: 1 for the one it is in, 0 for the others.
    WorkerState,
    /// What there is to say of each worker now, as labels beside a 1.
    WorkerText(fn(&Worker) -> Option<Labels>),
    /// The same of what seldom changes.
    WorkerInfo(fn(&Worker) -> Option<Labels>),
    /// A histogram of each worker, or of all together.
    WorkerHistogram(fn(&Measurements<Heap>) -> Option<&Histogram>),
    /// A counter of the runtime.
    RuntimeCounter(fn(&Runtime) -> Option<u64>),
    /// A number of the runtime that goes up and down.
    RuntimeGauge(fn(&Runtime) -> Option<u64>),
    /// The same of a time.
    RuntimeTime(fn(&Runtime) -> Option<Duration>),
    /// What identifies the runtime, as labels beside a 1.
    RuntimeInfo(fn(&Runtime) -> Labels),
    /// A histogram of the runtime.
    RuntimeHistogram(fn(&Runtime) -> Option<&Histogram>),
}

/// Where the numbers of `metric` are, by its name in the one list. `None` for a name that isn't there.
pub(super) fn values(metric: &str) -> Option<Values> {
    use Values::{
        RuntimeCounter, RuntimeGauge, RuntimeHistogram, RuntimeInfo, RuntimeTime, WorkerGauge,
        WorkerHistogram, WorkerInfo, WorkerText, WorkerTime,
    };
    if let Some(&counter) = WorkerNumber::COUNTERS
        .iter()
        .find(|counter| counter.name() == metric)
    {
        return Some(Values::WorkerCounter(counter));
    }
    Some(match metric {
        "busy_in_progress" => WorkerTime(|worker| worker.busy_in_progress()),
        "mean_poll_time" => WorkerTime(|worker| worker.mean_poll_time()),
        "poll_time" => WorkerHistogram(|all| Some(all.poll_time()?.histogram())),
        "schedule_latency" => WorkerHistogram(|all| Some(all.schedule_latency()?.histogram())),
        "local_queue_depth" => WorkerGauge(|worker| worker.local_queue_depth()),
        "thread" => WorkerInfo(Worker::thread_labels),
        "state" => Values::WorkerState,
        "site" => WorkerText(Worker::site_labels),
        "since" => WorkerTime(|worker| worker.state_for()),
        "num_workers" => RuntimeGauge(|runtime| Some(runtime.num_workers() as u64)),
        "spawned_tasks_count" => RuntimeCounter(|runtime| runtime.spawned_tasks_count()),
        "covered_tasks" => RuntimeGauge(|runtime| runtime.covered_tasks()),
        "num_alive_tasks" => RuntimeGauge(|runtime| runtime.num_alive_tasks()),
        "completed_tasks_count" => RuntimeCounter(|runtime| runtime.completed_tasks_count()),
        "cancelled_tasks_count" => RuntimeCounter(|runtime| runtime.cancelled_tasks_count()),
        "panicked_tasks_count" => RuntimeCounter(|runtime| runtime.panicked_tasks_count()),
        "global_queue_depth" => RuntimeGauge(|runtime| runtime.global_queue_depth()),
        "remote_schedule_count" => RuntimeCounter(|runtime| runtime.remote_schedule_count()),
        "num_blocking_threads" => RuntimeGauge(|runtime| runtime.num_blocking_threads()),
        "num_idle_blocking_threads" => RuntimeGauge(|runtime| runtime.num_idle_blocking_threads()),
        "blocking_queue_depth" => RuntimeGauge(|runtime| runtime.blocking_queue_depth()),
        "blocking_queue_wait" => RuntimeHistogram(|runtime| runtime.blocking_queue_wait()),
        "io_driver_fd_registered_count" => RuntimeCounter(|runtime| runtime.io_driver_fd_registered_count()),
        "io_driver_fd_deregistered_count" => {
            RuntimeCounter(|runtime| runtime.io_driver_fd_deregistered_count())
        }
        "io_driver_ready_count" => RuntimeCounter(|runtime| runtime.io_driver_ready_count()),
        "started_at" => RuntimeTime(|runtime| runtime.started_at().map(Duration::from_nanos)),
        "epoch" => RuntimeInfo(|runtime| vec![("epoch", runtime.epoch().to_string())]),
        _ => return None,
    })
}

/// The states of a worker, by the names that snapshots have for them.
pub(super) const STATES: [(WorkerState, &str); 5] = [
    (WorkerState::Idle, "idle"),
    (WorkerState::Parked, "parked"),
    (WorkerState::Searching, "searching"),
    (WorkerState::Running, "running"),
    (WorkerState::Polling, "polling"),
];
