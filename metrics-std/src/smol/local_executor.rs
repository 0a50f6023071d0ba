//! [`LocalExecutor`]: an `async_executor::LocalExecutor` whose tasks are measured.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use async_executor::Task;
use metrics_core::{Builder, LocationId};

use super::pool::Pool;
use super::runner::Runner;
use crate::build::{BuildError, RuntimeMetrics};
use crate::{Clock, Measured, location};

/// An executor of one thread, whose tasks need not be `Send`. They are measured, and so is the thread while it runs them.
///
/// The [module documentation](super) lists what is measured. The function [`spawn`](super::spawn) spawns on an
/// [`Executor`](super::Executor) only. A task of this executor spawns others through an `Rc` of it.
///
/// ```
/// use metrics_std::{Builder, Clock, smol::LocalExecutor};
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new(Builder::new().name("ui"), Clock::new())?;
/// let text = Rc::new("not `Send`");
/// let task = executor.spawn(async move { text.len() });
/// assert_eq!(futures::executor::block_on(executor.run(task)), 10);
/// assert_eq!(executor.metrics().completed_tasks_count(), Some(1));
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
pub struct LocalExecutor<'a> {
    executor: async_executor::LocalExecutor<'a>,
    pool: Arc<Pool>,
}

impl<'a> LocalExecutor<'a> {
    /// Creates an executor. It runs while its thread polls the future of [`run`](Self::run).
    ///
    /// This replaces the workers and the measured metrics of `builder`, and sets the start time to now.
    ///
    /// # Errors
    /// Returns [`BuildError::Config`] if the configuration is invalid.
    pub fn new(builder: Builder<'_>, clock: Clock) -> Result<Self, BuildError> {
        Ok(Self {
            executor: async_executor::LocalExecutor::new(),
            pool: Pool::new(builder, clock)?,
        })
    }

    /// Returns the reader of the executor's metrics.
    pub fn metrics(&self) -> &RuntimeMetrics {
        &self.pool.metrics
    }

    /// Spawns a task, as `async_executor::LocalExecutor::spawn` does. Its spawn location is the caller's.
    #[track_caller]
    pub fn spawn<T: 'a>(&self, future: impl Future<Output = T> + 'a) -> Task<T> {
        self.spawn_named(location::intern(Location::caller()), future)
    }

    /// Spawns a task whose name, from [`location::intern_name`](crate::location::intern_name), replaces the spawn location.
    pub fn spawn_named<T: 'a>(&self, name: LocationId, future: impl Future<Output = T> + 'a) -> Task<T> {
        self.executor.spawn(self.pool.task(name, future))
    }

    /// Spawns several tasks and adds their handles to `handles`, as `async_executor::LocalExecutor::spawn_many` does. Their spawn location
    /// is the caller's.
    #[track_caller]
    pub fn spawn_many<T: 'a, F: Future<Output = T> + 'a>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<F::Output>>,
    ) {
        let location = location::intern(Location::caller());
        let tasks = futures.into_iter().map(|future| self.pool.task(location, future));
        self.executor.spawn_many(tasks, handles);
    }

    /// Runs tasks until `future` completes, as `async_executor::LocalExecutor::run` does. Meanwhile the thread is the worker.
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        let root = Measured::root(self.metrics(), future);
        Runner::new(Arc::clone(&self.pool), None, self.executor.run(root))
    }

    /// Polls one task that is ready, as `async_executor::LocalExecutor::try_tick` does. Returns whether there was one.
    ///
    /// This does not make the thread a worker: the poll is recorded, and no park is.
    pub fn try_tick(&self) -> bool {
        self.executor.try_tick()
    }

    /// Waits until a task is ready and polls it, as `async_executor::LocalExecutor::tick` does.
    ///
    /// This does not make the thread a worker: the poll is recorded, and no park is.
    pub async fn tick(&self) {
        self.executor.tick().await;
    }

    /// Returns whether no task of the executor is alive.
    pub fn is_empty(&self) -> bool {
        self.executor.is_empty()
    }
}

impl fmt::Debug for LocalExecutor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalExecutor").field(&self.executor).finish()
    }
}
