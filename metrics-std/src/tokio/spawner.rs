//! Spawning what is measured.

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

/// Whether Tokio would box a value of this type before it makes a task of it. The thresholds are those of Tokio 1.54.
///
/// Boxing has to happen in the function that the user calls, before the future is wrapped: without optimisation every function that a
/// future passes through has a copy of it on the stack. For the same reason callers decide in a `const` block: the branch that is not
/// taken is then not compiled, and the frame has no room for its copies.
const fn is_large<T>() -> bool {
    size_of::<T>() > if cfg!(debug_assertions) { 2_048 } else { 16_384 }
}

/// Spawns measured tasks on a Tokio runtime. Cheap to clone.
///
/// Each method does what Tokio's of the same name does. The spawn location that stall reports and live records show is the caller of
/// that method.
#[derive(Clone)]
pub struct Spawner {
    runtime: Handle,
    target: Arc<RecordingTarget>,
    polled_by: PolledBy,
}

impl Spawner {
    /// A spawner onto `runtime` that reports to `metrics`.
    ///
    /// The two belong together where both come from one call of [`TokioAdapter::build`](super::TokioAdapter::build). For a runtime that was
    /// built elsewhere, such as by `#[tokio::main]`, [`build_wrapped`](crate::build_wrapped) gives metrics that know the polls of what is
    /// spawned here, and nothing of the runtime.
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

    /// Spawns a task, as `Handle::spawn`.
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

    /// [`spawn`](Self::spawn) with the spawn location of somebody else's call.
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

    /// Spawns a task that stays on this thread, as `tokio::task::spawn_local`: on the current `LocalSet` or `LocalRuntime`, whichever
    /// runtime this spawner is for.
    ///
    /// # Panics
    /// Outside a `LocalSet` and a `LocalRuntime`, as Tokio does.
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
        // The tasks of a local runtime are among those that it counts, the tasks of a `LocalSet` are not.
        let polled_by = match TokioLeases::of(&self.target) {
            Some(leases) if leases.is_local() => PolledBy::Unknown,
            _ => PolledBy::LocalExecutor,
        };
        let future = Measured::uncounted(&self.target, future, spawn_location, polled_by);
        spawning::count_accepted(&self.target, polled_by, || tokio::task::spawn_local(future))
    }

    /// Spawns a task into a set, as `JoinSet::spawn_on`.
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

    /// Runs a closure on the blocking pool, as `Handle::spawn_blocking`, and measures how long it waited for a thread.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if self.target.registry.blocking_queue_wait_config().is_none() {
            return self.runtime.spawn_blocking(closure);
        }
        // The closure that is spawned holds these beside the user's.
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

    /// Measures a future that is to be spawned by something else, such as a library that takes a future: it counts as a task.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::counted(&self.target, future, Location::caller())
    }

    /// The runtime it spawns on.
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
