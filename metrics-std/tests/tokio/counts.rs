//! Changes each metric by a known amount.

use super::{build, current_thread, multi_thread, read, until, yields};
use core::future::pending;
use core::time::Duration;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::{Measured, Sampling};
use std::time::Instant;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet, coop};

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
        assert_eq!(metrics.poll_count().unwrap(), Some(1_000));
        for reading in [snapshot.total().poll_time(), snapshot.total().schedule_latency()] {
            assert_eq!(reading.unwrap().samples(), 1_000);
        }
        assert_eq!(metrics.completed_tasks_count(), Some(10));
        assert_eq!(metrics.covered_tasks(), Some(0));
        assert!(snapshot.external().is_none());
    }
}

#[test]
fn polls_from_the_lifo_slot_are_polls() {
    let (runtime, metrics, spawner) = multi_thread(1);
    runtime.block_on(async {
        let (to_other, mut from_one) = mpsc::channel::<()>(1);
        let (to_one, mut from_other) = mpsc::channel::<()>(1);
        // Each message wakes the other task into the LIFO slot of the one worker.
        let one = spawner.spawn(async move {
            for _ in 0..50 {
                to_other.send(()).await.unwrap();
                from_other.recv().await.unwrap();
            }
        });
        let other = spawner.spawn(async move {
            for _ in 0..50 {
                from_one.recv().await.unwrap();
                to_one.send(()).await.unwrap();
            }
        });
        one.await.unwrap();
        other.await.unwrap();
    });
    drop(runtime);
    let polls = metrics.poll_count().unwrap().unwrap();
    assert!(
        polls >= 100,
        "each of 100 messages needs a poll of its own: {polls}"
    );
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().unwrap().samples(), polls);
}

#[test]
fn tasks_end_once_however_they_end() {
    let (runtime, metrics, spawner) = multi_thread(2);
    runtime.block_on(async {
        spawner.spawn(async {}).await.unwrap();
        let aborted = spawner.spawn(pending::<()>());
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        let panicked = spawner.spawn(async { panic!("as the test wants") });
        assert!(panicked.await.unwrap_err().is_panic());
        drop(spawner.spawn(pending::<()>()));
    });
    // Tokio counts a task as ended some time after it wakes the task that awaits it. The covered tasks behave the same.
    until(|| metrics.covered_tasks() == Some(1) && metrics.num_alive_tasks() == Some(1));
    drop(runtime);
    let tasks = metrics.tasks().unwrap();
    assert_eq!((tasks.completed, tasks.cancelled, tasks.panicked), (1, 2, 1));
    assert_eq!((tasks.spawned, tasks.alive()), (4, 0));
}

#[test]
fn a_spent_budget_is_a_forced_yield_and_a_wait_is_not() {
    let (runtime, metrics, spawner) = current_thread();
    runtime.block_on(async {
        spawner
            .spawn(async {
                // 128 units to a poll: the budget is spent after 128 and after 256 of these.
                for _ in 0..300 {
                    coop::consume_budget().await;
                }
                super::yield_now().await;
            })
            .await
            .unwrap();
    });
    assert_eq!(metrics.budget_forced_yield_count().unwrap(), Some(2));
    assert_eq!(metrics.poll_count().unwrap(), Some(4));
}

#[test]
fn blocking_closures_wait_in_a_histogram_of_their_own() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let answer = runtime.block_on(spawner.spawn_blocking(|| 42)).unwrap();
    assert_eq!(answer, 42);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.blocking_queue_wait().unwrap().count(), 1);
    assert_eq!(read(|| metrics.poll_count()), Some(0), "it is no task");
    assert_eq!(
        metrics
            .spawned_tasks_count()
            .filter(|_| !cfg!(tokio_unstable))
            .unwrap_or(0),
        0
    );
}

#[test]
fn sets_and_local_tasks_are_measured_too() {
    let (runtime, metrics, spawner) = current_thread();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut set = JoinSet::new();
        spawner.spawn_in(&mut set, async { 1 });
        set.spawn(spawner.measure(async { 2 }));
        let local = spawner.spawn_local(async { 3 });
        assert_eq!(set.join_all().await.iter().sum::<i32>() + local.await.unwrap(), 6);
    });
    assert_eq!(metrics.poll_count().unwrap(), Some(3));
    assert_eq!(metrics.completed_tasks_count(), Some(3));
}

#[test]
fn a_local_runtime_is_measured_like_any_other() {
    let adapter = TokioAdapter::builder().name("local");
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter
        .build_local(&mut Builder::new_current_thread(), LocalOptions::default())
        .unwrap();
    let shared = std::rc::Rc::new(7);
    let answer = runtime.block_on(async { spawner.spawn_local(async move { *shared }).await });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(metrics.worker_poll_count(0).unwrap(), Some(1));
    assert!(metrics.snapshot().external().is_none());
}

#[test]
fn a_root_future_counts_its_own_polls_and_submits_what_is_left() {
    let (runtime, metrics, spawner) = current_thread();
    runtime.block_on(Measured::root(&metrics, async {
        let waits = spawner.spawn(pending::<()>());
        yields(3).await;
        waits.abort();
    }));
    assert_eq!(metrics.root_polls().unwrap(), Some(4));
    assert_eq!(
        metrics.poll_count().unwrap(),
        Some(1),
        "the task that never ended has its poll submitted"
    );
}

#[test]
fn every_snapshot_during_load_is_coherent() {
    let (runtime, metrics, spawner) = multi_thread(2);
    let load = std::thread::spawn(move || {
        runtime.block_on(async {
            for _ in 0..50 {
                let tasks: Vec<_> = (0..20).map(|_| spawner.spawn(yields(20))).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        });
    });
    let mut reader = metrics.reader();
    let mut polls_before = None;
    while !load.is_finished() {
        let snapshot = reader.read();
        for worker in snapshot.workers() {
            let Some(polls) = worker.poll_count() else {
                assert!(worker.is_missing(), "it was in a submit, and never read before");
                continue;
            };
            if polls == 0 {
                continue;
            }
            assert_eq!(worker.poll_time().unwrap().samples(), polls);
            assert_eq!(worker.schedule_latency().unwrap().samples(), polls);
        }
        let polls = snapshot.total().poll_count();
        assert!(polls >= polls_before);
        polls_before = polls;
        let tasks = snapshot.tasks().unwrap();
        assert!(tasks.completed + tasks.cancelled + tasks.panicked <= tasks.spawned);
    }
    load.join().unwrap();
    assert_eq!(metrics.poll_count().unwrap(), Some(50 * 20 * 21));
}

#[test]
fn busy_time_and_parks_of_the_workers_are_known_in_both_flavours() {
    // A worker is busy from its runtime's start.
    let began = Instant::now();
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        runtime.block_on(async {
            let spin = spawner.spawn(async {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(5) {}
            });
            spin.await.unwrap();
        });
        let parked = |worker| {
            metrics
                .worker_park_unpark_count(worker)
                .is_ok_and(|count| count.is_some_and(|count| count % 2 == 1))
        };
        if metrics.num_workers() == Some(2) {
            until(|| parked(0) && parked(1));
        } else {
            // It settles its busy time when it next looks at its driver.
            runtime.block_on(async { tokio::time::sleep(Duration::from_nanos(1)).await });
        }
        if metrics.num_workers() == Some(1) && !cfg!(target_has_atomic = "64") {
            // Tokio keeps no times there, and no hook reports when a thread drives the runtime.
            assert_eq!(metrics.busy_duration_total().unwrap(), None);
            assert_eq!(metrics.snapshot().total().busy_duration_total(), None);
            continue;
        }
        let busy: Vec<_> = (0..metrics.num_workers().unwrap())
            .map(|worker| metrics.worker_total_busy_duration(worker).unwrap().unwrap())
            .collect();
        let wall = began.elapsed();
        assert!(busy.iter().all(|&busy| busy <= wall), "{busy:?} of {wall:?}");
        assert!(
            busy.iter().any(|&busy| busy >= Duration::from_millis(5)),
            "{busy:?}"
        );
    }
}

#[test]
fn what_a_build_cannot_see_is_none() {
    let (runtime, metrics, _) = multi_thread(2);
    assert_eq!(metrics.num_workers(), Some(2));
    assert_eq!(metrics.global_queue_depth(), Some(0));
    assert_eq!(metrics.overflow_tasks().unwrap(), None);
    assert_eq!(metrics.steal_count().unwrap().is_some(), cfg!(tokio_unstable));
    assert_eq!(metrics.noop_count().unwrap().is_some(), cfg!(tokio_unstable));
    assert_eq!(
        metrics.worker_local_queue_depth(0).unwrap().is_some(),
        cfg!(tokio_unstable)
    );
    assert_eq!(metrics.num_blocking_threads().is_some(), cfg!(tokio_unstable));
    assert_eq!(metrics.worker_park_count(2).unwrap(), None);
    assert_eq!(metrics.worker_poll_count(usize::MAX).unwrap(), None);
    drop(runtime);
}

#[test]
fn sampling_and_switches_are_the_adapters_too() {
    let adapter = TokioAdapter::builder().configure(|builder| builder.poll_time_sampling(Sampling::Off));
    let (runtime, metrics, spawner) = build(adapter, &mut Builder::new_current_thread());
    runtime.block_on(spawner.spawn(yields(9))).unwrap();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_count(), Some(10));
    assert_eq!(total.poll_time().unwrap().samples(), 0);
    assert_eq!(total.schedule_latency().unwrap().samples(), 10);
}

#[test]
fn a_description_that_cannot_work_is_an_error() {
    let adapter = TokioAdapter::builder().configure(|builder| builder.submit_interval(Duration::MAX));
    let error = adapter.build(&mut Builder::new_current_thread()).unwrap_err();
    assert!(matches!(error, metrics_std::BuildError::Config(_)), "{error}");
}
