//! What Tokio's suites don't test: every poll is counted, and a worker that goes on on another thread loses none.
//!
//! Runs in the patched Tokio, as one of its integration tests.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime, RuntimeMetrics};

/// Yields this many times before it is ready.
struct Yields(u32);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Builds a runtime with this many workers that counts its polls a second time, in a callback.
fn counted(workers: usize) -> (Runtime, Arc<AtomicU64>) {
    let polls = Arc::new(AtomicU64::new(0));
    let in_callback = Arc::clone(&polls);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .enable_metrics_poll_time_histogram()
        .on_before_task_poll(move |_| {
            in_callback.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    (runtime, polls)
}

fn poll_count(metrics: &RuntimeMetrics) -> u64 {
    (0..metrics.num_workers())
        .map(|worker| metrics.worker_poll_count(worker))
        .sum()
}

fn poll_time_samples(metrics: &RuntimeMetrics) -> u64 {
    (0..metrics.num_workers())
        .flat_map(|worker| (0..metrics.poll_time_histogram_num_buckets()).map(move |bucket| (worker, bucket)))
        .map(|(worker, bucket)| metrics.poll_time_histogram_bucket_count(worker, bucket))
        .sum()
}

/// Tokio counts one poll for a chain of polls from the LIFO slot.
#[test]
fn every_poll_of_a_lifo_chain_is_counted() {
    let (runtime, polls) = counted(2);
    let metrics = runtime.metrics();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn(async {
                    for _ in 0..20 {
                        tokio::spawn(Yields(3)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls >= 50 * 20 * 4);
    assert_eq!(poll_count(&metrics), polls);
    assert_eq!(poll_time_samples(&metrics), polls);
}

/// Two threads record for one worker: the one whose poll blocks, and the one that takes the worker over.
#[test]
fn a_hand_over_loses_no_poll() {
    const ROUNDS: u64 = 20;
    let (runtime, polls) = counted(1);
    let metrics = runtime.metrics();
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            let blocking = tokio::spawn(async {
                let (sender, receiver) = std::sync::mpsc::channel();
                tokio::spawn(async move { sender.send(()).unwrap() });
                // The only worker has to run the other task meanwhile.
                tokio::task::block_in_place(|| receiver.recv().unwrap());
                Yields(2).await;
            });
            blocking.await.unwrap();
        }
    });
    drop(runtime);
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls >= ROUNDS * 4);
    assert_eq!(poll_count(&metrics), polls);
    assert_eq!(poll_time_samples(&metrics), polls);
}

#[test]
fn time_between_two_calls_of_block_on_is_not_busy() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let metrics = runtime.metrics();
    runtime.block_on(async {});
    let busy = metrics.worker_total_busy_duration(0);
    thread::sleep(Duration::from_millis(10));
    let started = Instant::now();
    runtime.block_on(async {});
    assert!(metrics.worker_total_busy_duration(0) - busy <= started.elapsed());
}

/// A budget also runs out on a thread that is no worker: in `block_on` of the multi-thread scheduler.
#[test]
fn forced_yields_of_every_thread_are_counted() {
    async fn spend_a_budget() {
        for _ in 0..128 {
            tokio::task::consume_budget().await;
        }
    }

    let (runtime, _) = counted(1);
    let metrics = runtime.metrics();
    runtime.block_on(spend_a_budget());
    assert_eq!(metrics.budget_forced_yield_count(), 1);
    runtime.block_on(async { tokio::spawn(spend_a_budget()).await.unwrap() });
    drop(runtime);
    assert_eq!(metrics.budget_forced_yield_count(), 2);
}
