//! An executor with every kind of hook. The program that includes this file defines `hooks!`, `measured!` and the types of
//! `metrics`: as nothing, or as those of metrics-std.

#![allow(
    dead_code,
    unused_imports,
    unused_variables,
    clippy::trivially_copy_pass_by_ref,
    clippy::unit_arg,
    clippy::wildcard_imports,
    reason = "in the program without metrics no hook uses them"
)]

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use crate::metrics::*;

const TASKS: u64 = 64;
const POLLS_OF_EACH: u64 = 100;

type Queue = Mutex<VecDeque<Arc<Task>>>;

struct Task {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    queue: Arc<Queue>,
    clock: Clock,
    scheduled: WakeStamp,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        hooks!(self.scheduled.mark(self.clock.now()));
        let queue = Arc::clone(&self.queue);
        lock(&queue).push_back(self);
    }
}

struct Executor {
    queue: Arc<Queue>,
    clock: Clock,
    worker: Worker,
}

impl Executor {
    fn spawn(&self, reader: &RuntimeMetrics, future: impl Future<Output = ()> + Send + 'static) {
        hooks!(self.worker.task_spawned());
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(measured!(reader, future)))),
            queue: Arc::clone(&self.queue),
            clock: Clone::clone(&self.clock),
            scheduled: WakeStamp::default(),
        });
        hooks!(self.worker.inc_local_schedule_count());
        task.wake();
    }

    /// Runs until no task is left to poll, and returns the number of polls. `cargo xtask zero-cost` counts the instructions
    /// executed in here, by this name.
    #[inline(never)]
    fn measured_region(&self) -> u64 {
        let mut polls = 0;
        hooks!(self.worker.unpark());
        hooks!(self.worker.start_processing_scheduled_tasks());
        while let Some(task) = self.next() {
            let waker = Waker::from(Arc::clone(&task));
            let mut slot = lock(&task.future);
            let Some(future) = slot.as_mut() else { continue };
            hooks!(self.worker.start_poll(PollStart {
                scheduled_at: task.scheduled.take(),
                spawn_location: location::intern(core::panic::Location::caller()),
            }));
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            hooks!(self.worker.end_poll());
            polls += 1;
            if polled.is_ready() {
                *slot = None;
                hooks!(self.worker.task_ended(TaskEnd::Completed));
            } else {
                hooks!(self.worker.inc_budget_forced_yield_count());
            }
            hooks!(self.worker.tick());
        }
        hooks!(self.worker.end_processing_scheduled_tasks());
        hooks!(self.worker.inc_steal_count(1));
        hooks!(self.worker.park());
        polls
    }

    fn next(&self) -> Option<Arc<Task>> {
        lock(&self.queue).pop_front()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A future that is ready after this many polls.
async fn polled(times: u64) {
    let mut left = times;
    poll_fn(|cx| {
        left -= 1;
        if left == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs the tasks and returns their number of polls.
pub(crate) fn run(reader: &RuntimeMetrics, clock: Clock, worker: Worker) -> u64 {
    let executor = Executor {
        queue: Arc::default(),
        clock,
        worker,
    };
    for _ in 0..TASKS {
        executor.spawn(reader, polled(POLLS_OF_EACH));
    }
    executor.measured_region()
}
