//! The table of metrics that only a host with an event loop has.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};

macro_rules! table {
    ($($kind:ident $unit:ident $name:ident $exported:literal: $help:literal;)*) => {
        /// A metric that only a host with an event loop has.
        pub const EVENT_LOOP_METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            exported: exported($exported),
            source: MetricSource::EventLoop,
            scope: MetricScope::EventLoop,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            help: $help,
            unlike_tokio: "New.",
        },)*];
    };
}

table! {
    Histogram Nanoseconds long_task_time "async_runtime_long_task_duration_seconds":
        "Duration of the event loop's tasks that took over 50 ms; absent where the host does not report them.";
    Counter Nanoseconds loop_busy_duration_total "async_runtime_loop_busy_seconds_total":
        "Time the event loop was busy with work of any kind, as Node reports it; absent in browsers.";
    Histogram Nanoseconds frame_delay "async_runtime_frame_delay_seconds":
        "Time from a request for an animation frame until its callback ran; absent unless frames are watched.";
    Counter Count self_wake_count "async_runtime_self_wakes_total":
        "Tasks that woke themselves during their own poll.";
}
