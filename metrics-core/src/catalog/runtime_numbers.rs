//! The table of metrics of the whole runtime, and a value that holds them.

use super::{Metric, MetricKind, MetricScope, MetricSource, exported};

/// Calls a macro with the table of runtime metrics.
///
/// A row contains: documentation and help text, kind, type, getter name, variant, exported name, difference from Tokio.
macro_rules! with_runtime_numbers {
    ($callback:ident) => {
        $callback! {
            /// Tasks accepted by the runtime; under Tokio, of those that were spawned through the spawner.
            Counter u64 spawned_tasks_count SpawnedTasksCount "async_runtime_tasks_spawned_total" "",
            /// Alive tasks whose polls are measured.
            Gauge u64 covered_tasks CoveredTasks "async_runtime_covered_tasks" "New.",
            /// Tasks that were spawned and have not ended, whether they are measured or not.
            Gauge u64 num_alive_tasks NumAliveTasks "async_runtime_alive_tasks" "",
            /// Tasks whose future returned ready; under Tokio, of those that were spawned through the spawner.
            Counter u64 completed_tasks_count CompletedTasksCount "async_runtime_tasks_completed_total" "New.",
            /// Tasks dropped before they were done; under Tokio, of those that were spawned through the spawner.
            Counter u64 cancelled_tasks_count CancelledTasksCount "async_runtime_tasks_cancelled_total" "New.",
            /// Tasks that panicked; under Tokio, of those that were spawned through the spawner.
            Counter u64 panicked_tasks_count PanickedTasksCount "async_runtime_tasks_panicked_total" "New.",
            /// Tasks in the queue that all workers share.
            Gauge u64 global_queue_depth GlobalQueueDepth "async_runtime_global_queue_depth" "",
            /// Tasks scheduled onto the global queue from outside a worker.
            Counter u64 remote_schedule_count RemoteScheduleCount "async_runtime_remote_schedules_total" "",
            /// Workers that are parked: they wait for work.
            Gauge u64 num_parked_workers NumParkedWorkers "async_runtime_parked_workers" "New.",
            /// Threads of the blocking pool.
            Gauge u64 num_blocking_threads NumBlockingThreads "async_runtime_blocking_threads" "",
            /// Threads of the blocking pool that wait for work.
            Gauge u64 num_idle_blocking_threads NumIdleBlockingThreads "async_runtime_idle_blocking_threads" "",
            /// Closures waiting for a thread of the blocking pool.
            Gauge u64 blocking_queue_depth BlockingQueueDepth "async_runtime_blocking_queue_depth" "",
            /// Registrations with the I/O driver; absent without a driver.
            Counter u64 io_driver_fd_registered_count IoDriverFdRegisteredCount "async_runtime_io_driver_registrations_total"
                "Tokio reports 0 without a driver.",
            /// Deregistrations from the I/O driver; absent without a driver.
            Counter u64 io_driver_fd_deregistered_count IoDriverFdDeregisteredCount "async_runtime_io_driver_deregistrations_total"
                "Tokio reports 0 without a driver.",
            /// Readiness events from the I/O driver; absent without a driver.
            Counter u64 io_driver_ready_count IoDriverReadyCount "async_runtime_io_driver_ready_events_total"
                "Tokio reports 0 without a driver.",
            /// Polls that lasted at least the threshold of the runtime's watchdog; absent until one watches.
            Counter u64 poll_stall_count PollStallCount "async_runtime_poll_stalls_total" "New.",
            /// Times that a worker was awake without progress for the threshold of the watchdog; absent if that can't be detected.
            Counter u64 no_progress_stall_count NoProgressStallCount "async_runtime_no_progress_stalls_total" "New.",
            /// Times that workers ran short polls and none turned the driver for the threshold of the watchdog; absent until a timer probe runs.
            Counter u64 queue_stall_count QueueStallCount "async_runtime_queue_stalls_total" "New.",
            /// Whether the runtime is overloaded: 1 once delays have stayed above the target for an interval, until an interval passes without shedding; otherwise 0; absent until a watch runs.
            Gauge u64 overload Overload "async_runtime_overload" "New.",
            /// Time that threads of the process's cgroup were throttled: they had used up its CPU quota; only on Linux.
            Counter Duration cpu_throttled_duration_total CpuThrottledDurationTotal "async_runtime_cpu_throttled_seconds_total" "New.",
            /// Periods in which the process's cgroup used up its CPU quota; only on Linux.
            Counter u64 cpu_throttled_count CpuThrottledCount "async_runtime_cpu_throttled_periods_total" "New.",
        }
    };
}
pub(crate) use with_runtime_numbers;

/// The type of a runtime metric's getter, and the conversion to it.
macro_rules! in_unit {
    (u64) => {
        u64
    };
    (Duration) => {
        core::time::Duration
    };
    (u64, from) => {
        core::convert::identity
    };
    (Duration, from) => {
        core::time::Duration::from_nanos
    };
}
pub(crate) use in_unit;

macro_rules! unit {
    (u64) => {
        $crate::catalog::MetricUnit::Count
    };
    (Duration) => {
        $crate::catalog::MetricUnit::Nanoseconds
    };
}
pub(super) use unit;

macro_rules! table {
    ($($(#[doc = $help:literal])* $kind:ident $unit:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        /// A metric of the whole runtime.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum RuntimeNumber {
            $($(#[doc = $help])* $variant,)*
        }

        impl RuntimeNumber {
            /// All metrics, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the metric's name in the list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }

            /// Returns `true` if the metric is a counter, which never decreases.
            pub const fn is_counter(self) -> bool {
                match self {
                    $(Self::$variant => matches!(MetricKind::$kind, MetricKind::Counter),)*
                }
            }

            pub(super) const METRICS: &'static [Metric] = &[$(Metric {
                name: stringify!($name),
                exported: exported($exported),
                source: MetricSource::Runtime(Self::$variant),
                scope: MetricScope::Runtime,
                kind: MetricKind::$kind,
                unit: unit!($unit),
                help: concat!($($help),*).trim_ascii(),
                unlike_tokio: $unlike,
            },)*];
        }
    };
}
with_runtime_numbers!(table);

/// The metrics of a whole runtime at one moment. A metric that was not measured is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RuntimeNumbers {
    /// One bit for each metric that has a value.
    known: u32,
    values: [u64; RuntimeNumber::ALL.len()],
}

const _: () = assert!(RuntimeNumber::ALL.len() <= u32::BITS as usize);

impl RuntimeNumbers {
    /// No values.
    pub const NONE: Self = Self {
        known: 0,
        values: [0; RuntimeNumber::ALL.len()],
    };

    /// Returns the value of `number`.
    pub const fn get(&self, number: RuntimeNumber) -> Option<u64> {
        if self.known & (1 << number as u8) != 0 {
            Some(self.values[number as usize])
        } else {
            None
        }
    }

    /// Replaces the value of `number`.
    pub const fn set(&mut self, number: RuntimeNumber, value: Option<u64>) {
        if let Some(value) = value {
            self.known |= 1 << number as u8;
            self.values[number as usize] = value;
        } else {
            self.known &= !(1 << number as u8);
            self.values[number as usize] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_number_has_a_value_of_its_own() {
        let mut numbers = RuntimeNumbers::NONE;
        for (i, &number) in RuntimeNumber::ALL.iter().enumerate() {
            assert_eq!(numbers.get(number), None);
            numbers.set(number, Some(i as u64));
        }
        for (i, &number) in RuntimeNumber::ALL.iter().enumerate() {
            assert_eq!(numbers.get(number), Some(i as u64));
        }
        numbers.set(RuntimeNumber::GlobalQueueDepth, None);
        assert_eq!(numbers.get(RuntimeNumber::GlobalQueueDepth), None);
    }
}
