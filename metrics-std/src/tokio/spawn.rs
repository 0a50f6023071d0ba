//! Spawns measured tasks on the current runtime, with the signatures of Tokio's functions.

use core::future::Future;
use core::panic::Location;

use tokio::task::JoinHandle;

use super::spawner::{Spawner, is_large, is_large_closure};
use crate::Measured;

/// Spawns a task on the current runtime, as `tokio::spawn` does. If the runtime is measured, so is the task.
///
/// ```
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let metrics = metrics_std::tokio::attach_current()?.metrics;
///     metrics_std::tokio::spawn(async {}).await?;
///     assert_eq!(metrics.completed_tasks_count(), Some(1));
///     Ok(())
/// }
/// ```
///
/// A runtime is measured if [`TokioAdapter::build`](super::TokioAdapter::build) has built it, or from a call of
/// [`attach()`](super::attach()) on. In any other runtime this is `tokio::spawn`. A library can call it in either case.
///
/// # Panics
/// Panics outside a runtime, as Tokio does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if const { is_large::<Measured<F>>() } {
        spawn_small(Box::pin(future), Location::caller())
    } else {
        spawn_small(future, Location::caller())
    }
}

#[track_caller]
fn spawn_small<F>(future: F, spawn_location: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match Spawner::current() {
        Some(spawner) => spawner.spawn_small(future, spawn_location),
        None => tokio::spawn(future),
    }
}

/// Spawns a task on the current `LocalSet` or `LocalRuntime`, as `tokio::task::spawn_local` does. If the current runtime is measured, so
/// is the task.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = metrics_std::tokio::attach_current()?.metrics;
/// let local = tokio::task::LocalSet::new();
/// local.run_until(async { metrics_std::tokio::spawn_local(async {}).await }).await?;
/// assert_eq!(metrics.completed_tasks_count(), Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Panics outside a `LocalSet` and a `LocalRuntime`, as Tokio does.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if const { is_large::<Measured<F>>() } {
        spawn_local_small(Box::pin(future), Location::caller())
    } else {
        spawn_local_small(future, Location::caller())
    }
}

#[track_caller]
fn spawn_local_small<F>(future: F, spawn_location: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match Spawner::current() {
        Some(spawner) => spawner.spawn_local_small(future, spawn_location),
        None => tokio::task::spawn_local(future),
    }
}

/// Runs a closure on the blocking pool of the current runtime, as `tokio::task::spawn_blocking` does. If the runtime is measured, so is the
/// time for which the closure waits for a thread.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = metrics_std::tokio::attach_current()?.metrics;
/// metrics_std::tokio::spawn_blocking(|| ()).await?;
/// let snapshot = metrics.snapshot();
/// assert_eq!(snapshot.blocking_queue_wait().map(|wait| wait.count()), Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Panics outside a runtime, as Tokio does.
#[track_caller]
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    if const { is_large_closure::<F>() } {
        spawn_blocking_small(Box::new(closure))
    } else {
        spawn_blocking_small(closure)
    }
}

#[track_caller]
fn spawn_blocking_small<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    match Spawner::current() {
        Some(spawner) => spawner.spawn_blocking_small(closure),
        None => tokio::task::spawn_blocking(closure),
    }
}
