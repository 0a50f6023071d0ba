//! The waker that a measured future sees: it notes the wake, then wakes the task.

use crate::Registry;
use atomic_waker::AtomicWaker;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::Waker;
use metrics_core::{Sampling, TimeSource, Timestamp, WakeStamp};
use portable_atomic::AtomicU64;
use std::sync::Arc;
use std::task::Wake;

/// What all tasks of one monitor count together. Wakes may come from any thread of a shared module.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// Tasks scheduled and not yet polled.
    depth: AtomicU64,
    /// First wakes and spawns: each put one task on the host's queue.
    schedules: AtomicU64,
    /// Tasks woken during their own poll.
    of_self: AtomicU64,
}

impl Wakes {
    // Ordering: relaxed, here and below: gauges and counters of their own, nothing is read through them.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    pub(crate) fn schedules(&self) -> u64 {
        self.schedules.load(Ordering::Relaxed)
    }

    pub(crate) fn self_wakes(&self) -> u64 {
        self.of_self.load(Ordering::Relaxed)
    }

    fn scheduled(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.schedules.fetch_add(1, Ordering::Relaxed);
    }

    fn unscheduled(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Not scheduled, not polled.
const IDLE: u8 = 0;
/// Spawned or woken, and not yet polled.
const SCHEDULED: u8 = 1;
/// In a poll.
const POLLING: u8 = 2;
/// In a poll, and woken since it began: scheduled for the next one.
const WOKEN: u8 = 3;
/// Ended: a waker that outlives its task schedules nothing.
const DONE: u8 = 4;

/// What a task's wakers share.
pub(crate) struct TaskWaker {
    registry: Arc<Registry>,
    wakes: Arc<Wakes>,
    state: AtomicU8,
    stamp: WakeStamp,
    /// The executor's own waker.
    inner: AtomicWaker,
}

impl TaskWaker {
    /// A task that is scheduled from its spawn on.
    pub(crate) fn spawned(registry: Arc<Registry>, wakes: Arc<Wakes>) -> Arc<Self> {
        wakes.scheduled();
        let task = Self {
            registry,
            wakes,
            state: AtomicU8::new(SCHEDULED),
            stamp: WakeStamp::new(),
            inner: AtomicWaker::new(),
        };
        task.mark();
        Arc::new(task)
    }

    /// A poll begins; `inner` is how the executor wants to be woken. Tells since when the task was scheduled.
    pub(crate) fn start_poll(&self, inner: &Waker) -> Option<Timestamp> {
        self.inner.register(inner);
        // Ordering: acquire, pairs with the release in `note`: the stamp of the wake that led here is seen below. A task
        // that is polled again after its end stays ended.
        let start = |state| (state != DONE).then_some(POLLING);
        if self
            .state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, start)
            == Ok(SCHEDULED)
        {
            self.wakes.unscheduled();
        }
        self.stamp.take()
    }

    /// The poll ended, and the task goes on.
    pub(crate) fn end_poll(&self) {
        // Ordering: relaxed: only who woke the task publishes anything, and that happened in `note`.
        let woken = self
            .state
            .compare_exchange(POLLING, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        if woken == Err(WOKEN) {
            // Nobody else leaves this state: a wake finds the task scheduled already.
            self.state.store(SCHEDULED, Ordering::Relaxed);
        }
    }

    /// The task ended.
    pub(crate) fn end(&self) {
        // Ordering: relaxed, as in `end_poll`.
        if matches!(self.state.swap(DONE, Ordering::Relaxed), SCHEDULED | WOKEN) {
            self.wakes.unscheduled();
        }
        // Nobody is to be woken any more, and the executor's waker may hold the task that holds this.
        drop(self.inner.take());
    }

    fn mark(&self) {
        if self.registry.is_timed() && self.registry.options().schedule_latency() != Sampling::Off {
            self.stamp.mark(self.registry.clock().now());
        }
    }

    /// Notes a wake: the first since the last poll began.
    fn note(&self) {
        let wakes = |state| match state {
            IDLE => Some(SCHEDULED),
            POLLING => Some(WOKEN),
            _ => None,
        };
        // Ordering: relaxed: a guess, which the exchange below checks.
        if wakes(self.state.load(Ordering::Relaxed)).is_none() {
            return;
        }
        // The stamp first, so that a poll that sees the state sees the stamp.
        self.mark();
        // Ordering: release, pairs with the acquire in `start_poll`.
        let noted = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, wakes);
        if let Ok(before) = noted {
            self.wakes.scheduled();
            if before == POLLING {
                self.wakes.of_self.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note();
        self.inner.wake();
    }
}
