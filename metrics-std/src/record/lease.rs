//! A slot leased by a thread, and the polls that it records there.

use core::cell::Cell;
use std::sync::Arc;

use metrics_core::PollStart;

use super::runtime_leases::{LeaseOptions, RuntimeLeases, SubmitPolicy};
use super::target::RecordingTarget;
use super::thread::{self, ThreadNumber};
use crate::{Registry, Worker};

/// A slot leased by this thread.
pub(crate) struct Lease {
    pub(crate) worker: Worker,
    /// Held by the tasks that this thread spawns: a reference count that other threads touch less often.
    pub(crate) target: Arc<RecordingTarget>,
    pub(crate) options: LeaseOptions,
    /// Measured tasks being polled on this thread, one inside the other.
    depth: Cell<u32>,
    /// The poll that the runtime's own hooks have open, and how it would end now.
    hooked: Cell<Option<PollEnd>>,
    /// Dropped after the worker, whose slot has the number until then.
    _thread: Option<ThreadNumber>,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollEnd {
    /// The task goes on.
    Pending,
    /// The task returned `Ready`, or panicked.
    Last,
}

/// What the worker counts a poll as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenPoll {
    /// A poll of a task.
    Outermost,
    /// Nothing: the runtime's own hooks count it.
    Hooked,
    /// A nested poll, inside that of another measured task.
    Nested,
}

/// Whether the thread still runs the worker that it leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterPoll {
    /// It does.
    Keep,
    /// Another thread has leased the worker during the poll.
    Release,
}

impl Lease {
    pub(crate) fn new(worker: Worker, target: &RecordingTarget, options: LeaseOptions) -> Self {
        let thread = thread::current();
        worker.set_thread(thread.as_ref().map_or(0, ThreadNumber::get));
        // A first poll that stalls has a thread to name.
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
            _thread: thread,
        }
    }

    /// Whether this thread is in a poll, which ends in this slot whatever becomes of the thread.
    pub(crate) fn is_in_poll(&self) -> bool {
        self.depth.get() > 0 || self.hooked.get().is_some()
    }

    /// A measured task is about to be polled.
    #[inline]
    pub(crate) fn start_poll(&self, start: PollStart) -> OpenPoll {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 && !self.worker.is_polling() {
            // What happened since the last reading is not known here.
            self.worker.discard_last_timestamp();
            self.worker.start_poll(start);
            OpenPoll::Outermost
        } else if depth == 0 && self.hooked.get().is_some() {
            // The runtime's hook reported a location in the library that spawned on the user's behalf.
            self.worker.set_spawn_location(start.spawn_location);
            OpenPoll::Hooked
        } else {
            self.worker.inc_nested_polls();
            OpenPoll::Nested
        }
    }

    /// The poll has ended. Call it through [`thread_leases::end_poll`](super::thread_leases::end_poll).
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

    /// The thread may have handed its worker over during the poll, and then passes no other hook.
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

    /// Whether no other thread has leased the worker since.
    fn is_latest(&self) -> bool {
        let runtime = self.target.runtime.as_deref();
        runtime.is_none_or(|runtime| runtime.is_latest(&self.options))
    }

    /// A root future was polled on this thread.
    pub(crate) fn count_root_poll(&self) {
        self.worker.inc_root_polls();
        if !self.worker.is_polling() {
            self.worker.submit();
        }
    }

    pub(super) fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(self.worker.registry(), registry)
    }

    /// Whether nobody can read what would be recorded here.
    pub(super) fn is_orphaned(&self) -> bool {
        !self.target.has_owner() && Arc::strong_count(&self.target) == 1
    }
}

/// Polls that the runtime's own hooks report.
#[allow(dead_code, reason = "not every runtime reports them")]
impl Lease {
    /// The runtime is about to poll a task.
    pub(crate) fn start_hooked_poll(&self, start: PollStart) {
        self.worker.discard_last_timestamp();
        self.worker.start_poll(start);
        self.hooked.set(Some(PollEnd::Pending));
    }

    /// The task of the open poll has ended.
    pub(crate) fn end_hooked_task(&self) {
        if self.hooked.get().is_some() {
            self.hooked.set(Some(PollEnd::Last));
        }
    }

    /// The poll has ended. Call it through [`thread_leases::end_hooked_poll`](super::thread_leases::end_hooked_poll).
    pub(super) fn end_hooked_poll(&self) -> AfterPoll {
        self.hooked
            .take()
            .map_or(AfterPoll::Keep, |end| self.record_end(end))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The time since the last reading belongs to the thread that runs the worker now.
        if !self.is_latest() {
            self.worker.end_busy_at_last_timestamp();
        }
    }
}
