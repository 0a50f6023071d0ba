//! The table of histograms.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};

/// Calls a macro with the table of histograms: those that each worker records, those of a runtime, and those of a
/// runtime that exist once something measures them. The tokens after the macro's name come before the table.
///
/// A row contains: documentation and help text, name, variant, exported name, difference from Tokio.
macro_rules! with_histograms {
    ($callback:ident $($before:tt)*) => {
        $callback! {
            $($before)*
            Worker {
                /// Duration of task polls. Its count is lower than the number of polls if only some polls are measured.
                poll_time PollTime "async_runtime_poll_duration_seconds"
                    "One sample per poll, where Tokio merges the polls of a LIFO chain.",
                /// Time from a task being scheduled (by its spawn, or by the first wake since its last poll) to its poll.
                schedule_latency ScheduleLatency "async_runtime_schedule_latency_seconds"
                    "A repeated wake does not restart it.",
            }
            Runtime {
                /// Time from a blocking closure being queued to being started.
                blocking_queue_wait BlockingQueueWait "async_runtime_blocking_queue_wait_seconds" "New.",
            }
            OnDemand {
                /// Duration of polls that were stalls, once they are over; absent until a watchdog watches.
                poll_stall_duration PollStallDuration "async_runtime_poll_stall_duration_seconds" "New.",
                /// Duration of stalls without progress, once they are over; absent if they can't be detected.
                no_progress_stall_duration NoProgressStallDuration "async_runtime_no_progress_stall_duration_seconds" "New.",
                /// Duration of stalls in which no worker turned the driver, once they are over; absent until a timer probe runs.
                queue_stall_duration QueueStallDuration "async_runtime_queue_stall_duration_seconds" "New.",
                /// How late a timer of the runtime fired: the time that a task which was ready had to wait; absent until a probe runs.
                loop_lag LoopLag "async_runtime_loop_lag_seconds" "New.",
                /// Time from a wake by another thread to the poll of the woken task; absent until a probe runs.
                wake_latency WakeLatency "async_runtime_wake_latency_seconds" "New.",
            }
        }
    };
}
pub(crate) use with_histograms;

macro_rules! scope {
    (Worker) => {
        MetricScope::Worker
    };
    ($runtime:ident) => {
        MetricScope::Runtime
    };
}

macro_rules! table {
    ($($group:ident { $(#[doc = $help:literal] $name:ident $variant:ident $exported:literal $unlike:literal,)* })*) => {
        /// A histogram that a runtime may keep. All histograms record durations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum HistogramName {
            $($(#[doc = $help] $variant,)*)*
        }

        impl HistogramName {
            /// All histograms, in the order of the list.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// Returns the histogram's name in the list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$variant => stringify!($name),)*)*
                }
            }

            pub(super) const METRICS: &'static [Metric] = &[$($(Metric {
                name: stringify!($name),
                exported: exported($exported),
                source: MetricSource::Histogram(Self::$variant),
                scope: scope!($group),
                kind: MetricKind::Histogram,
                unit: MetricUnit::Nanoseconds,
                help: $help.trim_ascii(),
                unlike_tokio: $unlike,
            },)*)*];
        }
    };
}
with_histograms!(table);

macro_rules! on_demand {
    (Worker { $($of_workers:tt)* } Runtime { $($of_the_runtime:tt)* }
     OnDemand { $(#[$doc:meta] $name:ident $variant:ident $exported:literal $unlike:literal,)* }) => {
        /// The histograms that exist once something measures them.
        pub(crate) const ON_DEMAND: [HistogramName; [$(stringify!($name)),*].len()] =
            [$(HistogramName::$variant),*];
    };
}
with_histograms!(on_demand);
