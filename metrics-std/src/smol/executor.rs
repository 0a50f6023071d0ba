//! [`Executor`]: an `async_executor::Executor` whose tasks are measured.

use core::fmt;
use core::future::Future;
use std::sync::Arc;

use async_executor::Task;
use metrics_core::{Builder, LocationId, MetricSet, Probe, RECORDING, WorkerNumber};
use portable_atomic::{AtomicUsize, Ordering};

use super::runner::{self, Current, Runner};
use crate::build::{BuildError, RuntimeMetrics, reader, stamped};
use crate::record::target::RecordingTarget;
use crate::{Clock, Measured};

/// An executor whose tasks and whose running threads are measured. Clones share one executor.
///
/// The [module documentation](super) lists what is measured.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    executor: async_executor::Executor<'static>,
    metrics: RuntimeMetrics,
    workers: Arc<AtomicUsize>,
}

impl Executor {
    /// Creates an executor. It runs on the threads that poll the future of [`run`](Self::run).
    ///
    /// This replaces the workers and the measured metrics of `builder`, and sets the start time to now.
    ///
    /// # Errors
    /// Returns [`BuildError::Config`] if the configuration is invalid.
    pub fn new(builder: Builder<'_>, clock: Clock) -> Result<Self, BuildError> {
        let numbers = MetricSet::worker(&[
            WorkerNumber::PollCount,
            WorkerNumber::NestedPolls,
            WorkerNumber::BusyDurationTotal,
            WorkerNumber::ParkCount,
            WorkerNumber::ParkUnparkCount,
            WorkerNumber::ParkedDurationTotal,
            WorkerNumber::PollingDurationTotal,
        ]);
        let builder = builder
            .dynamic_workers()
            .measures(numbers.union(MetricSet::TASKS));
        let registry = stamped(builder).build(clock)?;
        let workers = Arc::default();
        let probe = Workers(Arc::clone(&workers));
        let metrics = reader(&Arc::new(RecordingTarget::new(registry)), probe);
        Ok(Self(Arc::new(Shared {
            executor: async_executor::Executor::new(),
            metrics,
            workers,
        })))
    }

    /// Returns the reader of the executor's metrics.
    pub fn metrics(&self) -> &RuntimeMetrics {
        &self.0.metrics
    }

    /// Spawns a task, as `async_executor::Executor::spawn` does. Its spawn location is the caller's.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.executor.spawn(Measured::task(&self.0.metrics, future))
    }

    /// Spawns a task whose name, from [`location::intern_name`](crate::location::intern_name), replaces the spawn location.
    pub fn spawn_named<F>(&self, name: LocationId, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0
            .executor
            .spawn(Measured::named(&self.0.metrics, name, future))
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
        let root = Measured::root(&self.0.metrics, future);
        let executor = self.clone();
        Runner::new(self.clone(), async move { executor.0.executor.run(root).await })
    }

    /// Polls one task that is ready, as `async_executor::Executor::try_tick` does. Returns whether there was one.
    ///
    /// This does not make the thread a worker: the poll is recorded, and no park is.
    pub fn try_tick(&self) -> bool {
        let _current = Current::enter(self, false);
        self.0.executor.try_tick()
    }

    /// Returns whether no task of the executor is alive.
    pub fn is_empty(&self) -> bool {
        self.0.executor.is_empty()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn workers(&self) -> &Arc<AtomicUsize> {
        &self.0.workers
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
/// Panics outside [`Executor::run`] and [`Executor::try_tick`].
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

/// Reports the number of threads that run the executor.
struct Workers(Arc<AtomicUsize>);

impl Probe for Workers {
    fn num_workers(&self) -> Option<usize> {
        // Ordering: relaxed: no other data depends on the number.
        let workers = self.0.load(Ordering::Relaxed);
        (RECORDING && workers > 0).then_some(workers)
    }
}
