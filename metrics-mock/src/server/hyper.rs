//! hyper: the [`Spawner`] as an executor. This is metrics-std's own file: what spawns, spawns as there.

#[cfg(feature = "axum")]
use alloc::boxed::Box;
use core::future::Future;

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
pub type Task = core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
