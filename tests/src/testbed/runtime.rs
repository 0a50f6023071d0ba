//! The runtime that a user holds, and the handle that tasks hold.

use core::future::Future;
use core::panic::Location;
use core::task::{Context as TaskContext, Poll, Waker};
use std::pin::pin;
use std::sync::Arc;
use std::task::Wake;

use super::blocking::{self, Queued};
use super::context::Core;
use super::current_thread::CoreSlot;
use super::metrics::{LocationId, RuntimeMetrics, location};
use super::shared::Shared;
use super::task::{self, JoinHandle};
use super::{current_thread, multi_thread};

/// The two kinds of runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Worker threads that steal from each other.
    MultiThread,
    /// One worker: the thread that calls `block_on`.
    CurrentThread,
}

/// A running runtime. Dropping it ends its threads and cancels the tasks that are left.
pub struct Runtime {
    handle: Handle,
    core: CoreSlot,
    metrics: RuntimeMetrics,
}

/// A way to spawn onto a runtime; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Runtime {
    pub(super) fn start(shared: Arc<Shared>, mut cores: Vec<Core>, metrics: RuntimeMetrics) -> Runtime {
        let core = match shared.flavor {
            Flavor::CurrentThread => cores.pop(),
            Flavor::MultiThread => None,
        };
        for core in cores {
            multi_thread::start(&shared, core);
        }
        Runtime {
            handle: Handle { shared },
            core: CoreSlot::new(core),
            metrics,
        }
    }

    /// A handle to spawn with.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// The reader. It outlives the runtime and does not keep it alive.
    pub fn metrics(&self) -> &RuntimeMetrics {
        &self.metrics
    }

    /// Runs a future to its end on this thread; the current-thread flavour runs the tasks meanwhile.
    pub fn block_on<F: Future>(&self, root: F) -> F::Output {
        match self.handle.shared.flavor {
            Flavor::MultiThread => wait_for(root),
            Flavor::CurrentThread => current_thread::block_on(&self.handle.shared, &self.core, root),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let core = self.core.take_for_good();
        self.handle.shared.close(core);
    }
}

impl Handle {
    /// Spawns a task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named(location::intern(Location::caller()), future)
    }

    /// Spawns a task with a name instead of its spawn location.
    pub fn spawn_named<F>(&self, name: LocationId, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(&self.shared, future, name)
    }

    /// Runs a closure that blocks on the blocking pool.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T, Queued> {
        blocking::spawn(&self.shared, f)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Polls a future on a thread that is not a worker. Its polls are not counted.
fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(crossbeam_utils::sync::Unparker);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let parker = crossbeam_utils::sync::Parker::new();
    let waker = Waker::from(Arc::new(Unpark(parker.unparker().clone())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(),
        }
    }
}
