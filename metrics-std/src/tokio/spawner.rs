//! [`Spawner`] spawns measured tasks.

use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use metrics_core::{BlockingStart, TimeSource, Timestamp};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::leases::TokioLeases;
use crate::record::runtime_leases::PolledBy;
use crate::record::spawning;
use crate::record::target::RecordingTarget;
use crate::{Measured, RuntimeMetrics};

/// Returns whether Tokio boxes a future of this type when it is spawned. The thresholds are those of Tokio 1.54.
///
/// The function that the user calls must box the future before it wraps it: without optimisation every function that passes a future on
/// has a copy of it on its stack. Callers evaluate this function in a `const` block for the same reason: the branch that is not taken is
/// then not compiled, and the stack frame has no room for its copies.
const fn is_large<T>() -> bool {
    size_of::<T>() > if cfg!(debug_assertions) { 2_048 } else { 16_384 }
}

/// Spawns measured tasks on a Tokio runtime. It is cheap to clone.
///
/// ```
/// use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
/// use tokio::runtime::Builder;
///
/// let MeasuredRuntime { runtime, metrics } = TokioAdapter::builder().build(&mut Builder::new_current_thread())?;
/// let spawner = Spawner::new(runtime.handle(), &metrics);
/// let answer = runtime.block_on(spawner.spawn(async { 6 * 7 }))?;
/// assert_eq!(answer, 42);
/// assert_eq!(metrics.spawned_tasks_count(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each method spawns as Tokio's function of that name does. Stall reports and live records show the caller of the method as the spawn
/// location.
#[derive(Clone)]
pub struct Spawner {
    runtime: Handle,
    target: Arc<RecordingTarget>,
    polled_by: PolledBy,
}

impl Spawner {
    /// Creates a spawner that spawns on `runtime` and records in `metrics`.
    ///
    /// Pass the runtime and the metrics that one call of [`TokioAdapter::build`](super::TokioAdapter::build) returned. For a runtime that
    /// was built elsewhere, such as by `#[tokio::main]`, pass the metrics of [`build_wrapped`](crate::build_wrapped): they record the tasks
    /// spawned through this spawner, and nothing else of the runtime.
    pub fn new(runtime: &Handle, metrics: &RuntimeMetrics) -> Self {
        let target = Arc::clone(metrics.probe().target());
        let is_of_runtime = TokioLeases::of(&target).is_some_and(|leases| leases.is_of(runtime));
        Self {
            runtime: runtime.clone(),
            target,
            polled_by: if is_of_runtime {
                PolledBy::Runtime
            } else {
                PolledBy::Unknown
            },
        }
    }

    /// Spawns a measured task, as `Handle::spawn`.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small(Box::pin(future), Location::caller())
        } else {
            self.spawn_small(future, Location::caller())
        }
    }

    /// Spawns a task as [`spawn`](Self::spawn) does, with this spawn location instead of the caller.
    #[cfg(feature = "axum")]
    #[track_caller]
    pub(crate) fn spawn_at<F>(
        &self,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small(Box::pin(future), spawn_location)
        } else {
            self.spawn_small(future, spawn_location)
        }
    }

    #[track_caller]
    fn spawn_small<F>(&self, future: F, spawn_location: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = Measured::uncounted(&self.target, future, spawn_location, self.polled_by);
        spawning::count_accepted(&self.target, self.polled_by, || self.runtime.spawn(future))
    }

    /// Spawns a measured task on the current `LocalSet` or `LocalRuntime`, as `tokio::task::spawn_local`. It does not use the runtime of
    /// this spawner.
    ///
    /// # Panics
    /// Panics outside a `LocalSet` and a `LocalRuntime`, as Tokio does.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_local_small(Box::pin(future), Location::caller())
        } else {
            self.spawn_local_small(future, Location::caller())
        }
    }

    #[track_caller]
    fn spawn_local_small<F>(
        &self,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // A local runtime counts its own tasks. Tokio does not count the tasks of a `LocalSet`.
        let polled_by = match TokioLeases::of(&self.target) {
            Some(leases) if leases.is_local() => PolledBy::Unknown,
            _ => PolledBy::LocalExecutor,
        };
        let future = Measured::uncounted(&self.target, future, spawn_location, polled_by);
        spawning::count_accepted(&self.target, polled_by, || tokio::task::spawn_local(future))
    }

    /// Spawns a measured task in `set`, as `JoinSet::spawn_on`.
    #[track_caller]
    pub fn spawn_in<F>(&self, set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small_in(set, Box::pin(future), Location::caller())
        } else {
            self.spawn_small_in(set, future, Location::caller())
        }
    }

    #[track_caller]
    fn spawn_small_in<F>(
        &self,
        set: &mut JoinSet<F::Output>,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = Measured::uncounted(&self.target, future, spawn_location, self.polled_by);
        spawning::count_accepted(&self.target, self.polled_by, || {
            set.spawn_on(future, &self.runtime)
        })
    }

    /// Runs a closure on the blocking pool, as `Handle::spawn_blocking`, and measures how long it waits for a thread.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if self.target.registry.blocking_queue_wait_config().is_none() {
            return self.runtime.spawn_blocking(closure);
        }
        // The spawned closure captures these.
        if const { is_large::<(Arc<RecordingTarget>, Timestamp, F)>() } {
            self.spawn_blocking_small(Box::new(closure))
        } else {
            self.spawn_blocking_small(closure)
        }
    }

    #[track_caller]
    fn spawn_blocking_small<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let target = Arc::clone(&self.target);
        let queued_at = target.registry.clock().now();
        self.runtime.spawn_blocking(move || {
            let registry = &target.registry;
            registry.shared().blocking_started(BlockingStart {
                queued_at,
                started_at: registry.clock().now(),
            });
            closure()
        })
    }

    /// Wraps a future that other code spawns, such as a library. It counts as a task, spawned now.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::counted(&self.target, future, Location::caller())
    }

    /// Returns the handle of the runtime on which this spawner spawns.
    pub fn handle(&self) -> &Handle {
        &self.runtime
    }
}

impl core::fmt::Debug for Spawner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Spawner")
            .field("runtime", &self.runtime.id())
            .field("metrics", &self.target.registry.name())
            .finish_non_exhaustive()
    }
}
