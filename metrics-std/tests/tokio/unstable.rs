//! The metrics that the task hooks add.

use super::{build, current_thread, multi_thread, until, yields};
use core::future::pending;
use core::sync::atomic::{AtomicUsize, Ordering};
use metrics_mock::ManualClock;
use metrics_std::tokio::{TokioAdapter, attach};
use metrics_std::{Clock, HistogramReading, Sampling};
use std::sync::Arc;
#[cfg(target_pointer_width = "64")]
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::coop;

#[test]
fn tasks_spawned_past_the_spawner_are_covered_and_none_counts_twice() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        runtime.block_on(async {
            let bare = tokio::spawn(yields(9));
            let measured = spawner.spawn(yields(9));
            bare.await.unwrap();
            measured.await.unwrap();
        });
        drop(runtime);
        let snapshot = metrics.snapshot();
        assert_eq!(metrics.poll_count().unwrap(), Some(20));
        assert_eq!(metrics.nested_polls().unwrap(), Some(0));
        for reading in [snapshot.total().poll_time(), snapshot.total().schedule_latency()] {
            assert_eq!(reading.unwrap().samples(), 20);
        }
        assert_eq!(metrics.covered_tasks(), Some(0));
        // No hook reports how the bare task ended, so it is not among those that were spawned either.
        assert_eq!(metrics.spawned_tasks_count(), Some(1));
        assert_eq!(metrics.completed_tasks_count(), Some(1));
    }
}

#[test]
fn schedule_latency_is_none_on_a_clock_that_is_not_tokios() {
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let (runtime, metrics, spawner) = build(adapter, &mut Builder::new_current_thread());
    runtime.block_on(async {
        tokio::spawn(yields(9)).await.unwrap();
        spawner.spawn(yields(9)).await.unwrap();
    });
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().map(HistogramReading::samples), Some(20));
    assert!(
        total.schedule_latency().is_none(),
        "Tokio measures it on its own clock"
    );
    assert!(!metrics.schedule_latency_histogram_enabled());
}

#[test]
fn forced_yields_of_bare_tasks_are_counted_once() {
    let (runtime, metrics, spawner) = current_thread();
    let spend = || async {
        for _ in 0..300 {
            coop::consume_budget().await;
        }
    };
    runtime.block_on(async {
        tokio::spawn(spend()).await.unwrap();
        spawner.spawn(spend()).await.unwrap();
    });
    assert_eq!(metrics.budget_forced_yield_count().unwrap(), Some(4));
}

#[test]
fn task_callbacks_are_chained() {
    let counts: Arc<[AtomicUsize; 4]> = Arc::default();
    let count = |i: usize| {
        let counts = Arc::clone(&counts);
        move |_: &tokio::runtime::TaskMeta<'_>| {
            counts[i].fetch_add(1, Ordering::Relaxed);
        }
    };
    let adapter = TokioAdapter::builder()
        .on_task_spawn(count(0))
        .on_before_task_poll(count(1))
        .on_after_task_poll(count(2))
        .on_task_terminate(count(3));
    let (runtime, _, _) = build(adapter, &mut Builder::new_current_thread());
    runtime.block_on(async { tokio::spawn(yields(2)).await.unwrap() });
    assert_eq!(
        counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
        [1, 3, 3, 1]
    );
}

#[test]
fn tokios_unstable_numbers_are_added() {
    let (runtime, metrics, spawner) = multi_thread(2);
    runtime
        .block_on(spawner.spawn(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }))
        .unwrap();
    until(|| {
        metrics
            .local_schedule_count()
            .unwrap()
            .is_some_and(|count| count > 0)
    });
    assert_eq!(metrics.overflow_count().unwrap(), Some(0));
    assert_eq!(metrics.num_blocking_threads(), Some(0));
    // The threads of the workers come from the blocking pool, and may still be queued there.
    until(|| metrics.blocking_queue_depth() == Some(0));
    assert_eq!(
        metrics.remote_schedule_count().map(|count| count >= 1),
        Some(true)
    );
    drop(runtime);
}

#[test]
fn bare_tasks_are_covered_by_hooks_and_not_by_wrappers() {
    let (runtime, metrics, _) = multi_thread(1);
    drop(runtime.spawn(pending::<()>()));
    assert_eq!(metrics.covered_tasks(), Some(1));
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let metrics = attach(runtime.handle()).unwrap().metrics;
    drop(runtime.spawn(pending::<()>()));
    assert_eq!(
        (metrics.num_alive_tasks(), metrics.covered_tasks()),
        (Some(1), Some(0))
    );
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_numbers_of_an_io_driver_are_those_of_its_sockets() {
    let (runtime, metrics, _) = current_thread();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(connect, listener.accept());
        drop((client.unwrap(), accepted.unwrap()));
        drop(listener);
        yields(1).await;
    });
    assert_eq!(metrics.io_driver_fd_registered_count(), Some(3));
    assert_eq!(metrics.io_driver_fd_deregistered_count(), Some(3));
    assert!(metrics.io_driver_ready_count() > Some(0));
}

#[test]
fn schedule_latency_of_bare_tasks_can_be_switched_on_later() {
    let adapter =
        TokioAdapter::builder().configure(|builder| builder.schedule_latency_sampling(Sampling::Off));
    let (runtime, metrics, _) = build(adapter, &mut Builder::new_current_thread());
    let samples = || {
        runtime.block_on(async { tokio::spawn(yields(3)).await.unwrap() });
        let snapshot = metrics.snapshot();
        snapshot.total().schedule_latency().map(HistogramReading::samples)
    };
    assert_eq!(samples(), Some(0));
    metrics
        .registry()
        .switches()
        .set_schedule_latency(Sampling::Every);
    // The switch applies from the next submit on.
    samples();
    assert!(samples() > Some(0));
}

#[test]
fn a_panic_in_a_bare_task_ends_its_poll() {
    let (runtime, metrics, _) = current_thread();
    runtime.block_on(async {
        assert!(
            tokio::spawn(async { panic!("as the test wants") })
                .await
                .unwrap_err()
                .is_panic()
        );
    });
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert_eq!(metrics.snapshot().total().poll_time().unwrap().samples(), 1);
}
