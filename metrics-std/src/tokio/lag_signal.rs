//! The signals between a lag probe's task, its thread and its guard.

use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Wakes the task of a probe, and ends the probe.
pub(super) struct Signal {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    is_stopped: bool,
    /// When the task was woken. `None` once it has been polled.
    woken_at: Option<Instant>,
    /// It keeps the task, and so the runtime's memory, alive. `None` once the probe is stopped.
    waker: Option<Waker>,
}

/// Stops the probe when it is dropped.
pub(super) struct Stop(Arc<Signal>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Signal {
    pub(super) fn new() -> (Arc<Self>, Stop) {
        let signal = Arc::new(Self {
            state: Mutex::default(),
            stopped: Condvar::new(),
        });
        (Arc::clone(&signal), Stop(signal))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the waker of the task. Returns `false` if the probe is stopped.
    pub(super) fn register(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let is_new = !state.is_stopped && state.waker.as_ref().is_none_or(|known| !known.will_wake(waker));
        let before = is_new.then(|| state.waker.replace(waker.clone()));
        let is_stopped = state.is_stopped;
        drop(state);
        // Dropping a waker can run the code of its task, so it happens outside the lock.
        drop(before);
        !is_stopped
    }

    /// Returns when the task was woken.
    pub(super) fn take_wake(&self) -> Poll<Instant> {
        self.lock().woken_at.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Wakes the task, unless an earlier wake is still to be answered.
    pub(super) fn wake(&self) {
        let mut state = self.lock();
        let Some(waker) = state.waker.clone().filter(|_| state.woken_at.is_none()) else {
            return;
        };
        state.woken_at = Some(Instant::now());
        drop(state);
        waker.wake();
    }

    /// Waits for this duration. Returns `false` at once if the probe is stopped.
    pub(super) fn wait(&self, duration: Duration) -> bool {
        let waited = self
            .stopped
            .wait_timeout_while(self.lock(), duration, |state| !state.is_stopped);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.is_stopped
    }

    /// Stops the probe: wakes its task and its thread, which both end.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        let waker = state.waker.take();
        drop(state);
        self.stopped.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
