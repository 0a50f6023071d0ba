//! [`Spawner`] spawns measured tasks.

use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use metrics_core::{BlockingStart, LocationId, RECORDING, TimeSource, Timestamp};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet, LocalSet};

use super::by_id;
use super::leases::TokioLeases;
use crate::record::runtime_leases::PolledBy;
use crate::record::spawning::SpawnGuard;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;
use crate::{Measured, RuntimeMetrics, location};

/// Returns whether Tokio boxes a future of this type when it is spawned. The thresholds are those of Tokio 1.54.
///
/// The function that the user calls must box the future before it wraps it: without optimisation every function that passes a future on
/// has a copy of it on its stack. Callers evaluate this function in a `const` block for the same reason: the branch that is not taken is
/// then not compiled, and the stack frame has no room for its copies.
pub(super) const fn is_large<T>() -> bool {
    size_of::<T>() > if cfg!(debug_assertions) { 2_048 } else { 16_384 }
}

/// Returns whether Tokio boxes the closure that measures the wait of this one.
pub(super) const fn is_large_closure<F>() -> bool {
    is_large::<(Arc<RecordingTarget>, Timestamp, F)>()
}

/// Spawns measured tasks on a Tokio runtime. It is cheap to clone.
///
/// ```
/// use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
/// use tokio::runtime::Builder;
///
/// let MeasuredRuntime { runtime, metrics, spawner } = TokioAdapter::builder().build(&mut Builder::new_current_thread())?;
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
    /// Replaces the spawn locations of its tasks.
    name: Option<LocationId>,
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
            name: None,
        }
    }

    /// Returns a spawner on the current runtime, or `None` outside a runtime and in a runtime that is not measured.
    #[inline]
    pub(super) fn current() -> Option<Self> {
        // Not even the handle is looked up.
        if !RECORDING || by_id::is_empty() {
            return None;
        }
        Self::find(Handle::try_current().ok()?)
    }

    /// Returns a spawner on `runtime`, or `None` if that is not measured.
    #[inline]
    pub(super) fn find(runtime: Handle) -> Option<Self> {
        if !RECORDING {
            return None;
        }
        let id = runtime.id();
        let is_of_runtime =
            |target: &_| TokioLeases::of(target).is_some_and(|leases: &TokioLeases| leases.is_of_id(id));
        // A worker that has polled a measured task has a lease, so it needs no lock.
        let target = thread_leases::find_target(is_of_runtime).or_else(|| by_id::target(id))?;
        Some(Self {
            runtime,
            target,
            polled_by: PolledBy::Runtime,
            name: None,
        })
    }

    /// Returns a spawner whose tasks have this name, from [`location::intern_name`](crate::location::intern_name), in place of their spawn
    /// locations.
    ///
    /// ```
    /// use metrics_std::location::intern_name;
    /// use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
    /// use tokio::runtime::Builder;
    ///
    /// let adapter = TokioAdapter::builder().configure(|builder| builder.locations(64));
    /// let MeasuredRuntime { runtime, metrics, spawner } = adapter.build(&mut Builder::new_current_thread())?;
    /// runtime.block_on(spawner.named(intern_name("resize image")).spawn(async {}))?;
    /// # #[cfg(feature = "record")]
    /// assert_eq!(metrics.snapshot().locations().unwrap()[0].name(), "resize image");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn named(&self, name: LocationId) -> Self {
        Self {
            name: Some(name),
            ..self.clone()
        }
    }

    fn location(&self, spawn_location: &'static Location<'static>) -> LocationId {
        self.name.unwrap_or_else(|| location::intern(spawn_location))
    }

    /// Spawns a measured task, as `Handle::spawn` does.
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
    pub(super) fn spawn_small<F>(
        &self,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = Measured::uncounted(
            &self.target,
            future,
            self.location(spawn_location),
            self.polled_by,
        );
        let spawn = SpawnGuard::begin(future.spawn_location());
        let task = self.runtime.spawn(future);
        spawn.count_unless_refused(&self.target, self.polled_by);
        task
    }

    /// Spawns a measured task on the current `LocalSet` or `LocalRuntime`, as `tokio::task::spawn_local` does. It does not use the
    /// runtime of this spawner.
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
    pub(super) fn spawn_local_small<F>(
        &self,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let polled_by = self.local_tasks_polled_by();
        let future = Measured::uncounted(&self.target, future, self.location(spawn_location), polled_by);
        let spawn = SpawnGuard::begin(future.spawn_location());
        let task = tokio::task::spawn_local(future);
        spawn.count_unless_refused(&self.target, polled_by);
        task
    }

    /// A local runtime counts its own tasks. Tokio does not count the tasks of a `LocalSet`.
    fn local_tasks_polled_by(&self) -> PolledBy {
        match TokioLeases::of(&self.target) {
            Some(leases) if leases.is_local() => PolledBy::Unknown,
            _ => PolledBy::LocalExecutor,
        }
    }

    /// Spawns a measured task in `set`, as `JoinSet::spawn_on` does.
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
    pub(super) fn spawn_small_in<F>(
        &self,
        set: &mut JoinSet<F::Output>,
        future: F,
        spawn_location: &'static Location<'static>,
    ) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = Measured::uncounted(
            &self.target,
            future,
            self.location(spawn_location),
            self.polled_by,
        );
        let spawn = SpawnGuard::begin(future.spawn_location());
        let task = set.spawn_on(future, &self.runtime);
        spawn.count_unless_refused(&self.target, self.polled_by);
        task
    }

    /// Spawns a task in `set` with one of Tokio's functions for local tasks.
    #[track_caller]
    pub(super) fn spawn_local_small_in<F>(
        &self,
        set: &mut JoinSet<F::Output>,
        future: F,
        spawn_location: &'static Location<'static>,
        local_set: Option<&LocalSet>,
    ) -> AbortHandle
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let polled_by = match local_set {
            Some(_) => PolledBy::LocalExecutor,
            None => self.local_tasks_polled_by(),
        };
        let future = Measured::uncounted(&self.target, future, self.location(spawn_location), polled_by);
        let spawn = SpawnGuard::begin(future.spawn_location());
        let task = match local_set {
            Some(local_set) => set.spawn_local_on(future, local_set),
            None => set.spawn_local(future),
        };
        spawn.count_unless_refused(&self.target, polled_by);
        task
    }

    /// Runs a closure on the blocking pool, as `Handle::spawn_blocking` does, and measures how long it waits for a thread.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if const { is_large_closure::<F>() } {
            self.spawn_blocking_small(Box::new(closure))
        } else {
            self.spawn_blocking_small(closure)
        }
    }

    #[track_caller]
    pub(super) fn spawn_blocking_small<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if self.target.registry.blocking_queue_wait_config().is_none() {
            return self.runtime.spawn_blocking(closure);
        }
        self.runtime.spawn_blocking(self.time_wait(closure))
    }

    /// Runs a closure on the blocking pool in `set`.
    #[track_caller]
    pub(super) fn spawn_blocking_small_in<F, R>(&self, set: &mut JoinSet<R>, closure: F) -> AbortHandle
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if self.target.registry.blocking_queue_wait_config().is_none() {
            return set.spawn_blocking_on(closure, &self.runtime);
        }
        set.spawn_blocking_on(self.time_wait(closure), &self.runtime)
    }

    /// Wraps a closure, which measures the time from now to its call.
    fn time_wait<F, R>(&self, closure: F) -> impl FnOnce() -> R + Send + use<F, R>
    where
        F: FnOnce() -> R + Send,
    {
        let target = Arc::clone(&self.target);
        let queued_at = target.registry.clock().now();
        move || {
            let registry = &target.registry;
            registry.shared().blocking_started(BlockingStart {
                queued_at,
                started_at: registry.clock().now(),
            });
            closure()
        }
    }

    /// Wraps a future that other code spawns, such as a library. It counts as a task, spawned now.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::counted(&self.target, future, self.location(Location::caller()))
    }

    pub(super) fn target(&self) -> &Arc<RecordingTarget> {
        &self.target
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
