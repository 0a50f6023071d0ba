//! The waker that a measured future receives: it records the wake, then wakes the task through the executor's waker.

use crate::runtime::Registry;
use atomic_waker::AtomicWaker;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::Waker;
use metrics_core::{LocationId, Timestamp, WakeStamp};
use portable_atomic::AtomicU64;
use std::sync::Arc;
use std::task::Wake;

/// Counters that all tasks of one monitor share. Any thread of a shared module may wake a task.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// Tasks scheduled and not yet polled.
    depth: AtomicU64,
    /// Spawns and first wakes. Each puts one task on the executor's queue.
    schedules: AtomicU64,
    /// Tasks woken during their own poll.
    self_woken: AtomicU64,
}

impl Wakes {
    // Ordering: relaxed, in all methods: no other data depends on the numbers.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    pub(crate) fn schedules(&self) -> u64 {
        self.schedules.load(Ordering::Relaxed)
    }

    pub(crate) fn self_wakes(&self) -> u64 {
        self.self_woken.load(Ordering::Relaxed)
    }

    fn scheduled(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.schedules.fetch_add(1, Ordering::Relaxed);
    }

    fn unscheduled(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Neither scheduled nor being polled.
const IDLE: u8 = 0;
/// Spawned or woken, and waiting for its poll.
const SCHEDULED: u8 = 1;
/// Being polled.
const POLLING: u8 = 2;
/// Being polled, and woken since the poll started: scheduled for the next poll.
const WOKEN: u8 = 3;
/// Ended. A wake does not change this state.
const DONE: u8 = 4;

/// The start of the next poll decides whether its schedule latency is measured.
const UNDECIDED: u8 = 0;
/// It was decided that the schedule latency is measured.
const MEASURED: u8 = 1;
/// It was decided that the schedule latency is not measured: a wake needs no timestamp.
const SKIPPED: u8 = 2;

/// The state that all wakers of a task share.
pub(crate) struct TaskWaker {
    registry: Arc<Registry>,
    wakes: Arc<Wakes>,
    pub(crate) spawn_location: LocationId,
    state: AtomicU8,
    stamp: WakeStamp,
    /// Whether the schedule latency of the next poll is measured: [`UNDECIDED`], [`MEASURED`] or [`SKIPPED`].
    latency: AtomicU8,
    /// The executor's own waker.
    inner: AtomicWaker,
}

impl TaskWaker {
    /// Creates the waker of a task that is spawned, and so scheduled, now.
    pub(crate) fn spawned(
        registry: Arc<Registry>,
        wakes: Arc<Wakes>,
        spawn_location: LocationId,
    ) -> Arc<Self> {
        wakes.scheduled();
        let task = Self {
            registry,
            wakes,
            spawn_location,
            state: AtomicU8::new(SCHEDULED),
            stamp: WakeStamp::new(),
            latency: AtomicU8::new(UNDECIDED),
            inner: AtomicWaker::new(),
        };
        task.mark();
        Arc::new(task)
    }

    /// Starts a poll. `inner` is the executor's waker. Returns when the task was scheduled.
    pub(crate) fn start_poll(&self, inner: &Waker) -> Option<Timestamp> {
        self.inner.register(inner);
        // Ordering: acquire, pairs with the release in `note`: the wake stamp below is the one of the wake that scheduled this
        // poll. A task that is polled after its end stays ended.
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

    /// Ends a poll.
    pub(crate) fn end_poll(&self) {
        // Ordering: relaxed: the end of a poll makes no data visible. The wake stamp is released in `note`.
        let woken = self
            .state
            .compare_exchange(POLLING, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        if woken == Err(WOKEN) {
            // No wake changes `WOKEN`, so a plain store can't lose one.
            self.state.store(SCHEDULED, Ordering::Relaxed);
        }
    }

    /// Ends the task. Returns `false` if it has ended before.
    pub(crate) fn end(&self) -> bool {
        // Ordering: relaxed, as in `end_poll`.
        let before = self.state.swap(DONE, Ordering::Relaxed);
        if matches!(before, SCHEDULED | WOKEN) {
            self.wakes.unscheduled();
        }
        // The executor's waker may own the task that owns this waker: dropping it breaks the cycle.
        drop(self.inner.take());
        before != DONE
    }

    /// Stores the time of a wake, unless the poll that it leads to is not measured.
    fn mark(&self) {
        // Ordering: relaxed, here and in `choose`: a wake that sees an earlier decision stamps or skips one poll too many.
        if self.latency.load(Ordering::Relaxed) != SKIPPED {
            self.registry.stamp(&self.stamp);
        }
    }

    /// Sets whether the schedule latency of the next poll is measured; `None` leaves this to the start of that poll. Returns `true` if it
    /// was decided for the poll that starts now.
    pub(crate) fn choose(&self, is_measured: Option<bool>) -> bool {
        let latency = match is_measured {
            None => UNDECIDED,
            Some(true) => MEASURED,
            Some(false) => SKIPPED,
        };
        self.latency.swap(latency, Ordering::Relaxed) != UNDECIDED
    }

    /// Records a wake, if it is the first since the last poll started.
    fn note(&self) {
        let wakes = |state| match state {
            IDLE => Some(SCHEDULED),
            POLLING => Some(WOKEN),
            _ => None,
        };
        // Ordering: relaxed: `fetch_update` below checks the state again.
        if wakes(self.state.load(Ordering::Relaxed)).is_none() {
            return;
        }
        // The stamp precedes the state, so that a poll that sees the new state sees the stamp.
        self.mark();
        // Ordering: release, pairs with the acquire in `start_poll`.
        let noted = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, wakes);
        if let Ok(before) = noted {
            self.wakes.scheduled();
            if before == POLLING {
                self.wakes.self_woken.fetch_add(1, Ordering::Relaxed);
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
