//! Spawned, ended and alive tasks, where Tokio and a wrapper could disagree.

use super::{Measured, current_thread, multi_thread, until, yields};
use core::future::pending;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, Clock, RuntimeMetrics, build_wrapped};
use tokio::runtime::LocalOptions;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

/// Completed, cancelled and panicked tasks.
fn ends(metrics: &RuntimeMetrics) -> [Option<u64>; 3] {
    [
        metrics.completed_tasks_count(),
        metrics.cancelled_tasks_count(),
        metrics.panicked_tasks_count(),
    ]
}

#[test]
fn a_panic_in_a_destructor_at_an_abort_counts_as_panicked() {
    for (runtime, metrics, spawner) in [multi_thread(1), current_thread()] {
        runtime.block_on(async {
            let (polled, was_polled) = oneshot::channel();
            let task = spawner.spawn(async {
                let _panics = PanicsInDrop;
                polled.send(()).unwrap();
                pending::<()>().await;
            });
            was_polled.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_panic());
        });
        drop(runtime);
        assert_eq!(ends(&metrics), [Some(0), Some(0), Some(1)]);
    }
}

/// Spawns another task when it is dropped.
struct SpawnsInDrop(Spawner);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        drop(self.0.spawn(pending::<()>()));
    }
}

#[test]
fn a_task_that_a_closed_runtime_refuses_is_neither_spawned_nor_ended() {
    for all in [multi_thread(2), current_thread()] {
        let (runtime, metrics, spawner): Measured = all;
        for _ in 0..10 {
            let spawns = SpawnsInDrop(spawner.clone());
            drop(spawner.spawn(async move {
                let _spawns = spawns;
                pending::<()>().await;
            }));
        }
        drop(runtime);
        drop(spawner.spawn(async {}));
        let mut set = JoinSet::new();
        spawner.spawn_in(&mut set, async {});
        assert_eq!(metrics.spawned_tasks_count(), Some(10));
        assert_eq!(ends(&metrics), [Some(0), Some(10), Some(0)]);
        assert_eq!(metrics.covered_tasks(), Some(0));
    }
}

#[test]
fn spawned_tasks_less_ended_ones_are_those_that_are_covered() {
    let (runtime, metrics, spawner) = multi_thread(2);
    runtime.block_on(async {
        for _ in 0..3 {
            spawner.spawn(yields(1)).await.unwrap();
            // Tokio counts these, and no wrapper sees how they end.
            tokio::spawn(yields(1)).await.unwrap();
        }
        drop(spawner.spawn(pending::<()>()));
    });
    until(|| ends(&metrics)[0] == Some(3));
    assert_eq!(metrics.spawned_tasks_count(), Some(4));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.spawned_tasks_count(), Some(4));
    drop(runtime);
    assert_eq!(ends(&metrics), [Some(3), Some(1), Some(0)]);
    assert_eq!(metrics.spawned_tasks_count(), Some(4));
}

#[test]
fn tasks_of_a_local_set_are_alive() {
    for (runtime, metrics, spawner) in [multi_thread(1), current_thread()] {
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            for _ in 0..10 {
                drop(spawner.spawn_local(pending::<()>()));
            }
            tokio::task::yield_now().await;
        });
        drop(spawner.spawn(pending::<()>()));
        assert_eq!(metrics.num_alive_tasks(), Some(11));
        if !cfg!(tokio_unstable) {
            assert_eq!(metrics.covered_tasks(), Some(11));
        }
        drop(local);
        assert_eq!(metrics.num_alive_tasks(), Some(1));
        drop(runtime);
        assert_eq!(metrics.num_alive_tasks(), Some(0));
    }
}

#[test]
fn tasks_of_a_local_runtime_are_alive_once() {
    let adapter = TokioAdapter::builder();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter
        .build_local(&mut builder, LocalOptions::default())
        .unwrap();
    runtime.block_on(async { drop(spawner.spawn_local(pending::<()>())) });
    assert_eq!(metrics.num_alive_tasks(), Some(1));
    assert_eq!(metrics.covered_tasks(), Some(1));
    drop(runtime);
    assert_eq!(metrics.num_alive_tasks(), Some(0));
}

#[test]
fn wrappers_alone_do_not_know_all_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let metrics = build_wrapped(Builder::new(), Clock::new()).unwrap();
    let spawner = Spawner::new(runtime.handle(), &metrics);
    for _ in 0..3 {
        drop(runtime.spawn(pending::<()>()));
    }
    drop(spawner.spawn(pending::<()>()));
    until(|| metrics.poll_count() == Ok(Some(1)));
    assert_eq!(metrics.covered_tasks(), Some(1));
    assert_eq!(metrics.num_alive_tasks(), None);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.num_alive_tasks(), None);
}
