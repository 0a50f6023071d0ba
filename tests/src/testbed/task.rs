//! A task: the part in the queues, the hooks around its future, and the handle to its output.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::{Context as TaskContext, Poll, ready};
use std::sync::Arc;

use async_task::{Builder, FallibleTask, ScheduleInfo, WithInfo};
use pin_project_lite::pin_project;

use super::Registry;
use super::context::Context;
use super::coop;
use super::metrics::{LocationId, PollStart, TaskEnd, Timestamp, WakeStamp, Worker};
use super::queue::Entry;
use super::shared::Shared;

/// The data of a task for the scheduler and the hooks.
pub struct Meta {
    /// When the task was scheduled. The waker sets it and the worker that polls the task takes it.
    scheduled: WakeStamp,
    /// Whether the schedule latency of the next poll is measured, as [`Worker::choose_latency`] decided: [`UNDECIDED`], [`MEASURED`] or
    /// [`SKIPPED`].
    latency: AtomicU8,
}

/// The start of the next poll decides.
const UNDECIDED: u8 = 0;
const MEASURED: u8 = 1;
/// A wake needs no timestamp.
const SKIPPED: u8 = 2;

impl Meta {
    /// Stores the time of a wake, unless the poll that it leads to is not measured.
    fn mark(&self, registry: &Registry) {
        // Ordering: relaxed, here and below: a wake that sees an earlier decision stamps or skips one poll too many.
        if self.latency.load(Ordering::Relaxed) != SKIPPED {
            registry.stamp(&self.scheduled);
        }
    }

    /// Decides whether the schedule latency of the next poll is measured.
    fn choose(&self, worker: &Worker) {
        let latency = match worker.choose_latency() {
            None => UNDECIDED,
            Some(true) => MEASURED,
            Some(false) => SKIPPED,
        };
        if latency != self.latency.load(Ordering::Relaxed) {
            self.latency.store(latency, Ordering::Relaxed);
        }
    }

    /// Returns the start of a poll for the hooks, and decides about the next poll.
    pub(super) fn next_poll(&self, worker: &Worker) -> Scheduled {
        let scheduled = Scheduled {
            at: self.scheduled.take(),
            is_chosen: self.latency.load(Ordering::Relaxed) != UNDECIDED,
        };
        self.choose(worker);
        scheduled
    }
}

/// When the task that runs now became scheduled.
#[derive(Clone, Copy, Default)]
pub(super) struct Scheduled {
    at: Option<Timestamp>,
    /// Whether it was decided before if the schedule latency is measured.
    is_chosen: bool,
}

pub(super) type Runnable = async_task::Runnable<Meta>;

/// Spawns a task. Hooks: `task_spawned` here, those of a poll in [`Measured`], one of the endings in [`Alive`].
pub(super) fn spawn<F>(shared: &Arc<Shared>, future: F, spawn_location: LocationId) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawned = shared.adopt(|key| {
        let alive = Alive {
            shared: Arc::clone(shared),
            key,
            spawn_location,
            end: TaskEnd::Cancelled,
        };
        let meta = Meta {
            scheduled: WakeStamp::new(),
            latency: AtomicU8::new(UNDECIDED),
        };
        let schedule = {
            let shared = Arc::clone(shared);
            move |task: Runnable, info: ScheduleInfo| {
                task.metadata().mark(&shared.registry);
                // A task that woke itself during its poll is yielding, so other tasks come first.
                shared.schedule(
                    task,
                    if info.woken_while_running {
                        Entry::Back
                    } else {
                        Entry::Lifo
                    },
                );
            }
        };
        Builder::new()
            .metadata(meta)
            .propagate_panic(true)
            .spawn(|_| Measured { future, alive }, WithInfo(schedule))
    });
    // A runtime that is shutting down accepts no task.
    let Some((runnable, task)) = spawned else {
        return JoinHandle { task: None };
    };
    Context::with(shared, |context| match context {
        Some(context) => {
            context.metrics.task_spawned_at(spawn_location);
            runnable.metadata().choose(&context.metrics);
        }
        None => shared.registry.shared().task_spawned_at(spawn_location),
    });
    runnable.schedule();
    JoinHandle::new(task)
}

pin_project! {
    /// The user's future with the hooks around its polls.
    ///
    /// They are here and not around `Runnable::run`, because running a cancelled task drops its future without polling it.
    struct Measured<F> {
        #[pin]
        future: F,
        // Dropped after the future: a task has ended when its destructors have run.
        alive: Alive,
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let context = Context::of(&this.alive.shared).expect("a task is only run by a worker of its runtime");
        let worker: &Worker = &context.metrics;
        let scheduled = context.scheduled.get();
        let start = PollStart {
            scheduled_at: scheduled.at,
            spawn_location: this.alive.spawn_location,
        };
        if scheduled.is_chosen {
            worker.start_chosen_poll(start);
        } else {
            worker.start_poll(start);
        }
        let end = EndPoll(worker);
        this.alive.end = TaskEnd::Panicked;
        let poll = this.future.poll(cx);
        this.alive.end = if poll.is_ready() {
            TaskEnd::Completed
        } else {
            TaskEnd::Cancelled
        };
        if coop::take_refused() && poll.is_pending() {
            worker.inc_budget_forced_yield_count();
        }
        drop(end);
        poll
    }
}

/// Ends a poll on every way out of it, a panic included, in the slot of the thread that started it.
struct EndPoll<'a>(&'a Worker);

impl Drop for EndPoll<'_> {
    fn drop(&mut self) {
        self.0.end_poll();
    }
}

/// Counts the task's end once, however it ends, and removes it from the runtime's list.
struct Alive {
    shared: Arc<Shared>,
    key: usize,
    spawn_location: LocationId,
    /// How the task has ended if it is dropped now.
    end: TaskEnd,
}

impl Drop for Alive {
    fn drop(&mut self) {
        Context::with(&self.shared, |context| match context {
            Some(context) => context.metrics.task_ended_at(self.spawn_location, self.end),
            None => self
                .shared
                .registry
                .shared()
                .task_ended_at(self.spawn_location, self.end),
        });
        self.shared.disown(self.key);
    }
}

/// A task's output: `None` if it was cancelled. A panic of the task resumes in the task that awaits the handle. Dropping the handle
/// detaches the task.
pub struct JoinHandle<T, M = Meta> {
    task: Option<FallibleTask<T, M>>,
}

impl<T, M> JoinHandle<T, M> {
    pub(super) fn new(task: async_task::Task<T, M>) -> JoinHandle<T, M> {
        JoinHandle {
            task: Some(task.fallible()),
        }
    }

    /// Cancels the task: it is not polled again, and its future is dropped by a worker.
    pub fn abort(mut self) {
        drop(self.task.take());
    }

    /// Returns whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(FallibleTask::is_finished)
    }
}

impl<T, M> Future for JoinHandle<T, M> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<T>> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        ready!(coop::poll_proceed(cx));
        Pin::new(task).poll(cx)
    }
}

impl<T, M> Drop for JoinHandle<T, M> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}
