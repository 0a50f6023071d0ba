//! Getters of what is not measured.

/// Getters that answer `None`, whatever they are asked.
macro_rules! unmeasured {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
        $(
            /// `None`: it is not measured.
            pub fn $name(&self, $($arg: $kind),*) -> Option<$out> {
                $(let _ = $arg;)*
                None
            }
        )*
    };
}
pub(super) use unmeasured;

/// The per-worker counters, as getters of those of one value.
macro_rules! unmeasured_counters {
    () => {
        $crate::base::getters::unmeasured! {
            counter(counter: metrics_core::Counter) -> u64;
            busy_duration_total() -> core::time::Duration;
            park_count() -> u64;
            park_unpark_count() -> u64;
            noop_count() -> u64;
            poll_count() -> u64;
            steal_count() -> u64;
            steal_operations() -> u64;
            local_schedule_count() -> u64;
            overflow_count() -> u64;
            overflow_tasks() -> u64;
            budget_forced_yield_count() -> u64;
            root_polls() -> u64;
            nested_polls() -> u64;
        }
    };
}
pub(super) use unmeasured_counters;
