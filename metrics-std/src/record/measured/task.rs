//! The state of one measured future, and the recording of its polls and its end.

use core::fmt;
use core::panic::Location;
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;

use metrics_core::{LocationId, PollStart, TaskEnd, TaskLife, TimeSource, Timestamp};

use super::waker::TaskWaker;
use crate::record::census::{CensusTask, Place};
use crate::record::lease::{Lease, OpenPoll, PollEnd};
use crate::record::runtime_leases::PolledBy;
use crate::record::spawning;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;
use crate::{Worker, location};

/// The state that the wrapper keeps for its future.
pub(super) struct Task {
    stage: Stage,
    /// `None` for a root future, which is not a task, and for a task that its runtime has refused.
    life: Option<TaskLife>,
    polled_by: PolledBy,
    /// Where the task was spawned, or the root future wrapped.
    spawn_location: LocationId,
    /// `None` for a root future, without a census, and once the task has ended.
    place: Option<Place>,
}

enum Stage {
    /// Without a census before the first poll, with the time of the spawn. If wakes are not stamped, the task stays in this stage,
    /// without a time.
    Fresh(Arc<RecordingTarget>, Option<Timestamp>),
    WithWaker(TaskWaker),
}

impl Task {
    pub(super) fn root(target: Arc<RecordingTarget>, location: &'static Location<'static>) -> Self {
        target.registry.shared().measure_root_polls();
        Self {
            stage: Stage::Fresh(target, None),
            life: None,
            polled_by: PolledBy::Unknown,
            spawn_location: location::intern_root(location),
            place: None,
        }
    }

    pub(super) fn spawned(
        target: &Arc<RecordingTarget>,
        spawn_location: LocationId,
        polled_by: PolledBy,
    ) -> Self {
        let target = thread_leases::thread_local_handle(target);
        let scheduled_at = target
            .registry
            .stamps_wakes()
            .then(|| target.registry.clock().now());
        let (stage, place) = if target.census.is_some() {
            let task = CensusTask::new(spawn_location, polled_by != PolledBy::Unknown);
            let (waker, place) = TaskWaker::in_census(target, scheduled_at, task);
            (Stage::WithWaker(waker), place)
        } else {
            (Stage::Fresh(target, scheduled_at), None)
        };
        Self {
            stage,
            life: Some(TaskLife::new()),
            polled_by,
            spawn_location,
            place,
        }
    }

    pub(super) fn spawn_location(&self) -> LocationId {
        self.spawn_location
    }

    fn target(&self) -> &Arc<RecordingTarget> {
        match &self.stage {
            Stage::Fresh(target, _) => target,
            Stage::WithWaker(waker) => waker.target(),
        }
    }

    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let lease = thread_leases::lease_for_poll(self.target(), self.polled_by);
        if self.life.is_none() {
            return self.poll_root(lease, cx, inner);
        }
        let scheduled_at = self.take_stamp();
        let start = PollStart {
            scheduled_at,
            spawn_location: self.spawn_location,
        };
        let Some(lease) = lease else {
            let poll = ExternalPoll::start(Arc::clone(self.target()), start);
            self.start_census_poll(!poll.outermost);
            let (polled, end) = self.poll_inner(cx, None, inner);
            self.count(end);
            drop(poll);
            if polled.is_pending() {
                self.end_census_poll(None);
            }
            return polled;
        };
        let latency_is_chosen = matches!(&self.stage, Stage::WithWaker(waker) if waker.is_chosen());
        let mut poll = LeasedPoll::start(lease, start, latency_is_chosen);
        self.start_census_poll(poll.open == OpenPoll::Nested);
        let (polled, end) = self.poll_inner(cx, Some(&poll.lease.worker), inner);
        if polled.is_pending() {
            poll.end = PollEnd::Pending;
        }
        self.count(end);
        if polled.is_pending() && self.place.is_some() {
            let ended = poll.end();
            self.end_census_poll(ended);
        }
        polled
    }

    /// Returns the task's state for the census, if there is one and the task has not ended.
    #[inline]
    fn census(&self) -> Option<&CensusTask> {
        match &self.stage {
            Stage::WithWaker(waker) if self.place.is_some() => waker.census(),
            _ => None,
        }
    }

    #[inline]
    fn start_census_poll(&self, is_nested: bool) {
        if let Some(task) = self.census() {
            task.start_poll(is_nested);
        }
    }

    /// Notes in the census that a poll returned `Pending` at this time, if it was measured.
    #[inline]
    fn end_census_poll(&self, ended: Option<Timestamp>) {
        if let Some(task) = self.census() {
            task.end_poll(ended);
        }
    }

    /// Removes the task from the census, if it is there.
    #[inline]
    fn leave_census(&mut self) {
        if self.place.is_some() {
            self.leave_census_now();
        }
    }

    fn leave_census_now(&mut self) {
        if let Some(task) = self.census() {
            task.end();
        }
        if let Some(place) = self.place.take()
            && let Some(census) = &self.target().census
        {
            census.remove(&place);
        }
    }

    #[cold]
    fn poll_root<T>(
        &self,
        lease: Option<Rc<Lease>>,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let location = self.spawn_location;
        let _poll = RootPoll {
            target: self.target(),
            is_outermost: lease
                .as_ref()
                .is_some_and(|lease| lease.start_root_poll(location)),
            lease,
        };
        inner(cx)
    }

    /// Returns when the task became scheduled for the poll that begins now.
    #[inline]
    fn take_stamp(&mut self) -> Option<Timestamp> {
        match &mut self.stage {
            Stage::WithWaker(waker) => waker.take(),
            Stage::Fresh(_, scheduled_at) => scheduled_at.take(),
        }
    }

    #[inline]
    fn poll_inner<T>(
        &mut self,
        cx: &mut Context<'_>,
        worker: Option<&Worker>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> (Poll<T>, Option<TaskEnd>) {
        if let Stage::Fresh(target, _) = &self.stage
            && (target.registry.schedule_latency_config().is_some() || target.registry.stamps_wakes())
        {
            self.stage = Stage::WithWaker(TaskWaker::new(Arc::clone(target), cx.waker()));
        }
        if let Some(life) = &mut self.life {
            life.start_poll();
        }
        let polled = match &mut self.stage {
            Stage::WithWaker(waker) => {
                // Before the future is polled: a wake during a poll belongs to the next poll.
                waker.choose(worker.and_then(Worker::choose_latency));
                inner(&mut waker.context(cx.waker()))
            }
            // Schedule latency is not measured, so wakes are not stamped.
            Stage::Fresh(..) => inner(cx),
        };
        let life = self.life.as_mut();
        let end = life.and_then(|life| life.end_poll(polled.is_ready()));
        (polled, end)
    }
}

impl Task {
    /// Notes that the future is about to be dropped.
    #[inline]
    pub(super) fn start_drop(&mut self) {
        // Before the future drops its wakers, without which the task would be reported as one that nobody can wake.
        self.leave_census();
        if let Some(life) = &mut self.life {
            if life.is_new() && spawning::refuse() {
                self.life = None;
            } else {
                life.start_drop(std::thread::panicking());
            }
        }
    }

    #[inline]
    fn count(&mut self, end: Option<TaskEnd>) {
        if let Some(end) = end {
            self.leave_census();
            thread_leases::count_end(self.target(), self.polled_by, self.spawn_location, end);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let life = self.life.as_mut();
        let end = life.and_then(|life| life.end_drop(std::thread::panicking()));
        self.count(end);
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("life", &self.life)
            .field("spawn_location", &location::resolve(self.spawn_location))
            .finish_non_exhaustive()
    }
}

/// A poll in a slot of this thread. Dropping it ends the poll, even if the poll panics.
struct LeasedPoll {
    lease: Rc<Lease>,
    open: OpenPoll,
    end: PollEnd,
    is_over: bool,
}

impl LeasedPoll {
    #[inline]
    fn start(lease: Rc<Lease>, start: PollStart, latency_is_chosen: bool) -> Self {
        let open = lease.start_poll(start, latency_is_chosen);
        Self {
            lease,
            open,
            end: PollEnd::Last,
            is_over: false,
        }
    }

    /// Ends the poll. Returns the time, if it was measured.
    // Perf (row spawn/census): takes `&mut self`, because moving the guard costs 15 ns: the copy loads wider parts than were stored.
    #[inline]
    fn end(&mut self) -> Option<Timestamp> {
        self.is_over = true;
        thread_leases::end_poll(&self.lease, self.open, self.end);
        self.lease.worker.last_poll_end()
    }
}

impl Drop for LeasedPoll {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            thread_leases::end_poll(&self.lease, self.open, self.end);
        }
    }
}

/// A poll of a root future. Dropping it counts the poll, even if the poll panics.
struct RootPoll<'a> {
    target: &'a RecordingTarget,
    lease: Option<Rc<Lease>>,
    is_outermost: bool,
}

impl Drop for RootPoll<'_> {
    fn drop(&mut self) {
        if let Some(lease) = &self.lease {
            lease.end_root_poll(self.is_outermost);
        } else {
            let target = self.target;
            target.external.record(&target.registry, Worker::inc_root_polls);
        }
    }
}

/// A poll on a thread that can't lease a slot. Dropping it records the poll, even if the poll panics.
struct ExternalPoll {
    target: Arc<RecordingTarget>,
    start: PollStart,
    started: Timestamp,
    /// Whether it is not inside another poll of the same runtime.
    outermost: bool,
}

impl ExternalPoll {
    #[cold]
    fn start(target: Arc<RecordingTarget>, start: PollStart) -> Self {
        let outermost = target.external.start_poll();
        let started = target.registry.clock().now();
        Self {
            target,
            start,
            started,
            outermost,
        }
    }
}

impl Drop for ExternalPoll {
    fn drop(&mut self) {
        let RecordingTarget {
            external, registry, ..
        } = &*self.target;
        if self.outermost {
            let ended = registry.clock().now();
            external.end_poll(registry, self.start, self.started, ended);
        } else {
            external.record(registry, Worker::inc_nested_polls);
        }
    }
}
