//! The wrapper of a future that records its polls, its wakes and its end.

use crate::open_polls::OpenPoll;
use crate::recorder::Recorder;
use crate::waker::TaskWaker;
use core::fmt;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use metrics_core::{IfRecording, PollStart, TaskEnd, TaskLife};
use pin_project_lite::pin_project;
use std::rc::Rc;
use std::sync::Arc;

pin_project! {
    /// A future measured by a [`Monitor`](crate::Monitor). Spawn it on any executor of this thread.
    ///
    /// It is one task, from [`Monitor::measure`](crate::Monitor::measure) until it is ready, is dropped or panics. If another
    /// measured future polls it, its polls are counted in `nested_polls` only.
    #[must_use = "futures do nothing unless polled"]
    pub struct Measured<F> {
        // Declared before `task`, so that the future is dropped before the task's end is counted.
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

/// The state that the wrapper keeps for its task.
pub(crate) struct Task {
    recorder: Rc<Recorder>,
    shared: Arc<TaskWaker>,
    /// The waker that every poll passes to the future.
    waker: Waker,
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

/// Ends the poll when it is dropped, even if the future panics.
struct PollGuard<'a> {
    task: &'a mut Task,
    open: OpenPoll,
}

impl<'a> PollGuard<'a> {
    fn start(task: &'a mut Task, inner: &Waker) -> Self {
        task.life.start_poll();
        let scheduled_at = task.shared.start_poll(inner);
        let start = PollStart {
            scheduled_at,
            spawn_location: task.shared.spawn_location,
        };
        let open = task.recorder.start_poll(start, &task.shared);
        Self { task, open }
    }

    fn end(self, ready: bool) {
        let end = self.task.life.end_poll(ready);
        self.task.count(end);
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.task.shared.end_poll();
        self.task.recorder.end_poll(&self.open, &self.task.shared);
    }
}

impl Task {
    /// Counts a task as spawned at this location.
    pub(crate) fn new(recorder: &Rc<Recorder>, spawned_at: &'static Location<'static>) -> Self {
        let spawn_location = crate::location::intern(spawned_at);
        recorder.worker.task_spawned_at(spawn_location);
        let shared = recorder.spawned(spawn_location);
        Self {
            recorder: Rc::clone(recorder),
            waker: Waker::from(Arc::clone(&shared)),
            shared,
            life: TaskLife::new(),
        }
    }

    fn count(&self, end: Option<TaskEnd>) {
        if let Some(end) = end
            && self.shared.end()
        {
            let spawn_location = self.shared.spawn_location;
            self.recorder.worker.task_ended_at(spawn_location, end);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let end = self.life.end_drop(std::thread::panicking());
        self.count(end);
    }
}
