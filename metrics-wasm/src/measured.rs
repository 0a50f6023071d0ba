//! A future whose polls, wakes and end are measured.

use crate::monitor::Monitor;
use crate::waker::TaskWaker;
use core::fmt;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use metrics_core::{PollStart, Site, TaskEnd, TaskLife};
use pin_project_lite::pin_project;
use std::sync::Arc;

pin_project! {
    /// A future measured by a [`Monitor`]: hand it to whatever executor runs this thread.
    ///
    /// It counts as one task from here to its end, whatever way that comes: done, dropped, panicked. Polled inside
    /// another measured future, its polls count as `nested_polls` and leave every other number alone.
    #[must_use = "futures do nothing unless polled"]
    pub struct Measured<F> {
        // Dropped before the task, whose end is counted when nothing of it is left.
        #[pin]
        future: F,
        task: Task,
    }

    impl<F> PinnedDrop for Measured<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().task.life.start_drop(std::thread::panicking());
        }
    }
}

impl<F> fmt::Debug for Measured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}

struct Task {
    monitor: Monitor,
    shared: Arc<TaskWaker>,
    /// Made once: it is the same for every poll.
    waker: Waker,
    site: Site,
    life: TaskLife,
}

impl<F> Measured<F> {
    pub(crate) fn new(monitor: Monitor, future: F, spawned_at: &'static Location<'static>) -> Self {
        let site = crate::site::intern(spawned_at);
        monitor.worker().task_spawned();
        let shared = monitor.spawned();
        Self {
            future,
            task: Task {
                monitor,
                waker: Waker::from(Arc::clone(&shared)),
                shared,
                site,
                life: TaskLife::new(),
            },
        }
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = PollGuard::start(this.task, cx.waker());
        let output = this.future.poll(&mut Context::from_waker(&poll.task.waker));
        poll.end(output.is_ready());
        output
    }
}

/// Ends a poll, by returning or by a panic.
struct PollGuard<'a> {
    task: &'a mut Task,
    nested: bool,
}

impl<'a> PollGuard<'a> {
    fn start(task: &'a mut Task, inner: &Waker) -> Self {
        task.life.start_poll();
        let scheduled_at = task.shared.start_poll(inner);
        let nested = !task.monitor.start_poll(PollStart {
            scheduled_at,
            site: task.site,
        });
        Self { task, nested }
    }

    fn end(self, ready: bool) {
        let end = self.task.life.end_poll(ready);
        self.task.count(end);
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.task.shared.end_poll();
        if !self.nested {
            self.task.monitor.end_poll();
        }
    }
}

impl Task {
    fn count(&self, end: Option<TaskEnd>) {
        if let Some(end) = end {
            self.shared.end();
            self.monitor.worker().task_ended(end);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let end = self.life.end_drop(std::thread::panicking());
        self.count(end);
    }
}
