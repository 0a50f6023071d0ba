//! [`attach()`] measures a runtime that was built elsewhere, such as by `#[tokio::main]`.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metrics_core::{ConfigError, RECORDING};
use tokio::runtime::Handle;

use super::by_id::{self, Options};
use super::leases::TokioLeases;
use super::measured_runtime::MeasuredRuntime;
use super::{TokioAdapter, adapter};
use crate::record::runtime_leases::RuntimeLeases;
use crate::record::target::RecordingTarget;
use crate::{Registry, RuntimeMetrics};

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

/// The error of [`attach()`], [`attach_current`] and [`TokioAdapter::attach`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The calling thread is not in a Tokio runtime.
    NoRuntime,
    /// The runtime has shut down.
    RuntimeEnded,
    /// The runtime is already measured with other options.
    OtherOptions {
        /// The name under which the runtime is measured.
        name: String,
    },
    /// The adapter has callbacks, which Tokio accepts only while a runtime is built.
    Callbacks,
    /// The configuration is invalid.
    Config(ConfigError),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => {
                f.write_str("this thread is not in a Tokio runtime: attach inside it, or pass its handle to `attach`")
            }
            Self::RuntimeEnded => f.write_str("the runtime has shut down: attach while it runs"),
            Self::OtherOptions { name } => write!(
                f,
                "the runtime is already measured, as {name:?}, with other options: use the same options, or the reader that the first \
                 call returned"
            ),
            Self::Callbacks => f.write_str(
                "callbacks can't be added to a runtime that exists: pass them to Tokio's builder, or build the runtime with the adapter",
            ),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // `Display` prints the inner error's text, so the source is that of the inner error.
            Self::Config(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ConfigError> for AttachError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Held while a runtime is looked up and added, so that two threads do not both add it. The user's clock and task hooks are called while
/// it is held.
static ATTACHING: Mutex<()> = Mutex::new(());

/// Returns the reader of a runtime: the existing one, or a new one that records in `registry`.
pub(super) fn find_or_add(runtime: &Handle, registry: Arc<Registry>) -> Result<RuntimeMetrics, AttachError> {
    let _attaching = ATTACHING.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Options::of(&registry);
    match by_id::find(runtime.id(), &options) {
        Some((metrics, true)) => return Ok(metrics),
        Some((metrics, false)) => {
            return Err(AttachError::OtherOptions {
                name: metrics.name().into(),
            });
        }
        None => {}
    }
    let leases = Arc::new(TokioLeases::attached(&registry, runtime));
    let assigns: Arc<dyn RuntimeLeases> = Arc::<TokioLeases>::clone(&leases);
    let target = Arc::new(RecordingTarget::with_runtime(registry, assigns));
    let metrics = adapter::add(runtime, &target, &leases);
    // A runtime that has shut down drops a new task at once, which removes the runtime from the list.
    if RECORDING && by_id::find(runtime.id(), &options).is_none() {
        return Err(AttachError::RuntimeEnded);
    }
    Ok(metrics)
}
