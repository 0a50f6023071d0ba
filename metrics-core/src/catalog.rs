//! The one list of metrics. Code, exporters and documentation are checked against it.

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// A `u64` that never decreases.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A distribution with count, sum, minimum and maximum.
    Histogram,
    /// A fact that identifies something.
    Info,
}

/// What a metric's numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Nanoseconds inside; exporters give seconds.
    Nanoseconds,
    /// Things: polls, tasks, threads.
    Count,
    /// No number.
    None,
}

/// Whom a metric describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricScope {
    /// Each worker; written by it and published by its submits.
    Worker,
    /// The runtime as a whole; visible at once.
    Runtime,
    /// The event loop of a host that has one: a browser's thread, Node.
    EventLoop,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in code, in snapshots and, with prefix and unit, in exporters.
    pub name: &'static str,
    /// Whom it describes.
    pub scope: MetricScope,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// What it counts.
    pub unit: MetricUnit,
    /// What it says, or what moves it, in one line.
    pub help: &'static str,
    /// How it differs from what Tokio has under that name; empty where it does not.
    pub unlike_tokio: &'static str,
}

macro_rules! catalog {
    ($(#[$doc:meta])* $list:ident: $($scope:ident $kind:ident $unit:ident $name:ident: $help:literal, $unlike:literal;)*) => {
        $(#[$doc])*
        pub const $list: &[Metric] = &[$(Metric {
            name: stringify!($name),
            scope: MetricScope::$scope,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            help: $help,
            unlike_tokio: $unlike,
        },)*];
    };
}

catalog! {
    /// Every metric that a runtime may have, workers' first.
    METRICS:
    Worker Counter Nanoseconds busy_duration_total:
        "Time the worker was unparked and neither searching for work nor waiting in the driver; includes queue handling between polls.",
        "Settled time only, from one source; a poll that hands its worker away keeps its time; without a clock it is none.";
    Worker Gauge Nanoseconds busy_in_progress:
        "How long the worker has now been busy without settling, from the live record.",
        "New.";
    Worker Counter Count park_count:
        "Blocking parks.",
        "";
    Worker Counter Count park_unpark_count:
        "Parks and unparks together; odd means parked.",
        "";
    Worker Counter Count noop_count:
        "Parks with no poll since the park before.",
        "The first park of a fresh worker does not count.";
    Worker Counter Count poll_count:
        "Polls of spawned tasks, however they reached the worker: queue, LIFO slot or steal.",
        "Tokio counts queue pops, not polls.";
    Worker Counter Count steal_count:
        "Tasks taken from another worker's queue.",
        "";
    Worker Counter Count steal_operations:
        "Successful steals, of one or more tasks each.",
        "";
    Worker Counter Count local_schedule_count:
        "Tasks scheduled from the worker onto its own queue.",
        "A push diverted elsewhere counts once, where it landed.";
    Worker Counter Count overflow_count:
        "Overflows of the local queue into the global one: operations, not tasks.",
        "Tokio's documentation disagrees with itself.";
    Worker Counter Count overflow_tasks:
        "Tasks that overflows moved to the global queue.",
        "New.";
    Worker Counter Count budget_forced_yield_count:
        "Polls that returned pending because their cooperative budget was spent.",
        "Tokio counts budgets that reach zero, per runtime.";
    Worker Gauge Nanoseconds mean_poll_time:
        "Mean poll time, exponentially weighted per poll with alpha 1/10, in fixed point.",
        "None until the first poll, where Tokio shows a seed.";
    Worker Histogram Nanoseconds poll_time:
        "How long each measured poll took. Beside poll_count its samples say how many were measured.",
        "One sample a poll, where Tokio merges LIFO chains.";
    Worker Histogram Nanoseconds schedule_latency:
        "From a task becoming scheduled (its spawn, or the first wake since its last poll) to its poll.",
        "A repeated wake does not restart it.";
    Worker Gauge Count local_queue_depth:
        "Tasks in the local queue, LIFO slot included; pulled from the runtime when read.",
        "";
    Worker Info None thread:
        "Number and name of the thread that now runs the worker.",
        "";
    Worker Gauge None state:
        "What the worker is doing now: idle, parked, searching, running or polling; readable without a submit.",
        "New.";
    Worker Gauge None site:
        "Where the task being polled was spawned; readable without a submit.",
        "New.";
    Worker Gauge Nanoseconds since:
        "How long the worker has been in its state; readable without a submit.",
        "New.";
    Worker Counter Count root_polls:
        "Polls of a root future (block_on), kept apart from poll_count.",
        "New.";
    Worker Counter Count nested_polls:
        "Polls of measured futures inside measured tasks, kept apart from poll_count.",
        "New.";
    Runtime Gauge Count num_workers:
        "Workers of the runtime, as described or as it says itself.",
        "";
    Runtime Counter Count spawned_tasks_count:
        "Tasks accepted by the runtime; on stable Tokio, those that were spawned through the spawner.",
        "";
    Runtime Gauge Count covered_tasks:
        "Alive tasks whose polls are seen, beside the runtime's own count of alive tasks.",
        "New.";
    Runtime Gauge Count num_alive_tasks:
        "Tasks spawned and not yet finished, cancelled or dropped; never negative.",
        "";
    Runtime Counter Count completed_tasks_count:
        "Tasks whose future returned ready; under Tokio, of those that were spawned through the spawner.",
        "New.";
    Runtime Counter Count cancelled_tasks_count:
        "Tasks dropped before they were done; under Tokio, of those that were spawned through the spawner.",
        "New.";
    Runtime Counter Count panicked_tasks_count:
        "Tasks that panicked; under Tokio, of those that were spawned through the spawner.",
        "New.";
    Runtime Gauge Count global_queue_depth:
        "Tasks in the queue that all workers share; read from the runtime when asked.",
        "";
    Runtime Counter Count remote_schedule_count:
        "Tasks scheduled onto the global queue from outside a worker.",
        "";
    Runtime Gauge Count num_blocking_threads:
        "Threads of the blocking pool.",
        "";
    Runtime Gauge Count num_idle_blocking_threads:
        "Threads of the blocking pool that wait for work.",
        "";
    Runtime Gauge Count blocking_queue_depth:
        "Closures waiting for a thread of the blocking pool.",
        "";
    Runtime Histogram Nanoseconds blocking_queue_wait:
        "From a blocking closure being queued to being started.",
        "New.";
    Runtime Counter Count io_driver_fd_registered_count:
        "Registrations with the I/O driver; none without a driver.",
        "Tokio says 0 without a driver.";
    Runtime Counter Count io_driver_fd_deregistered_count:
        "Deregistrations from the I/O driver; none without a driver.",
        "Tokio says 0 without a driver.";
    Runtime Counter Count io_driver_ready_count:
        "Readiness events from the I/O driver; none without a driver.",
        "Tokio says 0 without a driver.";
    Runtime Info None started_at:
        "When the runtime started, since the Unix epoch: nanoseconds in a snapshot, seconds in Prometheus.",
        "New.";
    Runtime Info None epoch:
        "Identifies this producer, so that a restart is not taken for a counter going back.",
        "New.";
}

catalog! {
    /// What a host with an event loop has besides.
    EVENT_LOOP_METRICS:
    EventLoop Histogram Nanoseconds loop_lag:
        "How late a timer of the event loop came: what a task that was ready had to wait.",
        "New.";
    EventLoop Histogram Nanoseconds long_task_time:
        "How long tasks of the event loop took that held it for over 50 ms; none where the host does not report them.",
        "New.";
    EventLoop Counter Nanoseconds loop_busy_duration_total:
        "Time the event loop was busy, with whatever: Node's own account, elsewhere an estimate by sampling.",
        "New.";
    EventLoop Counter Count self_wake_count:
        "Tasks that woke themselves during their own poll.",
        "New.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counter;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_counter_of_a_worker_is_in_the_list() {
        for counter in Counter::ALL {
            let metric = METRICS.iter().find(|metric| metric.name == counter.name());
            let kind = metric.map(|metric| (metric.scope, metric.kind));
            assert_eq!(
                kind,
                Some((MetricScope::Worker, MetricKind::Counter)),
                "{}",
                counter.name()
            );
        }
    }

    #[test]
    fn names_are_unique() {
        let all = || METRICS.iter().chain(EVENT_LOOP_METRICS);
        for (i, metric) in all().enumerate() {
            assert!(
                all().take(i).all(|other| other.name != metric.name),
                "{} twice",
                metric.name
            );
        }
    }
}
