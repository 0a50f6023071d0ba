//! [`MeasuredRuntime`]: a runtime, the reader of its metrics and a spawner.

use core::future::Future;

use tokio::runtime::{Handle, LocalRuntime, Runtime};

use super::spawner::Spawner;
use crate::{Measured, RuntimeMetrics};

/// A measured Tokio runtime, the reader of its metrics and a spawner.
///
/// ```
/// use metrics_std::tokio::TokioAdapter;
/// use tokio::runtime::Builder;
///
/// let measured = TokioAdapter::builder().build(Builder::new_multi_thread().enable_all())?;
/// let answer = measured.block_on(async { measured.spawner.spawn(async { 6 * 7 }).await })?;
/// assert_eq!(answer, 42);
/// assert_eq!(measured.metrics.completed_tasks_count(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MeasuredRuntime<R = Runtime> {
    /// The runtime: a [`Runtime`] from [`TokioAdapter::build`](super::TokioAdapter::build), a [`LocalRuntime`] from
    /// [`TokioAdapter::build_local`](super::TokioAdapter::build_local), or the [`Handle`] that was passed to [`attach()`](super::attach()).
    pub runtime: R,
    /// Reads the metrics. It does not keep the runtime alive.
    pub metrics: RuntimeMetrics,
    /// Spawns measured tasks on the runtime.
    pub spawner: Spawner,
}

impl<R> MeasuredRuntime<R> {
    pub(super) fn new(handle: &Handle, runtime: R, metrics: RuntimeMetrics) -> Self {
        Self {
            spawner: Spawner::new(handle, &metrics),
            runtime,
            metrics,
        }
    }
}

impl MeasuredRuntime<Runtime> {
    /// Runs a future to completion on this thread, as `Runtime::block_on` does, and measures it as the [root](Measured::root).
    ///
    /// # Panics
    /// Panics inside a runtime, as Tokio does.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(Measured::root(&self.metrics, future))
    }
}

impl MeasuredRuntime<LocalRuntime> {
    /// Runs a future to completion on this thread, as `LocalRuntime::block_on` does, and measures it as the [root](Measured::root).
    ///
    /// # Panics
    /// Panics inside a runtime, as Tokio does.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(Measured::root(&self.metrics, future))
    }
}

impl MeasuredRuntime<Handle> {
    /// Runs a future to completion on this thread, as `Handle::block_on` does, and measures it as the [root](Measured::root). In a
    /// function with `#[tokio::main]`, wrap the future in [`Measured::root`] instead.
    ///
    /// # Panics
    /// Panics inside a runtime, as Tokio does.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(Measured::root(&self.metrics, future))
    }
}
