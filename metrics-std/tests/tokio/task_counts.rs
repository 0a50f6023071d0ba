//! Spawned, ended and alive tasks, where Tokio and a wrapper could disagree.

use super::{Measured, current_thread, multi_thread, receive, until, yields};
use core::future::{pending, poll_fn};
use core::task::{Poll, Waker};
use core::time::Duration;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, Clock, RuntimeMetrics, build_wrapped};
use std::sync::mpsc;
use std::thread;
use tokio::runtime::{LocalOptions, Runtime};
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

/// The ways in which a runtime ends.
const SHUTDOWNS: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| {
    runtime.shutdown_timeout(Duration::from_millis(1));
}];

/// Spawned and ended tasks come from one source: they are equal after the runtime has ended, although tasks spawn others when they are
/// dropped, wakers outlive their tasks, and a worker blocks across the shutdown.
#[test]
fn spawned_and_ended_tasks_are_equal_however_the_runtime_ends() {
    for shut_down in SHUTDOWNS {
        let (runtime, metrics, spawner) = multi_thread(2);
        for _ in 0..50 {
            let spawns = SpawnsInDrop(spawner.clone());
            drop(spawner.spawn(async move {
                let _spawns = spawns;
                pending::<()>().await;
            }));
        }
        let (keep, kept) = mpsc::channel::<Waker>();
        drop(spawner.spawn(poll_fn(move |cx| {
            keep.send(cx.waker().clone()).unwrap();
            Poll::<()>::Pending
        })));
        let waker = receive(&kept);
        // Tokio may leave a task in the queue while one of two workers blocks and the other one parks, so this one is the last to run.
        let (blocked, is_blocked) = mpsc::channel();
        let (release, may_return) = mpsc::channel::<()>();
        drop(spawner.spawn(async move {
            blocked.send(()).unwrap();
            let _ = may_return.recv();
        }));
        receive(&is_blocked);
        // No wrapper sees this one.
        drop(runtime.spawn(pending::<()>()));
        assert_eq!(metrics.spawned_tasks_count(), Some(52));

        // Dropping the runtime waits for the blocked worker.
        let releases = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(release);
        });
        shut_down(runtime);
        for _ in 0..5 {
            drop(spawner.spawn(async {}));
        }
        waker.wake_by_ref();
        waker.wake();
        releases.join().unwrap();
        // A runtime that shuts down in the background may still accept tasks after the call.
        until(|| {
            let tasks = metrics.tasks().unwrap();
            tasks.completed == 1 && tasks.cancelled >= 51 && tasks.alive() == 0
        });
        let in_all = metrics.spawned_tasks_count().unwrap();
        assert!((52..=57).contains(&in_all), "{in_all}");
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.spawned_tasks_count(), Some(in_all));
        assert_eq!(ends(&metrics), [Some(1), Some(in_all - 1), Some(0)]);
        until(|| metrics.covered_tasks() == Some(0) && metrics.num_alive_tasks() == Some(0));
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
