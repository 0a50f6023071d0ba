//! The life of one measured future.

use core::fmt;
use core::panic::Location;
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;

use metrics_core::{PollStart, Site, TaskEnd, TimeSource, Timestamp};

use super::waker::TaskWaker;
use crate::location;
use crate::record::lease::{Lease, Open, Polled};
use crate::record::target::{Driver, Home};

/// What the wrapper keeps beside the future.
pub(super) struct Task {
    stage: Stage,
    state: State,
    driver: Driver,
    site: Site,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A future that a thread blocks on: no task.
    Root,
    /// A task between two polls.
    Alive,
    /// A task in a poll. Its drop finds it so if that poll panicked.
    Polling,
    /// A task that returned `Ready`.
    Completed,
}

enum Stage {
    /// Scheduled since its spawn, or never to be stamped.
    Fresh(Arc<Home>, Option<Timestamp>),
    Polled(TaskWaker),
}

impl Task {
    pub(super) fn root(home: Arc<Home>) -> Self {
        Self {
            stage: Stage::Fresh(home, None),
            state: State::Root,
            driver: Driver::Anyone,
            site: Site::UNKNOWN,
        }
    }

    pub(super) fn spawned(home: &Arc<Home>, location: &'static Location<'static>, driver: Driver) -> Self {
        let (home, lease) = home.near();
        home.task_spawned(lease.as_deref());
        let scheduled_at = home.stamps_wakes().then(|| home.registry.clock().now());
        let site = location::intern(location);
        Self {
            stage: Stage::Fresh(home, scheduled_at),
            state: State::Alive,
            driver,
            site,
        }
    }

    fn home(&self) -> &Arc<Home> {
        match &self.stage {
            Stage::Fresh(home, _) => home,
            Stage::Polled(waker) => waker.home(),
        }
    }

    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let lease = self.home().lease(self.driver);
        if self.state == State::Root {
            return self.poll_root(lease, cx, inner);
        }
        let scheduled_at = self.take_stamp();
        let start = PollStart {
            scheduled_at,
            site: self.site,
        };
        let Some(lease) = lease else {
            let _poll = ForeignPoll::begin(Arc::clone(self.home()), start);
            let polled = self.poll_inner(cx, inner);
            if polled.is_ready() {
                self.home().task_ended(TaskEnd::Completed);
            }
            return polled;
        };
        let mut poll = OpenPoll::begin(lease, start);
        let polled = self.poll_inner(cx, inner);
        if polled.is_pending() {
            poll.polled = Polled::Pending;
        } else {
            poll.lease.worker.task_ended(TaskEnd::Completed);
        }
        polled
    }

    #[cold]
    fn poll_root<T>(
        &self,
        lease: Option<Rc<Lease>>,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let _poll = RootPoll {
            home: self.home(),
            lease,
        };
        inner(cx)
    }

    /// When the task became scheduled, for the poll that begins now.
    #[inline]
    fn take_stamp(&mut self) -> Option<Timestamp> {
        match &mut self.stage {
            Stage::Polled(waker) => waker.take(),
            Stage::Fresh(_, scheduled_at) => scheduled_at.take(),
        }
    }

    #[inline]
    fn poll_inner<T>(
        &mut self,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if let Stage::Fresh(home, _) = &self.stage
            && home.registry.schedule_latency_config().is_some()
        {
            self.stage = Stage::Polled(TaskWaker::new(Arc::clone(home), cx.waker()));
        }
        self.state = State::Polling;
        let polled = match &mut self.stage {
            Stage::Polled(waker) => inner(&mut waker.context(cx.waker())),
            // Without a histogram of latencies nobody asks when it was woken.
            Stage::Fresh(..) => inner(cx),
        };
        self.state = if polled.is_ready() {
            State::Completed
        } else {
            State::Alive
        };
        polled
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        match self.state {
            State::Root | State::Completed => {}
            State::Alive => self.home().task_ended(TaskEnd::Cancelled),
            State::Polling => self.home().task_ended(TaskEnd::Panicked),
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("state", &self.state)
            .field("site", &location::resolve(self.site))
            .finish_non_exhaustive()
    }
}

/// A poll that goes on in a slot of this thread, ended by the drop, panic or not.
struct OpenPoll {
    lease: Rc<Lease>,
    open: Open,
    polled: Polled,
}

impl OpenPoll {
    #[inline]
    fn begin(lease: Rc<Lease>, start: PollStart) -> Self {
        let open = lease.begin_poll(start);
        Self {
            lease,
            open,
            polled: Polled::Last,
        }
    }
}

impl Drop for OpenPoll {
    #[inline]
    fn drop(&mut self) {
        self.lease.end_poll(self.open, self.polled);
    }
}

/// A poll of a root future, counted by the drop, panic or not.
struct RootPoll<'a> {
    home: &'a Home,
    lease: Option<Rc<Lease>>,
}

impl Drop for RootPoll<'_> {
    fn drop(&mut self) {
        match &self.lease {
            Some(lease) => lease.count_root_poll(),
            None => self.home.count_foreign_root_poll(),
        }
    }
}

/// A poll on a thread that can have no slot, recorded by the drop, panic or not.
struct ForeignPoll {
    home: Arc<Home>,
    start: PollStart,
    started: Timestamp,
    /// Not inside another one of the same runtime.
    outermost: bool,
}

impl ForeignPoll {
    #[cold]
    fn begin(home: Arc<Home>, start: PollStart) -> Self {
        let outermost = home.begin_foreign_poll();
        let started = home.registry.clock().now();
        Self {
            home,
            start,
            started,
            outermost,
        }
    }
}

impl Drop for ForeignPoll {
    fn drop(&mut self) {
        if self.outermost {
            let ended = self.home.registry.clock().now();
            self.home.end_foreign_poll(self.start, self.started, ended);
        } else {
            self.home.count_foreign_nested_poll();
        }
    }
}
