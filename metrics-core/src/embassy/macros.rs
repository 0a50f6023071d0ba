//! The macro that defines the hooks in the final binary.

/// Defines embassy-executor's seven trace hooks for an [`EmbassyMetrics`](crate::embassy::EmbassyMetrics) in a `static`.
///
/// Invoke it once in the final binary, which enables embassy-executor's feature `trace` (version 0.10). The linker
/// must find the functions by name, so the macro emits `#[unsafe(no_mangle)]`. Two definitions in one binary fail to
/// link.
///
/// If several cores run executors, pass the number of the core that a hook runs on, from zero:
/// `embassy_trace!(METRICS, core = || usize::from(my_core_number()))`. Without it, everything is assumed to run on one
/// core, where an executor that starts while another runs has preempted it.
///
/// ```no_run,standalone_crate
/// # #[cfg(feature = "embassy-time")]
/// # mod firmware {
/// use metrics_core::embassy::{EmbassyClock, EmbassyConfig, EmbassyMetrics, MEASURED};
/// use metrics_core::{Builder, StaticRegistryConfig, HistogramConfig, embassy_trace};
///
/// const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 20) {
///     Ok(layout) => layout,
///     Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
/// };
///
/// struct Config;
///
/// // Two executors: a thread's and an interrupt's.
/// impl EmbassyConfig<2, 20> for Config {
///     const REGISTRY: StaticRegistryConfig<2, 20> = match Builder::new()
///         .measures(MEASURED)
///         .poll_time(LAYOUT)
///         .schedule_latency(LAYOUT)
///         .describe(EmbassyClock::TICKS_PER_SECOND, EmbassyClock::RESOLUTION)
///     {
///         Ok(config) => config,
///         Err(_) => panic!("two histograms of 20 buckets fit"),
///     };
/// }
///
/// // And a row for each of 8 tasks.
/// static METRICS: EmbassyMetrics<Config, EmbassyClock, 2, 8, 20> = EmbassyMetrics::new(EmbassyClock);
///
/// embassy_trace!(METRICS);
/// # }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! embassy_trace {
    ($metrics:expr) => {
        $crate::embassy_trace!($metrics, core = || 0);
    };
    ($metrics:expr, core = $core:expr) => {
        const _: () = {
            #[unsafe(no_mangle)]
            fn _embassy_trace_poll_start(executor_id: u32) {
                let core: fn() -> usize = $core;
                $metrics.poll_start(executor_id, core());
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_task_new(executor_id: u32, task_id: u32) {
                $metrics.task_new(executor_id, task_id);
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_task_end(executor_id: u32, task_id: u32) {
                $metrics.task_end(executor_id, task_id);
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_task_exec_begin(executor_id: u32, task_id: u32) {
                $metrics.task_exec_begin(executor_id, task_id);
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_task_exec_end(executor_id: u32, task_id: u32) {
                $metrics.task_exec_end(executor_id, task_id);
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_task_ready_begin(executor_id: u32, task_id: u32) {
                $metrics.task_ready_begin(executor_id, task_id);
            }

            #[unsafe(no_mangle)]
            fn _embassy_trace_executor_idle(executor_id: u32) {
                $metrics.executor_idle(executor_id);
            }
        };
    };
}
