//! hyper: the [`Spawner`] as an executor. This is metrics-std's own file: what spawns, spawns as there.

#[cfg(feature = "axum")]
use alloc::boxed::Box;
use core::future::Future;
#[cfg(feature = "axum")]
use core::pin::Pin;
#[cfg(feature = "axum")]
use std::sync::Arc;

use crate::tokio::Spawner;

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(self.spawn(future));
    }
}

/// What a task of a server does, with its type forgotten.
#[cfg(feature = "axum")]
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A spawner whose tasks all have one spawn site: hyper's own call of `execute` says nothing to a user.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct SpawnAt {
    pub(crate) spawner: Spawner,
    pub(crate) site: &'static core::panic::Location<'static>,
    /// What the user makes of each task.
    pub(crate) wrap: Option<Arc<dyn Fn(Task) -> Task + Send + Sync>>,
}

#[cfg(feature = "axum")]
impl<F> hyper::rt::Executor<F> for SpawnAt
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        match &self.wrap {
            None => drop(self.spawner.spawn_at(future, self.site)),
            Some(wrap) => {
                let task = wrap(Box::pin(async move { drop(future.await) }));
                drop(self.spawner.spawn_at(task, self.site));
            }
        }
    }
}
