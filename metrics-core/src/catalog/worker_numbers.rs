//! The table of per-worker metrics.

use super::runtime_numbers::unit;
use super::{Metric, MetricKind, MetricScope, MetricSource, exported};

/// Calls a macro with the table of per-worker metrics: the counters that a worker's hooks increment, those that a reader
/// derives from them, and the counters and gauges that only a probe reports.
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
                /// Time the worker was parked; includes the time in progress.
                Duration parked_duration_total worker_parked_duration_total ParkedDurationTotal "async_runtime_worker_parked_seconds_total"
                    "New.",
                /// Time the worker was awake and not busy: it searched for work or turned the driver; absent if that looks like running.
                Duration searching_duration_total worker_searching_duration_total SearchingDurationTotal "async_runtime_worker_searching_seconds_total"
                    "New.",
            }
            derived {
                /// Time the worker was in polls of spawned tasks; absent once a poll was not measured.
                Duration polling_duration_total worker_polling_duration_total PollingDurationTotal "async_runtime_worker_polling_seconds_total"
                    "New.",
                /// Time the worker was busy outside polls of spawned tasks, mainly with its queues; absent once a poll was not measured.
                Duration running_duration_total worker_running_duration_total RunningDurationTotal "async_runtime_worker_running_seconds_total"
                    "New.",
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

macro_rules! kind {
    (gauges) => {
        MetricKind::Gauge
    };
    ($counters:ident) => {
        MetricKind::Counter
    };
}

macro_rules! table {
    (
        $($group:ident {
            $($(#[doc = $help:literal])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)*
        })*
    ) => {
        /// A per-worker metric: a counter that the worker's hooks increment or that a reader derives from others, or a counter
        /// or gauge that a probe reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum WorkerNumber {
            $($($(#[doc = $help])* $variant,)*)*
        }

        impl WorkerNumber {
            /// All metrics, in the order of the list: the counters first.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// Returns the metric's name in the list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$variant => stringify!($name),)*)*
                }
            }

            /// Returns `true` if the metric is a counter, which never decreases.
            pub const fn is_counter(self) -> bool {
                match self {
                    $($(Self::$variant => matches!(kind!($group), MetricKind::Counter),)*)*
                }
            }

            pub(super) const METRICS: &'static [Metric] = &[$($(Metric {
                name: stringify!($name),
                exported: exported($exported),
                source: MetricSource::Worker(Self::$variant),
                scope: MetricScope::Worker,
                kind: kind!($group),
                unit: unit!($unit),
                help: concat!($($help),*).trim_ascii(),
                unlike_tokio: $unlike,
            },)*)*];
        }
    };
}
with_worker_numbers!(table);

macro_rules! counters {
    (
        counters { $($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        derived { $($(#[$derived_doc:meta])* $derived_unit:ident $derived:ident $worker_derived:ident $derived_variant:ident $derived_exported:literal $derived_unlike:literal,)* }
        reported { $($(#[$reported_doc:meta])* $reported_unit:ident $reported:ident $worker_reported:ident $reported_variant:ident $reported_exported:literal $reported_unlike:literal,)* }
        gauges { $($gauges:tt)* }
    ) => {
        impl WorkerNumber {
            /// All counters.
            pub const COUNTERS: &'static [Self] = &[$(Self::$variant,)* $(Self::$derived_variant,)* $(Self::$reported_variant,)*];

            /// The counters that a worker's hooks increment, and those that derive from them.
            pub(crate) const HOOK_COUNTERS: &'static [Self] = &[$(Self::$variant,)* $(Self::$derived_variant,)*];

            /// The counters of durations that grow with the time in progress.
            pub(crate) const STATE_TIMES: &'static [Self] = &[
                Self::BusyDurationTotal,
                Self::ParkedDurationTotal,
                Self::SearchingDurationTotal,
                Self::PollingDurationTotal,
                Self::RunningDurationTotal,
            ];
        }
    };
}
with_worker_numbers!(counters);
