//! The tables of metrics per spawn location and per group.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};

/// A value of a [`LocationSnapshot`](crate::LocationSnapshot), by which [`Snapshot::locations_by`](crate::Snapshot::locations_by) sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LocationColumn {
    /// [`LocationSnapshot::alive`](crate::LocationSnapshot::alive).
    Alive,
    /// [`LocationSnapshot::spawned`](crate::LocationSnapshot::spawned).
    Spawned,
    /// [`LocationSnapshot::ended`](crate::LocationSnapshot::ended).
    Ended,
    /// [`LocationSnapshot::poll_count`](crate::LocationSnapshot::poll_count).
    PollCount,
    /// [`LocationSnapshot::poll_time`](crate::LocationSnapshot::poll_time).
    PollTime,
    /// [`LocationSnapshot::longest_poll`](crate::LocationSnapshot::longest_poll).
    LongestPoll,
    /// [`LocationSnapshot::schedule_latency`](crate::LocationSnapshot::schedule_latency).
    ScheduleLatency,
    /// [`LocationSnapshot::longest_schedule_latency`](crate::LocationSnapshot::longest_schedule_latency).
    LongestScheduleLatency,
    /// [`LocationSnapshot::stall_count`](crate::LocationSnapshot::stall_count).
    StallCount,
    /// [`LocationCensus::queued`](crate::LocationCensus::queued).
    Queued,
    /// [`LocationCensus::polling`](crate::LocationCensus::polling).
    Polling,
    /// [`LocationCensus::waiting`](crate::LocationCensus::waiting).
    Waiting,
    /// [`LocationCensus::unwakeable`](crate::LocationCensus::unwakeable).
    Unwakeable,
    /// [`LocationCensus::longest_wait`](crate::LocationCensus::longest_wait).
    LongestWait,
}

impl LocationColumn {
    /// All columns.
    pub const ALL: &'static [Self] = &[
        Self::Alive,
        Self::Spawned,
        Self::Ended,
        Self::PollCount,
        Self::PollTime,
        Self::LongestPoll,
        Self::ScheduleLatency,
        Self::LongestScheduleLatency,
        Self::StallCount,
        Self::Queued,
        Self::Polling,
        Self::Waiting,
        Self::Unwakeable,
        Self::LongestWait,
    ];

    /// Returns the combined value of two locations.
    #[cfg(feature = "alloc")]
    pub(crate) fn merge(self, one: u64, other: u64) -> u64 {
        match self {
            Self::LongestPoll | Self::LongestScheduleLatency | Self::LongestWait => one.max(other),
            _ => one.saturating_add(other),
        }
    }
}

macro_rules! table {
    (
        $(#[$doc:meta])*
        $table:ident of $scope:ident:
        $($kind:ident $unit:ident $column:ident $name:ident $exported:literal: $help:literal;)*
    ) => {
        $(#[$doc])*
        pub const $table: &[Metric] = &[$(Metric {
            name: stringify!($name),
            exported: exported($exported),
            source: MetricSource::Location(LocationColumn::$column),
            scope: MetricScope::$scope,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            help: $help,
            unlike_tokio: "New.",
        },)*];
    };
}

table! {
    /// The metrics of one spawn location, which a registry keeps on request
    /// ([`Builder::locations`](crate::Builder::locations)).
    LOCATION_METRICS of Location:
    Gauge Count Alive location_alive "async_runtime_location_alive_tasks":
        "Tasks of the location that were spawned and have not ended.";
    Counter Count Spawned location_spawned "async_runtime_location_tasks_spawned_total":
        "Tasks spawned at the location.";
    Counter Count Ended location_ended "async_runtime_location_tasks_ended_total":
        "Tasks of the location that ended in any way.";
    Counter Count PollCount location_poll_count "async_runtime_location_polls_total":
        "Polls of the location's tasks, measured or not.";
    Counter Nanoseconds PollTime location_poll_time "async_runtime_location_poll_seconds_total":
        "Time of all measured polls of the location's tasks.";
    Gauge Nanoseconds LongestPoll location_longest_poll "async_runtime_location_longest_poll_seconds":
        "Time of the longest measured poll of the location's tasks since the start.";
    Counter Nanoseconds ScheduleLatency location_schedule_latency "async_runtime_location_schedule_latency_seconds_total":
        "Time that the location's tasks were ready and waited for their measured polls.";
    Gauge Nanoseconds LongestScheduleLatency location_longest_schedule_latency "async_runtime_location_longest_schedule_latency_seconds":
        "Longest measured schedule latency of the location's tasks since the start.";
    Counter Count StallCount location_stall_count "async_runtime_location_stalls_total":
        "Polls of the location's tasks that lasted at least the threshold of the watchdog, outside groups; absent until one watches.";
    Gauge Count Queued location_queued "async_runtime_location_queued_tasks":
        "Tasks of the location that wait for their next poll.";
    Gauge Count Polling location_polling "async_runtime_location_polling_tasks":
        "Tasks of the location that are being polled.";
    Gauge Count Waiting location_waiting "async_runtime_location_waiting_tasks":
        "Tasks of the location that wait to be woken.";
    Gauge Count Unwakeable location_unwakeable "async_runtime_location_unwakeable_tasks":
        "Tasks of the location that have waited for a second and that nobody can wake, because no waker of them exists.";
    Gauge Nanoseconds LongestWait location_longest_wait "async_runtime_location_longest_wait_seconds":
        "Longest time for which a task of the location has waited since its last poll, or since a snapshot first saw it wait.";
}

table! {
    /// The metrics of one group, such as the requests of one route, in the rows after those of the locations.
    ///
    /// The polls of a group are parts of polls of tasks, so their number and time are also in the rows of the tasks'
    /// locations.
    GROUP_METRICS of Group:
    Gauge Count Alive group_alive "async_runtime_group_futures":
        "Futures of the group that were started and have not ended, such as the requests in progress of a route.";
    Counter Count Spawned group_started "async_runtime_group_started_total":
        "Futures of the group that were started, such as the requests of a route.";
    Counter Count Ended group_ended "async_runtime_group_ended_total":
        "Futures of the group that ended in any way.";
    Counter Count PollCount group_poll_count "async_runtime_group_polls_total":
        "Polls of the group's futures. They are parts of polls of tasks.";
    Counter Nanoseconds PollTime group_poll_time "async_runtime_group_poll_seconds_total":
        "Time of all measured polls of the group's futures.";
    Gauge Nanoseconds LongestPoll group_longest_poll "async_runtime_group_longest_poll_seconds":
        "Time of the longest measured poll of the group's futures since the start.";
    Counter Count StallCount group_stall_count "async_runtime_group_stalls_total":
        "Stalls of the watchdog that were found during a poll of the group's futures; absent until one watches.";
}
