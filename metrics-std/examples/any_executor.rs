//! Measures tasks on an executor that knows nothing of metrics: here `async-executor`.

use core::future::poll_fn;
use core::task::Poll;

use async_executor::Executor;
use futures::executor::block_on;
use metrics_std::{Builder, Clock, HistogramConfig, Measured, build_wrapped};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let builder = Builder::new()
        .name("pool")
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let metrics = build_wrapped(builder, Clock::new())?;

    let executor = Executor::new();
    // `Measured::task` wraps a future that is about to be spawned.
    let tasks: Vec<_> = (0..100)
        .map(|_| executor.spawn(Measured::task(&metrics, yield_once())))
        .collect();
    block_on(executor.run(async {
        for task in tasks {
            task.await;
        }
    }));

    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    if let Some(completed) = snapshot.completed_tasks_count() {
        println!("{completed} tasks completed");
    }
    if let Some(polls) = total.poll_count() {
        println!("{polls} polls");
    }
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
