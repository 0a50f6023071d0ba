//! The table of histograms.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};

macro_rules! table {
    ($(#[doc = $help:literal] $scope:ident $name:ident $variant:ident $exported:literal $unlike:literal;)*) => {
        /// A histogram that a runtime may keep. All histograms record durations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum HistogramName {
            $(#[doc = $help] $variant,)*
        }

        impl HistogramName {
            /// All histograms, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the histogram's name in the list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }

            pub(super) const METRICS: &'static [Metric] = &[$(Metric {
                name: stringify!($name),
                exported: exported($exported),
                source: MetricSource::Histogram(Self::$variant),
                scope: MetricScope::$scope,
                kind: MetricKind::Histogram,
                unit: MetricUnit::Nanoseconds,
                help: $help.trim_ascii(),
                unlike_tokio: $unlike,
            },)*];
        }
    };
}

table! {
    /// Duration of task polls. Its count is lower than the number of polls if only some polls are measured.
    Worker poll_time PollTime "async_runtime_poll_duration_seconds"
        "One sample per poll, where Tokio merges the polls of a LIFO chain.";
    /// Time from a task being scheduled (by its spawn, or by the first wake since its last poll) to its poll.
    Worker schedule_latency ScheduleLatency "async_runtime_schedule_latency_seconds"
        "A repeated wake does not restart it.";
    /// Time from a blocking closure being queued to being started.
    Runtime blocking_queue_wait BlockingQueueWait "async_runtime_blocking_queue_wait_seconds"
        "New.";
    /// Duration of polls that were stalls, once they are over; absent until a watchdog watches.
    Runtime poll_stall_duration PollStallDuration "async_runtime_poll_stall_duration_seconds"
        "New.";
    /// Duration of stalls without progress, once they are over; absent if they can't be detected.
    Runtime no_progress_stall_duration NoProgressStallDuration "async_runtime_no_progress_stall_duration_seconds"
        "New.";
    /// Duration of stalls in which no worker turned the driver, once they are over; absent until a timer probe runs.
    Runtime queue_stall_duration QueueStallDuration "async_runtime_queue_stall_duration_seconds"
        "New.";
    /// How late a timer of the runtime fired: the time that a task which was ready had to wait; absent until a probe runs.
    Runtime loop_lag LoopLag "async_runtime_loop_lag_seconds"
        "New.";
    /// Time from a wake by another thread to the poll of the woken task; absent until a probe runs.
    Runtime wake_latency WakeLatency "async_runtime_wake_latency_seconds"
        "New.";
}
