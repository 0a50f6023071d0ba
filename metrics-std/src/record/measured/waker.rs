//! The waker that a measured future receives. It stamps the time of a wake, then wakes the task.

use core::task::{Context, Waker};
use std::sync::{Arc, OnceLock};
use std::task::Wake;

use metrics_core::{Timestamp, WakeStamp};
use portable_atomic::{AtomicBool, Ordering};

use crate::record::census::{CensusTask, CensusWaker, Place};
use crate::record::target::RecordingTarget;

/// The state that the clones of a task's waker share.
struct SharedWaker {
    target: Arc<RecordingTarget>,
    inner: Inner,
    stamp: Stamp,
    /// Whether the next poll's schedule latency is not measured, so that wakes need no time. That of the first waker counts.
    is_skipped: AtomicBool,
    /// That of the first waker counts. `None` without a census.
    census: Option<CensusTask>,
}

/// The executor's waker.
enum Inner {
    Known(Waker),
    /// The first poll sets it: with a census, the waker exists from the spawn.
    FromFirstPoll(OnceLock<Waker>),
}

impl Inner {
    #[inline]
    fn get(&self) -> Option<&Waker> {
        match self {
            Self::Known(waker) => Some(waker),
            Self::FromFirstPoll(waker) => waker.get(),
        }
    }
}

/// The cell that contains the time of the first wake since the last poll.
enum Stamp {
    Here(WakeStamp),
    /// The executor changed the task's waker. Clones of an earlier waker can still wake the task, so every waker of a task stamps the
    /// cell of the first one.
    In(Arc<SharedWaker>),
}

impl SharedWaker {
    /// Returns the stamp of the first waker, and that waker.
    #[inline]
    fn first(&self) -> (&WakeStamp, &Self) {
        match &self.stamp {
            Stamp::Here(stamp) => (stamp, self),
            // One step at most: see `TaskWaker::follow`.
            Stamp::In(first) => first.first(),
        }
    }
}

impl CensusWaker for SharedWaker {
    fn census(&self) -> Option<&CensusTask> {
        self.census.as_ref()
    }
}

impl Wake for SharedWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (stamp, first) = self.first();
        // Ordering: relaxed, here and in `choose`: a wake that sees an earlier choice stamps or skips one poll too many.
        if !first.is_skipped.load(Ordering::Relaxed) {
            self.target.registry.stamp(stamp);
        }
        let Some(inner) = self.inner.get() else {
            return;
        };
        if let Some(task) = &first.census {
            task.note_wake();
        }
        inner.wake_by_ref();
    }
}

/// A task's waker. It is created at the first poll, or with a census at the spawn, and kept while the executor's waker stays the same.
pub(super) struct TaskWaker {
    shared: Arc<SharedWaker>,
    waker: Waker,
    /// Whether it was decided if the schedule latency of the next poll is measured.
    is_chosen: bool,
}

impl TaskWaker {
    pub(super) fn new(target: Arc<RecordingTarget>, inner: &Waker) -> Self {
        Self::first(target, Inner::Known(inner.clone()), WakeStamp::new(), None)
    }

    /// Creates the waker of a task that was spawned now, and adds the task to the census.
    pub(super) fn in_census(
        target: Arc<RecordingTarget>,
        scheduled_at: Option<Timestamp>,
        task: CensusTask,
    ) -> (Self, Option<Place>) {
        let stamp = WakeStamp::new();
        if let Some(scheduled_at) = scheduled_at {
            stamp.mark(scheduled_at);
        }
        let waker = Self::first(target, Inner::FromFirstPoll(OnceLock::new()), stamp, Some(task));
        let census = waker.target().census.as_ref();
        let weak = Arc::downgrade(&waker.shared);
        let place = census.map(|census| census.add(weak));
        (waker, place)
    }

    fn first(
        target: Arc<RecordingTarget>,
        inner: Inner,
        stamp: WakeStamp,
        census: Option<CensusTask>,
    ) -> Self {
        let shared = SharedWaker {
            target,
            inner,
            stamp: Stamp::Here(stamp),
            is_skipped: AtomicBool::new(false),
            census,
        };
        Self::of(shared, false)
    }

    fn of(shared: SharedWaker, is_chosen: bool) -> Self {
        let shared = Arc::new(shared);
        Self {
            waker: Waker::from(Arc::clone(&shared)),
            shared,
            is_chosen,
        }
    }

    /// Returns the task's state for the census.
    #[inline]
    pub(super) fn census(&self) -> Option<&CensusTask> {
        self.shared.first().1.census()
    }

    /// Returns whether [`choose`](Self::choose) has decided if the schedule latency of the poll that begins now is measured.
    #[inline]
    pub(super) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Decides if the schedule latency of the next poll is measured; `None` leaves this to the start of that poll.
    #[inline]
    pub(super) fn choose(&mut self, is_measured: Option<bool>) {
        if self.is_chosen || is_measured.is_some() {
            self.is_chosen = is_measured.is_some();
            let (_, first) = self.shared.first();
            first
                .is_skipped
                .store(is_measured == Some(false), Ordering::Relaxed);
        }
    }

    pub(super) fn target(&self) -> &Arc<RecordingTarget> {
        &self.shared.target
    }

    /// Returns when the task was first woken since the last call.
    #[inline]
    pub(super) fn take(&self) -> Option<Timestamp> {
        self.shared.first().0.take()
    }

    /// Returns a context whose waker stamps the wake and then wakes `inner`.
    #[inline]
    pub(super) fn context(&mut self, inner: &Waker) -> Context<'_> {
        let is_same = |known: &Waker| known.will_wake(inner);
        if !self.shared.inner.get().is_some_and(is_same) {
            self.follow(inner);
        }
        Context::from_waker(&self.waker)
    }

    #[cold]
    fn follow(&mut self, inner: &Waker) {
        if let Inner::FromFirstPoll(waker) = &self.shared.inner
            && waker.get().is_none()
        {
            waker.get_or_init(|| inner.clone());
            return;
        }
        let first = match &self.shared.stamp {
            Stamp::Here(_) => &self.shared,
            Stamp::In(first) => first,
        };
        let shared = SharedWaker {
            target: Arc::clone(&self.shared.target),
            inner: Inner::Known(inner.clone()),
            stamp: Stamp::In(Arc::clone(first)),
            is_skipped: AtomicBool::new(false),
            census: None,
        };
        let later = Self::of(shared, self.is_chosen);
        if let Some(task) = self.census() {
            let weak = Arc::downgrade(&later.shared);
            task.replace_waker(weak);
        }
        *self = later;
    }
}
