//! A slot that a thread has leased, and the polls that it records there.

use core::cell::Cell;
use std::sync::Arc;

#[cfg(feature = "axum")]
use metrics_core::GroupId;
use metrics_core::{LocationId, PollStart};

use super::runtime_leases::{LeaseOptions, RuntimeLeases, SubmitPolicy};
use super::target::RecordingTarget;
use super::thread::{self, ThreadNumber};
use crate::{Registry, Worker};

/// A slot that this thread has leased.
pub(crate) struct Lease {
    pub(crate) worker: Worker,
    /// Held by the tasks that this thread spawns, because other threads touch its reference count less often.
    pub(crate) target: Arc<RecordingTarget>,
    pub(crate) options: LeaseOptions,
    /// Number of measured tasks that this thread is polling, and of groups whose futures it polls in a task, one inside the other.
    depth: Cell<u32>,
    /// The end of the poll that the runtime's hooks have started, as known so far; `None` between such polls.
    hooked: Cell<Option<PollEnd>>,
    /// The root future, or the group whose future this thread is polling, outside any task.
    outside_tasks: Cell<Option<LocationId>>,
    /// Dropped after the worker, whose slot contains the number until then.
    _thread: Option<ThreadNumber>,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollEnd {
    /// The task returned `Pending`.
    Pending,
    /// The task returned `Ready`, or panicked.
    Last,
}

/// How the worker counts a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenPoll {
    /// As a poll of a task.
    Outermost,
    /// Not at all: the runtime's hooks count it.
    Hooked,
    /// As a nested poll, inside the poll of another measured task.
    Nested,
}

/// Whether the thread still runs the worker that it leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterPoll {
    /// The thread still runs the worker.
    Keep,
    /// Another thread leased the worker during the poll.
    Release,
}

impl Lease {
    pub(crate) fn new(worker: Worker, target: &RecordingTarget, options: LeaseOptions) -> Self {
        let thread = thread::current();
        worker.set_thread(thread.as_ref().map_or(0, ThreadNumber::get));
        // A stall report of the first poll needs the thread's number.
        worker.submit();
        if options.reports_parks {
            worker.start_processing_scheduled_tasks();
        }
        Self {
            worker,
            target: Arc::new(target.for_lease()),
            options,
            depth: Cell::new(0),
            hooked: Cell::new(None),
            outside_tasks: Cell::new(None),
            _thread: thread,
        }
    }

    /// Returns whether this thread is in a poll. That poll ends in this slot, even if the thread loses its worker.
    pub(crate) fn is_in_poll(&self) -> bool {
        self.depth.get() > 0 || self.hooked.get().is_some()
    }

    /// Starts a poll of a measured task. `latency_is_chosen` if [`Worker::choose_latency`] has decided on its schedule latency.
    #[inline]
    pub(crate) fn start_poll(&self, start: PollStart, latency_is_chosen: bool) -> OpenPoll {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 && !self.worker.is_polling() {
            // The time since the last timestamp may include other work.
            self.worker.discard_last_timestamp();
            if latency_is_chosen {
                self.worker.start_chosen_poll(start);
            } else {
                self.worker.start_poll(start);
            }
            OpenPoll::Outermost
        } else if depth == 0 && self.hooked.get().is_some() {
            // The runtime's hook reported a location inside the library that spawned the task for the user.
            self.worker.set_spawn_location(start.spawn_location);
            OpenPoll::Hooked
        } else {
            self.worker.inc_nested_polls();
            OpenPoll::Nested
        }
    }

    /// Ends a poll. Call it through [`thread_leases::end_poll`](super::thread_leases::end_poll).
    #[inline]
    pub(super) fn end_poll(&self, open: OpenPoll, end: PollEnd) -> AfterPoll {
        self.depth.set(self.depth.get() - 1);
        if open == OpenPoll::Outermost {
            self.record_end(end)
        } else {
            AfterPoll::Keep
        }
    }

    #[inline]
    fn record_end(&self, end: PollEnd) -> AfterPoll {
        let after = self.record_and_submit(end);
        // The poll of the root future, or of the group's future, around this poll goes on.
        if let Some(location) = self.outside_tasks.get() {
            self.worker.start_root_poll(location);
        }
        after
    }

    #[inline]
    fn record_and_submit(&self, end: PollEnd) -> AfterPoll {
        let runtime = self.target.runtime.as_deref();
        if end == PollEnd::Pending && runtime.is_some_and(RuntimeLeases::is_budget_spent) {
            self.worker.inc_budget_forced_yield_count();
        }
        self.worker.end_poll();
        let submits = match self.options.submit {
            SubmitPolicy::EveryPoll => true,
            SubmitPolicy::LastPoll => end == PollEnd::Last,
            SubmitPolicy::Interval => false,
        };
        if submits {
            self.worker.submit();
        }
        let may_have_handed_over = match self.worker.last_poll() {
            Some(ticks) => ticks >= self.options.hand_over_ticks,
            None => !self.is_latest(),
        };
        if may_have_handed_over {
            self.submit_after_long_poll()
        } else {
            AfterPoll::Keep
        }
    }

    /// Submits because the thread may have handed its worker over during the poll, after which it calls no other hook.
    #[cold]
    fn submit_after_long_poll(&self) -> AfterPoll {
        let is_latest = self.is_latest();
        if !is_latest {
            self.worker.end_busy_at_last_timestamp();
        }
        self.worker.submit();
        if is_latest {
            AfterPoll::Keep
        } else {
            AfterPoll::Release
        }
    }

    /// Returns whether no other thread has leased the worker since.
    fn is_latest(&self) -> bool {
        let runtime = self.target.runtime.as_deref();
        runtime.is_none_or(|runtime| runtime.is_latest(&self.options))
    }

    /// Starts a poll of a root future. Returns whether the live record shows it: it does not inside a task or another root future.
    pub(crate) fn start_root_poll(&self, location: LocationId) -> bool {
        let is_outermost = self.outside_tasks.get().is_none() && !self.worker.is_polling();
        if is_outermost {
            self.outside_tasks.set(Some(location));
            self.worker.start_root_poll(location);
        }
        is_outermost
    }

    /// Ends a poll of a root future and counts it.
    pub(crate) fn end_root_poll(&self, is_outermost: bool) {
        if is_outermost {
            self.outside_tasks.set(None);
            self.worker.end_root_poll();
        } else {
            self.worker.inc_root_polls();
        }
        if !self.worker.is_polling() {
            self.worker.submit();
        }
    }

    /// Notes that this thread polls a future of a group, until the result is dropped. A measured future inside it hides the group only while
    /// its own poll lasts, and not at all if the group's future is in a measured task.
    #[cfg(feature = "axum")]
    pub(crate) fn enter_group(&self, group: GroupId) -> OpenGroup<'_> {
        let in_task = self.worker.is_polling();
        let outer = if in_task {
            self.depth.set(self.depth.get() + 1);
            None
        } else {
            self.outside_tasks.replace(Some(group.location()))
        };
        OpenGroup {
            lease: self,
            in_task,
            outer,
        }
    }

    pub(super) fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(self.worker.registry(), registry)
    }

    /// Returns whether no reader can see further records of this lease.
    pub(super) fn is_orphaned(&self) -> bool {
        !self.target.has_owner() && Arc::strong_count(&self.target) == 1
    }
}

/// A group whose future a thread is polling, until it is dropped.
#[cfg(feature = "axum")]
pub(crate) struct OpenGroup<'a> {
    lease: &'a Lease,
    in_task: bool,
    /// The root future or the group around it, outside any task.
    outer: Option<LocationId>,
}

#[cfg(feature = "axum")]
impl Drop for OpenGroup<'_> {
    fn drop(&mut self) {
        let lease = self.lease;
        if self.in_task {
            lease.depth.set(lease.depth.get() - 1);
        } else {
            lease.outside_tasks.set(self.outer);
        }
    }
}

/// Polls that the runtime's hooks report.
#[allow(dead_code, reason = "not every runtime reports them")]
impl Lease {
    /// Starts a poll that a hook reports.
    pub(crate) fn start_hooked_poll(&self, start: PollStart) {
        self.worker.discard_last_timestamp();
        self.worker.start_chosen_poll(start);
        self.hooked.set(Some(PollEnd::Pending));
    }

    /// Notes that the task of the current poll has ended.
    pub(crate) fn end_hooked_task(&self) {
        if self.hooked.get().is_some() {
            self.hooked.set(Some(PollEnd::Last));
        }
    }

    /// Ends a poll that a hook reports. Call it through [`thread_leases::end_hooked_poll`](super::thread_leases::end_hooked_poll).
    pub(super) fn end_hooked_poll(&self) -> AfterPoll {
        self.hooked
            .take()
            .map_or(AfterPoll::Keep, |end| self.record_end(end))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The time since the last timestamp belongs to the thread that runs the worker now.
        if !self.is_latest() {
            self.worker.end_busy_at_last_timestamp();
        }
    }
}
