//! A future whose polls, wakes and end are measured.

use crate::recorder::Recorder;
use crate::waker::TaskWaker;
use core::fmt;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use metrics_core::{IfRecording, PollStart, Site, TaskEnd, TaskLife};
use pin_project_lite::pin_project;
use std::rc::Rc;
use std::sync::Arc;

pin_project! {
    /// A future measured by a [`Monitor`](crate::Monitor): hand it to whatever executor runs this thread.
    ///
    /// It counts as one task from here to its end, whatever way that comes: done, dropped, panicked. Polled inside
    /// another measured future, its polls count as `nested_polls` and leave every other number alone.
    #[must_use = "futures do nothing unless polled"]
    pub struct Measured<F> {
        // Dropped before the task, whose end is counted when nothing of it is left.
        #[pin]
        future: F,
        task: IfRecording<Task>,
    }

    impl<F> PinnedDrop for Measured<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(task) = this.project().task.get_mut() {
                task.life.start_drop(std::thread::panicking());
            }
        }
    }
}

impl<F> fmt::Debug for Measured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}

/// What the wrapper keeps of the task.
pub(crate) struct Task {
    recorder: Rc<Recorder>,
    shared: Arc<TaskWaker>,
    /// Made once: it is the same for every poll.
    waker: Waker,
    site: Site,
    life: TaskLife,
}

impl<F> Measured<F> {
    pub(crate) fn new(future: F, task: IfRecording<Task>) -> Self {
        Self { future, task }
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(task) = this.task.get_mut() else {
            return this.future.poll(cx);
        };
        let poll = PollGuard::start(task, cx.waker());
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
        let nested = !task.recorder.start_poll(PollStart {
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
            self.task.recorder.end_poll();
        }
    }
}

impl Task {
    /// A task of a future that `spawned_at` spawns. It counts as spawned from now on.
    pub(crate) fn new(recorder: &Rc<Recorder>, spawned_at: &'static Location<'static>) -> Self {
        let site = crate::site::intern(spawned_at);
        recorder.worker.task_spawned();
        let shared = recorder.spawned();
        Self {
            recorder: Rc::clone(recorder),
            waker: Waker::from(Arc::clone(&shared)),
            shared,
            site,
            life: TaskLife::new(),
        }
    }

    fn count(&self, end: Option<TaskEnd>) {
        if let Some(end) = end {
            self.shared.end();
            self.recorder.worker.task_ended(end);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let end = self.life.end_drop(std::thread::panicking());
        self.count(end);
    }
}
