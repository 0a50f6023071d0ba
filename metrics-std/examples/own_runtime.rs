//! A runtime of your own: two worker threads, each with a queue of tasks. The lines marked `+` call the hooks.

use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::thread;

use metrics_std::{
    Builder, Clock, HistogramConfig, LocationId, MetricSet, NoProbe, PollStart, Registry, RuntimeHandles,
    TaskEnd, WakeStamp, Worker, WorkerNumber, build, location,
};

struct Task {
    /// `None` once it has completed.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    queue: Sender<Arc<Task>>,
    registry: Arc<Registry>,
    queued_at: WakeStamp,
    spawned_at: LocationId,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.registry.stamp(&self.queued_at); // +
        let queue = self.queue.clone();
        // It fails if the worker has ended. The task is dropped then.
        let _ = queue.send(self);
    }
}

#[track_caller]
fn spawn(
    queue: &Sender<Arc<Task>>,
    registry: &Arc<Registry>,
    future: impl Future<Output = ()> + Send + 'static,
) {
    let task = Task {
        future: Mutex::new(Some(Box::pin(future))),
        queue: queue.clone(),
        registry: Arc::clone(registry),
        queued_at: WakeStamp::new(),
        spawned_at: location::intern(Location::caller()),
    };
    registry.shared().task_spawned(); // +
    Arc::new(task).wake();
}

/// The loop of a worker thread. It ends when every task has completed.
fn run(worker: &Worker, queue: &Receiver<Arc<Task>>) {
    let mut next = queue.try_recv().ok();
    loop {
        worker.start_processing_scheduled_tasks(); // +
        while let Some(task) = next.take().or_else(|| queue.try_recv().ok()) {
            poll(worker, &task);
        }
        worker.end_processing_scheduled_tasks(); // +

        worker.park(); // +
        next = queue.recv().ok();
        worker.unpark(); // +
        if next.is_none() {
            return;
        }
    }
}

fn poll(worker: &Worker, task: &Arc<Task>) {
    let waker = Waker::from(Arc::clone(task));
    let mut future = task.future.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(running) = future.as_mut() else { return };

    let start = PollStart {
        scheduled_at: task.queued_at.take(),
        spawn_location: task.spawned_at,
    };
    worker.start_poll(start); // +
    let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
    worker.end_poll(); // +
    if polled.is_ready() {
        *future = None;
        worker.task_ended(TaskEnd::Completed); // +
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let builder = Builder::new()
        .name("mine")
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        // What the hooks measure. Every other metric reads `None`.
        .measures(MetricSet::TASKS.union(MetricSet::worker(&[
            WorkerNumber::PollCount,
            WorkerNumber::BusyDurationTotal,
            WorkerNumber::ParkedDurationTotal,
            WorkerNumber::SearchingDurationTotal,
            WorkerNumber::PollingDurationTotal,
            WorkerNumber::RunningDurationTotal,
            WorkerNumber::ParkCount,
        ])));
    let RuntimeHandles { metrics, workers } = build(builder, Clock::new(), NoProbe)?;

    let mut threads = Vec::new();
    for worker in workers {
        let (queue, tasks) = channel();
        for _ in 0..100 {
            spawn(&queue, metrics.registry(), yield_once());
        }
        threads.push(thread::spawn(move || run(&worker, &tasks)));
    }
    for thread in threads {
        thread.join().expect("no task panics");
    }

    let snapshot = metrics.snapshot();
    for worker in snapshot.workers() {
        if let (Some(polls), Some(busy)) = (worker.poll_count(), worker.busy_duration_total()) {
            println!("worker {}: {polls} polls, busy for {busy:?}", worker.index());
        }
    }
    if let Some(completed) = snapshot.completed_tasks_count() {
        println!("{completed} tasks completed");
    }
    let total = snapshot.total();
    let latency = total.schedule_latency();
    if let Some(p99) = latency.and_then(|latency| latency.histogram().quantile(0.99)) {
        println!(
            "99 % of the wakes were followed by a poll within {} ns",
            p99.upper
        );
    }
    Ok(())
}

/// Returns `Pending` once, so that each task is polled twice.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
