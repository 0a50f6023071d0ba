//! Executors without support for metrics, measured only through the wrappers.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::{Arc, mpsc};

use async_executor::Executor;
use futures::FutureExt;
use futures::executor::{ThreadPool, block_on};
use futures::future::abortable;

use crate::conformance::clock::ManualClock;
use crate::conformance::patience::PATIENCE;
use crate::conformance::subject::{Runtime, Setup, Subject, Task, Unsupported};
use metrics_std::{Builder, Clock, Measured, RuntimeMetrics};

/// `async-executor`, which the scenario drives on its own thread.
pub struct AsyncExecutor;

/// `futures`' thread pool, with one thread.
pub struct Futures;

impl Subject for AsyncExecutor {
    fn name(&self) -> &'static str {
        "async-executor, wrapped"
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        let metrics = build(setup, clock)?;
        Ok(Arc::new(Smol {
            executor: Executor::new(),
            metrics,
        }))
    }
}

impl Subject for Futures {
    fn name(&self) -> &'static str {
        "futures, wrapped"
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        let metrics = build(setup, clock)?;
        let pool = ThreadPool::builder()
            .pool_size(1)
            .name_prefix("futures-")
            .create();
        Ok(Arc::new(Pool {
            pool: pool.expect("the system has a thread left"),
            metrics,
        }))
    }
}

fn build(setup: &Setup, clock: &ManualClock) -> Result<RuntimeMetrics, Unsupported> {
    if setup.workers != 1 {
        // The number of threads of such an executor is not known.
        return Err(Unsupported);
    }
    let builder = match setup.histograms {
        Some(config) => Builder::new().poll_time(config).schedule_latency(config),
        None => Builder::new(),
    };
    let metrics = metrics_std::build_wrapped(builder, Clock::custom(Arc::clone(clock)));
    Ok(metrics.expect("the setup is a valid one"))
}

struct Smol {
    executor: Executor<'static>,
    metrics: RuntimeMetrics,
}

impl Runtime for Smol {
    fn metrics(&self) -> Option<&RuntimeMetrics> {
        Some(&self.metrics)
    }

    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send> {
        let mut held = Held(Some(self.executor.spawn(Measured::task(&self.metrics, task))));
        Box::new(move || drop(held.0.take()))
    }

    fn block_on(&self, root: Task) -> Result<(), Unsupported> {
        block_on(Measured::root(&self.metrics, root));
        Ok(())
    }

    fn wait_until_idle(&self) {
        // A task's panic propagates from the tick that polled it.
        while catch_unwind(AssertUnwindSafe(|| self.executor.try_tick())).unwrap_or(true) {}
    }

    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        Ok(Box::pin(Measured::task(&self.metrics, inner)))
    }
}

struct Pool {
    pool: ThreadPool,
    metrics: RuntimeMetrics,
}

impl Runtime for Pool {
    fn metrics(&self) -> Option<&RuntimeMetrics> {
        Some(&self.metrics)
    }

    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send> {
        // Not with a `RemoteHandle`: dropping one wakes its task.
        let measured = AssertUnwindSafe(Measured::task(&self.metrics, task)).catch_unwind();
        let (task, cancel) = abortable(measured);
        self.pool.spawn_ok(task.map(drop));
        Box::new(move || cancel.abort())
    }

    fn block_on(&self, root: Task) -> Result<(), Unsupported> {
        block_on(Measured::root(&self.metrics, root));
        Ok(())
    }

    fn wait_until_idle(&self) {
        // One thread polls tasks in order: if no measured task was polled between two tasks of our own, no task is
        // queued.
        let polls = || {
            self.metrics
                .poll_count()
                .unwrap()
                .zip(self.metrics.nested_polls().unwrap())
        };
        loop {
            let before = polls();
            for _ in 0..2 {
                let (done, finished) = mpsc::channel();
                self.pool.spawn_ok(async move { done.send(()).unwrap() });
                finished.recv_timeout(PATIENCE).unwrap();
            }
            if polls() == before {
                return;
            }
        }
    }

    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        Ok(Box::pin(Measured::task(&self.metrics, inner)))
    }
}

/// A task that is detached when its handle is dropped, and cancelled when it is taken out of its handle.
struct Held(Option<async_executor::Task<()>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}
