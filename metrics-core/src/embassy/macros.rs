//! The macro that defines the hooks in the user's binary.

/// Defines embassy-executor's seven trace hooks for an [`EmbassyMetrics`](crate::embassy::EmbassyMetrics) in a `static`.
///
/// Invoke it once in the final binary, which enables embassy-executor's feature `trace` (version 0.10). The functions have
/// names that the linker must find, so the macro emits `#[unsafe(no_mangle)]`; two definitions in one binary fail to link.
///
/// Several cores with an executor each need the number of the core that a hook runs on, from zero:
/// `embassy_trace!(METRICS, core = || usize::from(my_core_number()))`. Without it everything is taken to run on one core, where
/// an executor that begins while another runs has preempted it.
///
/// ```ignore
/// use metrics_core::embassy::{EmbassyClock, EmbassyMetrics};
/// use metrics_core::{Builder, HistogramConfig, embassy_trace};
///
/// static METRICS: EmbassyMetrics<EmbassyClock, 2, 16, 20> = EmbassyMetrics::new(/* Builder::new()... */);
/// embassy_trace!(METRICS);
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
