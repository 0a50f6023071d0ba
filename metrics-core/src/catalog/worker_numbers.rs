//! The table of per-worker metrics.

use super::{Metric, MetricKind, MetricScope, MetricSource, MetricUnit, exported};

/// Calls a macro with the table of per-worker metrics: the counters that a worker's hooks increment, and the counters
/// and gauges that only a probe reports.
///
/// A row contains: documentation and help text, type, getter name, per-worker getter name, variant, exported name,
/// difference from Tokio.
macro_rules! with_worker_numbers {
    ($callback:ident) => {
        $callback! {
            counters {
                /// Time the worker was neither parked nor searching for work; includes queue handling between polls.
                Duration busy_duration_total worker_total_busy_duration BusyDurationTotal "async_runtime_worker_busy_seconds_total"
                    "Includes the time in progress; a poll that hands its worker away keeps its time; absent without a clock.",
                /// Times the worker parked: it blocked until there was work.
                u64 park_count worker_park_count ParkCount "async_runtime_worker_parks_total" "",
                /// Parks and unparks together: odd means parked.
                u64 park_unpark_count worker_park_unpark_count ParkUnparkCount "" "",
                /// Parks with no poll since the previous park. The first park of a new worker does not count.
                u64 noop_count worker_noop_count NoopCount "async_runtime_worker_noop_parks_total"
                    "The first park of a new worker does not count.",
                /// Polls of spawned tasks, however the task reached the worker.
                u64 poll_count worker_poll_count PollCount "async_runtime_worker_polls_total"
                    "Tokio counts queue pops, not polls.",
                /// Tasks taken from other workers' queues.
                u64 steal_count worker_steal_count StealCount "async_runtime_worker_stolen_tasks_total" "",
                /// Successful steals, of one or more tasks each.
                u64 steal_operations worker_steal_operations StealOperations "async_runtime_worker_steal_operations_total" "",
                /// Tasks scheduled from the worker onto its own queue.
                u64 local_schedule_count worker_local_schedule_count LocalScheduleCount "async_runtime_worker_local_schedules_total"
                    "A push that is diverted elsewhere counts once, where the task landed.",
                /// Overflows of the local queue into the global one: operations, not tasks.
                u64 overflow_count worker_overflow_count OverflowCount "async_runtime_worker_overflows_total"
                    "Tokio's documentation contradicts itself.",
                /// Tasks that overflows moved to the global queue.
                u64 overflow_tasks worker_overflow_tasks OverflowTasks "async_runtime_worker_overflow_tasks_total" "New.",
                /// Polls that returned pending because their cooperative budget was spent.
                u64 budget_forced_yield_count worker_budget_forced_yield_count BudgetForcedYieldCount "async_runtime_worker_budget_forced_yields_total"
                    "Tokio counts budgets that reach zero, per runtime.",
                /// Polls of the runtime's root future, counted apart from the polls of spawned tasks.
                u64 root_polls worker_root_polls RootPolls "async_runtime_worker_root_polls_total" "New.",
                /// Polls of measured futures inside measured tasks, counted apart from the polls of spawned tasks.
                u64 nested_polls worker_nested_polls NestedPolls "async_runtime_worker_nested_polls_total" "New.",
            }
            reported {
                /// Time the operating system ran the worker's threads on a processor; only on Linux.
                Duration on_cpu_duration_total worker_on_cpu_duration_total OnCpuDurationTotal "async_runtime_worker_on_cpu_seconds_total"
                    "New.",
                /// Time the worker's threads were ready to run and waited for a processor; only on Linux.
                Duration runnable_wait_duration_total worker_runnable_wait_duration_total RunnableWaitDurationTotal "async_runtime_worker_runnable_wait_seconds_total"
                    "New.",
            }
            gauges {
                /// Tasks in the worker's local queue, its LIFO slot included.
                u64 local_queue_depth worker_local_queue_depth LocalQueueDepth "async_runtime_worker_local_queue_depth" "",
            }
        }
    };
}
pub(crate) use with_worker_numbers;

macro_rules! unit {
    (Duration) => {
        MetricUnit::Nanoseconds
    };
    (u64) => {
        MetricUnit::Count
    };
}

macro_rules! table {
    (
        counters { $($(#[doc = $help:literal])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        reported { $($(#[doc = $reported_help:literal])* $reported_kind:ident $reported:ident $worker_reported:ident $reported_variant:ident $reported_exported:literal $reported_unlike:literal,)* }
        gauges { $($(#[doc = $gauge_help:literal])* $gauge_kind:ident $gauge:ident $worker_gauge:ident $gauge_variant:ident $gauge_exported:literal $gauge_unlike:literal,)* }
    ) => {
        /// A per-worker metric: a counter that the worker's hooks increment, or a counter or gauge that a probe reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum WorkerNumber {
            $($(#[doc = $help])* $variant,)*
            $($(#[doc = $reported_help])* $reported_variant,)*
            $($(#[doc = $gauge_help])* $gauge_variant,)*
        }

        impl WorkerNumber {
            /// All metrics, in the order of the list: the counters first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)* $(Self::$reported_variant,)* $(Self::$gauge_variant,)*];

            /// All counters.
            pub const COUNTERS: &'static [Self] = &[$(Self::$variant,)* $(Self::$reported_variant,)*];

            /// The counters that a worker's hooks increment.
            pub(crate) const HOOK_COUNTERS: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the metric's name in the list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                    $(Self::$reported_variant => stringify!($reported),)*
                    $(Self::$gauge_variant => stringify!($gauge),)*
                }
            }

            /// Returns `true` if the metric is a counter, which never decreases.
            pub const fn is_counter(self) -> bool {
                match self {
                    $(Self::$variant => true,)*
                    $(Self::$reported_variant => true,)*
                    $(Self::$gauge_variant => false,)*
                }
            }

            pub(super) const METRICS: &'static [Metric] = &[
                $(Metric {
                    name: stringify!($name),
                    exported: exported($exported),
                    source: MetricSource::Worker(Self::$variant),
                    scope: MetricScope::Worker,
                    kind: MetricKind::Counter,
                    unit: unit!($kind),
                    help: concat!($($help),*).trim_ascii(),
                    unlike_tokio: $unlike,
                },)*
                $(Metric {
                    name: stringify!($reported),
                    exported: exported($reported_exported),
                    source: MetricSource::Worker(Self::$reported_variant),
                    scope: MetricScope::Worker,
                    kind: MetricKind::Counter,
                    unit: unit!($reported_kind),
                    help: concat!($($reported_help),*).trim_ascii(),
                    unlike_tokio: $reported_unlike,
                },)*
                $(Metric {
                    name: stringify!($gauge),
                    exported: exported($gauge_exported),
                    source: MetricSource::Worker(Self::$gauge_variant),
                    scope: MetricScope::Worker,
                    kind: MetricKind::Gauge,
                    unit: unit!($gauge_kind),
                    help: concat!($($gauge_help),*).trim_ascii(),
                    unlike_tokio: $gauge_unlike,
                },)*
            ];
        }
    };
}
with_worker_numbers!(table);
