//! The blocking pool: threads for closures that block, started on demand and kept until the shutdown.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

use async_task::{Builder, Runnable};

use super::Registry;
use super::metrics::{BlockingStart, TimeSource, Timestamp};
use super::shared::Shared;
use super::task::JoinHandle;

/// When a closure was queued.
pub struct Queued(Timestamp);

pub(super) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    max_threads: usize,
    registry: Registry,
}

struct State {
    queue: VecDeque<Runnable<Queued>>,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// The values for a reader, all of one moment.
pub(super) struct Depths {
    pub(super) threads: usize,
    pub(super) idle: usize,
    pub(super) queued: usize,
}

impl Pool {
    pub(super) fn new(registry: Registry, max_threads: usize) -> Pool {
        let state = State {
            queue: VecDeque::new(),
            threads: 0,
            idle: 0,
            closed: false,
        };
        Pool {
            state: Mutex::new(state),
            changed: Condvar::new(),
            max_threads,
            registry,
        }
    }

    pub(super) fn depths(&self) -> Depths {
        let state = self.state.lock().unwrap();
        Depths {
            threads: state.threads,
            idle: state.idle,
            queued: state.queue.len(),
        }
    }

    /// Queues a job. Returns `true` if the caller must start a thread for it.
    fn push(&self, job: Runnable<Queued>) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.closed {
            return false;
        }
        state.queue.push_back(job);
        if state.idle >= state.queue.len() || state.threads == self.max_threads {
            self.changed.notify_one();
            return false;
        }
        state.threads += 1;
        true
    }

    /// Runs a pool thread until it ends. Hook: `blocking_started` when a job starts.
    fn run(&self) {
        while let Some(job) = self.next() {
            let Queued(queued_at) = *job.metadata();
            self.registry.shared().blocking_started(BlockingStart {
                queued_at,
                started_at: self.registry.clock().now(),
            });
            job.run();
        }
    }

    fn next(&self) -> Option<Runnable<Queued>> {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap();
            state.idle -= 1;
        }
    }

    /// Ends the threads when they are idle. Queued jobs are cancelled.
    pub(super) fn close(&self) {
        let mut state = self.state.lock().unwrap();
        state.closed = true;
        let queue = core::mem::take(&mut state.queue);
        self.changed.notify_all();
        drop(state);
        drop(queue);
    }
}

/// Runs a closure on the pool. It is not a task and counts only in the pool's metrics.
pub(super) fn spawn<T: Send + 'static>(
    shared: &Arc<Shared>,
    f: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T, Queued> {
    let schedule = {
        let shared = Arc::clone(shared);
        move |job| {
            if shared.blocking.push(job) {
                let pool = Arc::clone(&shared);
                shared.start_thread("testbed-blocking".to_owned(), move || pool.blocking.run());
            }
        }
    };
    let (job, handle) = Builder::new()
        .metadata(Queued(shared.registry.clock().now()))
        .propagate_panic(true)
        .spawn(|_| async move { f() }, schedule);
    job.schedule();
    JoinHandle::new(handle)
}
