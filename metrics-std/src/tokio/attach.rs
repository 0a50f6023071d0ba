//! [`attach()`] measures a runtime that was built elsewhere, such as by `#[tokio::main]`.

use tokio::runtime::Handle;

use super::TokioAdapter;
use super::attach_error::AttachError;
use super::measured_runtime::MeasuredRuntime;

/// Measures a runtime that was built elsewhere, with the default options.
///
/// ```
/// #[tokio::main]
/// async fn main() -> Result<(), metrics_std::tokio::AttachError> {
///     let runtime = tokio::runtime::Handle::current();
///     let attached = metrics_std::tokio::attach(&runtime)?;
///     attached.spawner.spawn(async {}).await.expect("it does not panic");
///     assert_eq!(attached.metrics.completed_tasks_count(), Some(1));
///     Ok(())
/// }
/// ```
///
/// From this call until the runtime shuts down, readers see the workers, the alive tasks, the parks, the queue depth and the busy time
/// that Tokio counts, and everything that the wrappers of this crate record of the tasks that they spawn. The [table](super) shows what
/// only [`TokioAdapter::build`] can measure. [`TokioAdapter::attach`] takes options.
///
/// Several callers may attach to one runtime: with equal options, all of them get readers of the same metrics.
///
/// To detect the end of the runtime, this function spawns a task that never completes. The task is not counted. The user's own task hooks,
/// which exist under `--cfg tokio_unstable`, are called for it. Such a hook, and a [custom](crate::Clock::custom) clock, must not attach to
/// a runtime: its call would wait for this one, without end.
///
/// # Errors
/// Returns an [`AttachError`] if the runtime is already measured with other options, or has shut down.
pub fn attach(runtime: &Handle) -> Result<MeasuredRuntime<Handle>, AttachError> {
    TokioAdapter::builder().attach(runtime)
}

/// Measures the current runtime, as [`attach()`] does.
///
/// ```
/// #[tokio::main]
/// async fn main() -> Result<(), metrics_std::tokio::AttachError> {
///     let metrics = metrics_std::tokio::attach_current()?.metrics;
///     assert_eq!(metrics.num_alive_tasks(), Some(0));
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Returns [`AttachError::NoRuntime`] outside a runtime, and the errors of [`attach()`].
pub fn attach_current() -> Result<MeasuredRuntime<Handle>, AttachError> {
    let runtime = Handle::try_current().map_err(|_| AttachError::NoRuntime)?;
    attach(&runtime)
}
