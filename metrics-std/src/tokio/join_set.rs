//! [`JoinSet`]: Tokio's `JoinSet`, with measured tasks.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, Id, JoinError, LocalSet};

use super::spawner::{Spawner, is_large, is_large_closure};
use crate::Measured;

/// A set of tasks, as [`tokio::task::JoinSet`] is. The tasks are measured if their runtime is, as those of [`spawn`](super::spawn()) are.
///
/// ```
/// use metrics_std::tokio::JoinSet;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let metrics = metrics_std::tokio::attach_current()?.metrics;
///     let set: JoinSet<usize> = (0..3).map(|n| async move { n }).collect();
///     assert_eq!(set.join_all().await.len(), 3);
///     assert_eq!(metrics.completed_tasks_count(), Some(3));
///     Ok(())
/// }
/// ```
///
/// It does not dereference to Tokio's type, whose methods spawn tasks that are not measured. For code that needs Tokio's type, convert
/// it with [`From`]. [`Spawner::spawn_in`] spawns measured tasks in Tokio's type.
pub struct JoinSet<T>(tokio::task::JoinSet<T>);

impl<T> JoinSet<T> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self(tokio::task::JoinSet::new())
    }

    /// Returns the number of tasks in the set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the set has no task.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the current runtime, as Tokio's method of this name does.
    ///
    /// # Panics
    /// Panics outside a runtime, as Tokio does.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small(Box::pin(task), Location::caller())
        } else {
            self.spawn_small(task, Location::caller())
        }
    }

    #[track_caller]
    fn spawn_small<F>(&mut self, task: F, spawn_location: &'static Location<'static>) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        match Spawner::current() {
            Some(spawner) => spawner.spawn_small_in(&mut self.0, task, spawn_location),
            None => self.0.spawn(task),
        }
    }

    /// Spawns a task on `runtime`, as Tokio's method of this name does.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, runtime: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small_on(Box::pin(task), runtime, Location::caller())
        } else {
            self.spawn_small_on(task, runtime, Location::caller())
        }
    }

    #[track_caller]
    fn spawn_small_on<F>(
        &mut self,
        task: F,
        runtime: &Handle,
        spawn_location: &'static Location<'static>,
    ) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        match Spawner::find(runtime.clone()) {
            Some(spawner) => spawner.spawn_small_in(&mut self.0, task, spawn_location),
            None => self.0.spawn_on(task, runtime),
        }
    }

    /// Spawns a task on the current `LocalSet` or `LocalRuntime`, as Tokio's method of this name does.
    ///
    /// # Panics
    /// Panics outside a `LocalSet` and a `LocalRuntime`, as Tokio does.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small_local(Box::pin(task), None, Location::caller())
        } else {
            self.spawn_small_local(task, None, Location::caller())
        }
    }

    /// Spawns a task on `local_set`, as Tokio's method of this name does. It is measured if the current runtime is.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        if const { is_large::<Measured<F>>() } {
            self.spawn_small_local(Box::pin(task), Some(local_set), Location::caller())
        } else {
            self.spawn_small_local(task, Some(local_set), Location::caller())
        }
    }

    #[track_caller]
    fn spawn_small_local<F>(
        &mut self,
        task: F,
        local_set: Option<&LocalSet>,
        spawn_location: &'static Location<'static>,
    ) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match (Spawner::current(), local_set) {
            (Some(spawner), _) => spawner.spawn_local_small_in(&mut self.0, task, spawn_location, local_set),
            (None, Some(local_set)) => self.0.spawn_local_on(task, local_set),
            (None, None) => self.0.spawn_local(task),
        }
    }

    /// Runs a closure on the blocking pool of the current runtime, as Tokio's method of this name does.
    ///
    /// # Panics
    /// Panics outside a runtime, as Tokio does.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, closure: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        if const { is_large_closure::<F>() } {
            self.spawn_small_blocking(Box::new(closure))
        } else {
            self.spawn_small_blocking(closure)
        }
    }

    #[track_caller]
    fn spawn_small_blocking<F>(&mut self, closure: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match Spawner::current() {
            Some(spawner) => spawner.spawn_blocking_small_in(&mut self.0, closure),
            None => self.0.spawn_blocking(closure),
        }
    }

    /// Runs a closure on the blocking pool of `runtime`, as Tokio's method of this name does.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, closure: F, runtime: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        if const { is_large_closure::<F>() } {
            self.spawn_small_blocking_on(Box::new(closure), runtime)
        } else {
            self.spawn_small_blocking_on(closure, runtime)
        }
    }

    #[track_caller]
    fn spawn_small_blocking_on<F>(&mut self, closure: F, runtime: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match Spawner::find(runtime.clone()) {
            Some(spawner) => spawner.spawn_blocking_small_in(&mut self.0, closure),
            None => self.0.spawn_blocking_on(closure, runtime),
        }
    }

    /// Waits for a task to end and returns its output, or `None` if the set is empty.
    ///
    /// # Errors
    /// Returns the error of a task that panicked or was aborted, as do the other methods that return outputs.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.0.join_next().await
    }

    /// Waits as [`join_next`](Self::join_next) does, and returns the task's ID too.
    ///
    /// # Errors
    /// Returns the error of a task that panicked or was aborted.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.0.join_next_with_id().await
    }

    /// Returns the output of a task that has ended, or `None` if no task has.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.0.try_join_next()
    }

    /// Returns the output and the ID of a task that has ended, or `None` if no task has.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.0.try_join_next_with_id()
    }

    /// Polls for a task that has ended, as Tokio's method of this name does.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.0.poll_join_next(cx)
    }

    /// Polls for a task that has ended, as Tokio's method of this name does.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        self.0.poll_join_next_with_id(cx)
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.0.shutdown().await;
    }

    /// Waits until all tasks have ended, and returns their outputs in the order in which they ended.
    ///
    /// # Panics
    /// Panics if a task panicked or was aborted, as Tokio does.
    pub async fn join_all(self) -> Vec<T> {
        self.0.join_all().await
    }

    /// Aborts all tasks. They remain in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.0.abort_all();
    }

    /// Removes all tasks from the set without aborting them.
    pub fn detach_all(&mut self) {
        self.0.detach_all();
    }
}

impl<T> From<tokio::task::JoinSet<T>> for JoinSet<T> {
    fn from(set: tokio::task::JoinSet<T>) -> Self {
        Self(set)
    }
}

impl<T> From<JoinSet<T>> for tokio::task::JoinSet<T> {
    fn from(set: JoinSet<T>) -> Self {
        set.0
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Spawns each future as [`JoinSet::spawn`] does.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

/// Spawns each future as [`JoinSet::spawn`] does.
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
