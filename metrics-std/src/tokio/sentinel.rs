//! Detects that a Tokio runtime has shut down: it spawns a task that never completes, which the runtime drops at shutdown.
//!
//! Tokio's metrics are read through a handle, which keeps the runtime's memory and the descriptors of its drivers alive. At shutdown the
//! last values are stored and the handle is dropped.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::{Arc, PoisonError, RwLock};

use metrics_core::{RuntimeNumber, RuntimeNumbers, WorkerNumber};
use portable_atomic::{AtomicBool, Ordering};
use tokio::runtime::{Handle, Id, RuntimeFlavor, RuntimeMetrics};

use super::{by_id, numbers, own_tasks};

/// Tokio's metrics of a runtime, while it runs and afterwards. The sentinel task is not counted.
pub(super) struct Watched {
    runtime: Id,
    is_multi_thread: bool,
    state: RwLock<State>,
    /// Whether the sentinel has been polled, and so has left the queue it was spawned into.
    polled: AtomicBool,
}

enum State {
    /// The runtime may be running.
    Running(RuntimeMetrics),
    /// The runtime has shut down.
    Ended(LastNumbers),
}

/// The counters of a runtime when it shut down.
struct LastNumbers {
    runtime: RuntimeNumbers,
    workers: Vec<Vec<(WorkerNumber, u64)>>,
}

impl Watched {
    pub(super) fn new(runtime: &Handle) -> Arc<Self> {
        Arc::new(Self {
            runtime: runtime.id(),
            is_multi_thread: runtime.runtime_flavor() != RuntimeFlavor::CurrentThread,
            state: RwLock::new(State::Running(runtime.metrics())),
            polled: AtomicBool::new(false),
        })
    }

    /// Spawns the sentinel. If the runtime has already shut down, this stores the last values.
    pub(super) fn watch(self: &Arc<Self>, runtime: &Handle) {
        own_tasks::spawn(runtime, Sentinel(Arc::clone(self)));
    }

    /// Reads the state under the lock, so that the runtime can't end meanwhile.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_running(&self) -> bool {
        self.read(|state| matches!(state, State::Running(_)))
    }

    pub(super) fn is_multi_thread(&self) -> bool {
        self.is_multi_thread
    }

    /// Returns whether a worker is parked, or `None` if that is not known: no thread drives the worker of a current-thread runtime
    /// between two calls of `block_on`, nor any worker after the end.
    pub(super) fn is_parked(&self, worker: usize) -> Option<bool> {
        self.read(|state| {
            let State::Running(metrics) = state else {
                return None;
            };
            // An odd count means parked.
            let parks = numbers::worker(metrics, worker, WorkerNumber::ParkUnparkCount)?;
            let is_parked = !parks.is_multiple_of(2);
            (is_parked || self.is_multi_thread).then_some(is_parked)
        })
    }

    pub(super) fn num_workers(&self) -> usize {
        self.read(|state| match state {
            State::Running(metrics) => metrics.num_workers(),
            State::Ended(last) => last.workers.len(),
        })
    }

    /// Returns a runtime metric. After the end, counters keep their last values, the queue depth is 0, and all other metrics are `None`.
    pub(super) fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        self.read(|state| match state {
            State::Running(metrics) => {
                let value = numbers::runtime(metrics, number)?;
                Some(self.without_sentinel(number, value))
            }
            State::Ended(_) if number == RuntimeNumber::GlobalQueueDepth => Some(0),
            State::Ended(last) => last.runtime.get(number),
        })
    }

    pub(super) fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        self.read(|state| match state {
            State::Running(metrics) => numbers::worker(metrics, worker, number),
            State::Ended(last) => {
                let mut counters = last.workers.get(worker)?.iter();
                let counter = counters.find(|(counter, _)| *counter == number)?;
                Some(counter.1)
            }
        })
    }

    fn without_sentinel(&self, number: RuntimeNumber, value: u64) -> u64 {
        let counted = match number {
            RuntimeNumber::NumAliveTasks
            | RuntimeNumber::CoveredTasks
            | RuntimeNumber::RemoteScheduleCount => true,
            // Ordering: relaxed: no other data depends on the flag.
            RuntimeNumber::GlobalQueueDepth => !self.polled.load(Ordering::Relaxed),
            _ => false,
        };
        value.saturating_sub(u64::from(counted))
    }

    /// Stores the last values of the counters, drops the runtime's handle and removes the runtime from the list of running runtimes.
    fn end(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State::Running(metrics) = &*state else {
            return;
        };
        let mut runtime = RuntimeNumbers::NONE;
        for &number in RuntimeNumber::ALL.iter().filter(|number| number.is_counter()) {
            let value = numbers::runtime(metrics, number);
            runtime.set(number, value.map(|value| self.without_sentinel(number, value)));
        }
        let counters = |worker| {
            let value = |&number: &WorkerNumber| Some((number, numbers::worker(metrics, worker, number)?));
            WorkerNumber::COUNTERS.iter().filter_map(value).collect()
        };
        let workers = (0..metrics.num_workers()).map(counters).collect();
        let ended = State::Ended(LastNumbers { runtime, workers });
        let running = core::mem::replace(&mut *state, ended);
        // The handle may be the last one, so it is dropped outside the lock.
        drop(state);
        drop(running);
        by_id::remove(self.runtime);
    }
}

/// The sentinel task. It holds the handle of its own runtime until that runtime drops it.
struct Sentinel(Arc<Watched>);

impl Future for Sentinel {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        // Ordering: relaxed, as in `without_sentinel`.
        self.0.polled.store(true, Ordering::Relaxed);
        Poll::Pending
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.0.end();
    }
}
