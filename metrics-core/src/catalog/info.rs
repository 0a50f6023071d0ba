//! The metrics that are not plain numbers.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit};

/// A metric that is not a plain `u64`: a state, a name, an identifier, or a derived time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InfoMetric {
    /// The current state of a worker.
    State,
    /// The time that a worker has been in its state.
    Since,
    /// The spawn location of the task that a worker polls.
    LocationId,
    /// The thread that runs a worker.
    Thread,
    /// The exponentially weighted mean of a worker's poll times.
    MeanPollTime,
    /// The number of the runtime's workers.
    NumWorkers,
    /// The time at which the runtime started.
    StartedAt,
    /// The identifier of the producer.
    Epoch,
}

impl InfoMetric {
    /// All of these metrics.
    pub const ALL: &'static [Self] = &[
        Self::State,
        Self::Since,
        Self::LocationId,
        Self::Thread,
        Self::MeanPollTime,
        Self::NumWorkers,
        Self::StartedAt,
        Self::Epoch,
    ];

    /// Returns the metric's row in the list.
    pub const fn metric(self) -> Metric {
        use MetricKind::{Gauge, Info};
        use MetricScope::{Runtime, Worker};
        use MetricUnit::{Count, Nanoseconds, None as NoUnit};
        let (scope, kind, unit, name) = match self {
            Self::State => (Worker, Gauge, NoUnit, "state"),
            Self::Since => (Worker, Gauge, Nanoseconds, "since"),
            Self::LocationId => (Worker, Gauge, NoUnit, "spawn_location"),
            Self::Thread => (Worker, Info, NoUnit, "thread"),
            Self::MeanPollTime => (Worker, Gauge, Nanoseconds, "mean_poll_time"),
            Self::NumWorkers => (Runtime, Gauge, Count, "num_workers"),
            Self::StartedAt => (Runtime, Gauge, Nanoseconds, "started_at"),
            Self::Epoch => (Runtime, Info, NoUnit, "epoch"),
        };
        let (exported, help) = match self {
            Self::State => (
                Some("async_runtime_worker_state"),
                "State of the worker now: 1 for the state it is in (idle, parked, searching, running or polling), 0 for the others.",
            ),
            Self::Since => (
                Some("async_runtime_worker_state_age_seconds"),
                "Time the worker has been in its state: during a poll, the duration of the poll so far.",
            ),
            Self::LocationId => (
                Some("async_runtime_worker_spawn_location"),
                "Source location that spawned the task that the worker is polling now, as a label.",
            ),
            Self::Thread => (None, "Number and name of the thread that runs the worker now."),
            Self::MeanPollTime => (
                Some("async_runtime_worker_mean_poll_duration_seconds"),
                "Mean duration of the worker's polls, exponentially weighted: each poll has a weight of one tenth. Polls that are not timed count with their share of busy time.",
            ),
            Self::NumWorkers => (Some("async_runtime_workers"), "Worker threads of the runtime."),
            Self::StartedAt => (
                Some("async_runtime_start_time_seconds"),
                "Time at which the runtime started, since the Unix epoch.",
            ),
            Self::Epoch => (
                None,
                "Identifies one run of the runtime, so that a restart is not taken for a counter that decreases.",
            ),
        };
        let unlike_tokio = match self {
            Self::MeanPollTime => "None until the first poll, where Tokio shows a seed.",
            Self::NumWorkers => "",
            _ => "New.",
        };
        Metric {
            name,
            exported,
            source: MetricSource::Fact(self),
            scope,
            kind,
            unit,
            help,
            unlike_tokio,
        }
    }

    /// The rows of all these metrics.
    pub(super) const METRICS: [Metric; Self::ALL.len()] = {
        let mut rows = [Self::ALL[0].metric(); Self::ALL.len()];
        let mut i = 0;
        while i < rows.len() {
            rows[i] = Self::ALL[i].metric();
            i += 1;
        }
        rows
    };
}
