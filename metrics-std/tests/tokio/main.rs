//! The adapter on real Tokio runtimes of both flavours.
#![cfg(feature = "tokio")]
#![allow(missing_docs)]

use metrics_std::RuntimeMetrics;
use metrics_std::tokio::{Spawner, TokioAdapter};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

fn multi_thread(workers: usize) -> (Runtime, RuntimeMetrics, Spawner) {
    let mut builder = Builder::new_multi_thread();
    let (runtime, metrics) = TokioAdapter::builder()
        .build(builder.worker_threads(workers).enable_all())
        .unwrap();
    let spawner = Spawner::new(runtime.handle(), &metrics);
    (runtime, metrics, spawner)
}

fn current_thread() -> (Runtime, RuntimeMetrics, Spawner) {
    let (runtime, metrics) = TokioAdapter::builder()
        .build(Builder::new_current_thread().enable_all())
        .unwrap();
    let spawner = Spawner::new(runtime.handle(), &metrics);
    (runtime, metrics, spawner)
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[test]
fn every_poll_of_a_spawned_task_is_counted_and_timed_in_both_flavours() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..10).map(|_| spawner.spawn(yields(99))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        drop(runtime);
        let snapshot = metrics.snapshot();
        assert_eq!(metrics.poll_count(), Some(1_000));
        for reading in [snapshot.total().poll_time(), snapshot.total().schedule_latency()] {
            assert_eq!(reading.unwrap().samples(), 1_000);
        }
        assert_eq!(metrics.completed_tasks_count(), Some(10));
        assert_eq!(metrics.covered_tasks(), Some(0));
        assert!(snapshot.foreign().is_none());
    }
}
