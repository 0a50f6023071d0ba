//! Spawning what is measured.

use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use metrics_core::TimeSource;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::home::{Driver, Home};
use crate::{Measured, RuntimeMetrics};

/// Spawns measured tasks on a Tokio runtime. Cheap to clone.
///
/// Each method does what Tokio's of the same name does. The spawn site that stall reports and live records show is the caller of
/// that method.
#[derive(Clone)]
pub struct Spawner {
    runtime: Handle,
    home: Arc<Home>,
    driver: Driver,
}

impl Spawner {
    /// A spawner onto `runtime` that reports to `metrics`.
    ///
    /// The two belong together where both come from one call of [`TokioAdapter::build`](super::TokioAdapter::build). For a runtime that was
    /// built elsewhere, such as by `#[tokio::main]`, [`build_wrapped`](crate::build_wrapped) gives metrics that know the polls of what is
    /// spawned here, and nothing of the runtime.
    pub fn new(runtime: &Handle, metrics: &RuntimeMetrics) -> Self {
        let home = Arc::clone(metrics.probe().home());
        let own = home.tokio.as_ref().is_some_and(|host| host.is_of(runtime));
        let driver = if own { Driver::Spawned } else { Driver::Anyone };
        Self {
            runtime: runtime.clone(),
            home,
            driver,
        }
    }

    /// Spawns a task, as `Handle::spawn`.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(future, Location::caller())
    }

    #[track_caller]
    pub(crate) fn spawn_at<F>(&self, future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime
            .spawn(Measured::spawned(&self.home, future, site, self.driver))
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
        tokio::task::spawn_local(self.measure(future))
    }

    /// Spawns a task into a set, as `JoinSet::spawn_on`.
    #[track_caller]
    pub fn spawn_in<F>(&self, set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = Measured::spawned(&self.home, future, Location::caller(), self.driver);
        set.spawn_on(future, &self.runtime)
    }

    /// Runs a closure on the blocking pool, as `Handle::spawn_blocking`, and measures how long it waited for a thread.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if self.home.registry.blocking_queue_wait_config().is_none() {
            return self.runtime.spawn_blocking(closure);
        }
        let home = Arc::clone(&self.home);
        let queued = home.registry.clock().now();
        self.runtime.spawn_blocking(move || {
            let registry = &home.registry;
            registry.shared().blocking_started(queued, registry.clock().now());
            closure()
        })
    }

    /// Measures a future that is to be spawned by something else, such as a library that takes a future: it counts as a task.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::spawned(&self.home, future, Location::caller(), Driver::Anyone)
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
            .field("metrics", &self.home.registry.name())
            .finish_non_exhaustive()
    }
}
