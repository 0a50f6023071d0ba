//! The waker that a measured future receives. It stamps the time of a wake, then wakes the task.

use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use metrics_core::{Timestamp, WakeStamp};
use portable_atomic::{AtomicBool, Ordering};

use crate::record::census::CensusTask;
use crate::record::target::RecordingTarget;

/// The state that the clones of a task's waker share.
struct Stamping {
    target: Arc<RecordingTarget>,
    /// The executor's waker.
    inner: Waker,
    stamp: Stamp,
    /// Whether the next poll's schedule latency is not measured, so that wakes need no time. That of the first waker counts.
    is_skipped: AtomicBool,
    /// `None` without a census.
    census: Option<Arc<CensusTask>>,
}

/// The cell that contains the time of the first wake since the last poll.
enum Stamp {
    Here(WakeStamp),
    /// The executor changed the task's waker. Clones of an earlier waker can still wake the task, so every waker of a task stamps the
    /// cell of the first one.
    In(Arc<Stamping>),
}

impl Stamping {
    fn stamp(&self) -> (&WakeStamp, &AtomicBool) {
        match &self.stamp {
            Stamp::Here(stamp) => (stamp, &self.is_skipped),
            // One step at most: see `TaskWaker::follow`.
            Stamp::In(first) => first.stamp(),
        }
    }

    #[inline]
    fn mark(&self) {
        let (stamp, is_skipped) = self.stamp();
        // Ordering: relaxed, here and in `choose`: a wake that sees an earlier choice stamps or skips one poll too many.
        if !is_skipped.load(Ordering::Relaxed) {
            self.target.registry.stamp(stamp);
        }
    }
}

impl Wake for Stamping {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mark();
        match &self.census {
            Some(task) => task.wake(|| self.inner.wake_by_ref()),
            None => self.inner.wake_by_ref(),
        }
    }
}

/// A task's waker. It is created at the first poll and kept while the executor's waker stays the same.
pub(super) struct TaskWaker {
    shared: Arc<Stamping>,
    waker: Waker,
    /// Whether it was decided if the schedule latency of the next poll is measured.
    is_chosen: bool,
}

impl TaskWaker {
    pub(super) fn new(target: Arc<RecordingTarget>, inner: &Waker, census: Option<&Arc<CensusTask>>) -> Self {
        Self::of(
            Stamping {
                target,
                inner: inner.clone(),
                stamp: Stamp::Here(WakeStamp::new()),
                is_skipped: AtomicBool::new(false),
                census: census.map(Arc::clone),
            },
            false,
        )
    }

    fn of(shared: Stamping, is_chosen: bool) -> Self {
        let shared = Arc::new(shared);
        if let Some(task) = &shared.census {
            let waker = Arc::downgrade(&shared);
            task.add_waker(waker);
        }
        Self {
            waker: Waker::from(Arc::clone(&shared)),
            shared,
            is_chosen,
        }
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
            let (_, is_skipped) = self.shared.stamp();
            is_skipped.store(is_measured == Some(false), Ordering::Relaxed);
        }
    }

    pub(super) fn target(&self) -> &Arc<RecordingTarget> {
        &self.shared.target
    }

    /// Returns when the task was first woken since the last call.
    #[inline]
    pub(super) fn take(&self) -> Option<Timestamp> {
        self.shared.stamp().0.take()
    }

    /// Returns a context whose waker stamps the wake and then wakes `inner`.
    #[inline]
    pub(super) fn context(&mut self, inner: &Waker) -> Context<'_> {
        if !self.shared.inner.will_wake(inner) {
            self.follow(inner);
        }
        Context::from_waker(&self.waker)
    }

    #[cold]
    fn follow(&mut self, inner: &Waker) {
        let first = match &self.shared.stamp {
            Stamp::Here(_) => &self.shared,
            Stamp::In(first) => first,
        };
        let shared = Stamping {
            target: Arc::clone(&self.shared.target),
            inner: inner.clone(),
            stamp: Stamp::In(Arc::clone(first)),
            is_skipped: AtomicBool::new(false),
            census: self.shared.census.clone(),
        };
        *self = Self::of(shared, self.is_chosen);
    }
}
