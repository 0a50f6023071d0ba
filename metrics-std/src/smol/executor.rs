//! [`Executor`]: an `async_executor::Executor` whose tasks are measured.

use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::pin;
use std::sync::Arc;

use async_executor::Task;
use metrics_core::{Builder, LocationId};

use super::pool::Pool;
use super::runner::{self, Current, Runner};
use crate::build::{BuildError, RuntimeMetrics};
use crate::{Clock, Measured, location};

/// An executor whose tasks and whose running threads are measured. Clones share one executor.
///
/// The [module documentation](super) lists what is measured.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    executor: async_executor::Executor<'static>,
    pool: Arc<Pool>,
}

impl Executor {
    /// Creates an executor. It runs on the threads that poll the future of [`run`](Self::run).
    ///
    /// This replaces the workers and the measured metrics of `builder`, and sets the start time to now.
    ///
    /// # Errors
    /// Returns [`BuildError::Config`] if the configuration is invalid.
    pub fn new(builder: Builder<'_>, clock: Clock) -> Result<Self, BuildError> {
        Ok(Self(Arc::new(Shared {
            executor: async_executor::Executor::new(),
            pool: Pool::new(builder, clock)?,
        })))
    }

    /// Returns the reader of the executor's metrics.
    pub fn metrics(&self) -> &RuntimeMetrics {
        &self.0.pool.metrics
    }

    /// Spawns a task, as `async_executor::Executor::spawn` does. Its spawn location is the caller's.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named(location::intern(Location::caller()), future)
    }

    /// Spawns a task whose name, from [`location::intern_name`](crate::location::intern_name), replaces the spawn location.
    pub fn spawn_named<F>(&self, name: LocationId, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.executor.spawn(self.0.pool.task(name, future))
    }

    /// Spawns several tasks and adds their handles to `handles`, as `async_executor::Executor::spawn_many` does: it takes the lock of the
    /// executor less often than a call of [`spawn`](Self::spawn) for each. Their spawn location is the caller's.
    #[track_caller]
    pub fn spawn_many<F>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<F::Output>>,
    ) where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let location = location::intern(Location::caller());
        let tasks = futures
            .into_iter()
            .map(|future| self.0.pool.task(location, future));
        self.0.executor.spawn_many(tasks, handles);
    }

    /// Runs tasks until `future` completes, as `async_executor::Executor::run` does. Meanwhile the thread is a worker.
    ///
    /// The returned future stays on the thread that polls it first. Call this once on each thread that is to run tasks:
    ///
    /// ```
    /// # use metrics_std::{Builder, Clock, smol::Executor};
    /// # let executor = Executor::new(Builder::new(), Clock::new())?;
    /// let threads = [1, 2].map(|_| {
    ///     let executor = executor.clone();
    ///     std::thread::spawn(move || futures::executor::block_on(executor.run(async { /* until a signal */ })))
    /// });
    /// # threads.map(|thread| thread.join().unwrap());
    /// # Ok::<(), metrics_std::BuildError>(())
    /// ```
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        let root = Measured::root(self.metrics(), future);
        let executor = self.clone();
        Runner::new(Arc::clone(&self.0.pool), Some(self.clone()), async move {
            executor.0.executor.run(root).await
        })
    }

    /// Polls one task that is ready, as `async_executor::Executor::try_tick` does. Returns whether there was one.
    ///
    /// This does not make the thread a worker: the poll is recorded, and no park is.
    pub fn try_tick(&self) -> bool {
        let _current = Current::enter(&self.0.pool, Some(self), false);
        self.0.executor.try_tick()
    }

    /// Waits until a task is ready and polls it, as `async_executor::Executor::tick` does.
    ///
    /// This does not make the thread a worker: the poll is recorded, and no park is.
    pub async fn tick(&self) {
        let mut tick = pin!(self.0.executor.tick());
        poll_fn(|cx| {
            let _current = Current::enter(&self.0.pool, Some(self), false);
            tick.as_mut().poll(cx)
        })
        .await;
    }

    /// Returns whether no task of the executor is alive.
    pub fn is_empty(&self) -> bool {
        self.0.executor.is_empty()
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Executor").field(&self.0.executor).finish()
    }
}

/// Spawns a task on the executor that runs on this thread, as [`Executor::spawn`] does.
///
/// # Panics
/// Panics outside [`Executor::run`], [`Executor::tick`] and [`Executor::try_tick`].
#[track_caller]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(executor) = runner::current() else {
        panic!(
            "no executor runs on this thread: call this in a future that `metrics_std::smol::Executor` polls"
        );
    };
    executor.spawn(future)
}
