//! The table of metrics per spawn location.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};
use crate::snapshot::LocationColumn;

macro_rules! table {
    ($($kind:ident $unit:ident $column:ident $name:ident $exported:literal: $help:literal;)*) => {
        /// The metrics of one spawn location, which a registry keeps on request
        /// ([`Builder::locations`](crate::Builder::locations)).
        pub const LOCATION_METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            exported: exported($exported),
            source: MetricSource::Location(LocationColumn::$column),
            scope: MetricScope::Location,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            help: $help,
            unlike_tokio: "New.",
        },)*];
    };
}

table! {
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
}
