//! Spawning what is not measured.

use core::future::Future;
#[cfg(feature = "axum")]
use core::panic::Location;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::server::{Measured, RuntimeMetrics};

/// Spawns on a Tokio runtime. Each method is Tokio's of the same name, with what it was given, unchanged.
#[derive(Clone)]
pub struct Spawner {
    runtime: Handle,
}

impl Spawner {
    /// A spawner onto `runtime`.
    pub fn new(runtime: &Handle, _metrics: &RuntimeMetrics) -> Self {
        Self {
            runtime: runtime.clone(),
        }
    }

    /// `Handle::spawn`.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// The same for a server, which has a spawn site to tell metrics-std.
    #[cfg(feature = "axum")]
    #[track_caller]
    pub(crate) fn spawn_at<F>(&self, future: F, _site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// `tokio::task::spawn_local`.
    ///
    /// # Panics
    /// Outside a `LocalSet` and a `LocalRuntime`, as Tokio does.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        tokio::task::spawn_local(future)
    }

    /// `JoinSet::spawn_on`.
    #[track_caller]
    pub fn spawn_in<F>(&self, set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        set.spawn_on(future, &self.runtime)
    }

    /// `Handle::spawn_blocking`.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.runtime.spawn_blocking(closure)
    }

    /// The future as it is.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::unmeasured(future)
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
            .finish_non_exhaustive()
    }
}
