//! Polls on threads other than the runtime's workers.

use super::{current_thread, multi_thread, yields};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use metrics_std::tokio::Spawner;
use metrics_std::{Builder, Clock, HistogramConfig, Measured, build_wrapped};
use tokio::task::LocalSet;

#[test]
fn polls_of_a_local_set_are_in_the_external_row() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let local = LocalSet::new();
    local.block_on(&runtime, async { spawner.spawn_local(yields(4)).await.unwrap() });
    // No hook reports when this thread becomes idle, so the end of the poll submits.
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.external().unwrap().poll_count(), Some(5));
    assert_eq!(snapshot.total().poll_count(), Some(5));
    assert_eq!(snapshot.worker(0).unwrap().poll_count(), Some(0));
}

#[test]
fn a_thread_that_starts_to_drive_a_runtime_records_as_its_worker() {
    let (runtime, metrics, spawner) = current_thread();
    // Outside the runtime, the thread is not its worker.
    futures::executor::block_on(Measured::task(&metrics, async {}));
    runtime.block_on(spawner.spawn(async {})).unwrap();
    futures::executor::block_on(Measured::task(&metrics, async {}));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.worker(0).unwrap().poll_count(), Some(1));
    assert_eq!(snapshot.external().unwrap().poll_count(), Some(2));
}

#[test]
fn a_task_of_one_runtime_polled_on_a_worker_of_another_is_charged_to_its_own() {
    let (_ours, our_metrics, our_spawner) = multi_thread(2);
    let (theirs, their_metrics, their_spawner) = multi_thread(2);
    let guest = our_spawner.measure(async { 5 });
    assert_eq!(theirs.block_on(their_spawner.spawn(guest)).unwrap(), 5);
    drop(theirs);
    assert_eq!(their_metrics.poll_count().unwrap(), Some(1));
    assert_eq!(our_metrics.poll_count().unwrap(), Some(1));
    assert_eq!(our_metrics.nested_polls().unwrap(), Some(0));
    let snapshot = our_metrics.snapshot();
    assert_eq!(
        snapshot.external().unwrap().poll_count(),
        Some(1),
        "no worker of ours polled it"
    );
}

#[test]
fn a_measured_future_inside_a_measured_task_is_nested() {
    let (runtime, metrics, spawner) = current_thread();
    let inner = spawner.measure(yields(2));
    runtime.block_on(spawner.spawn(inner)).unwrap();
    assert_eq!(metrics.poll_count().unwrap(), Some(3));
    // Under tokio_unstable the hooks count the poll, so the outer wrapper is the one inside it.
    assert_eq!(metrics.nested_polls().unwrap(), Some(3));
}

#[test]
fn a_poll_outside_every_runtime_is_in_the_external_row() {
    let (_runtime, metrics, spawner) = multi_thread(1);
    let task = pin!(spawner.measure(async {}));
    assert_eq!(
        task.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(())
    );
    assert_eq!(metrics.snapshot().external().unwrap().poll_count(), Some(1));
}

#[test]
fn a_runtime_built_elsewhere_can_be_spawned_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let builder = Builder::new().name("found").poll_time(HistogramConfig::DEFAULT);
    let metrics = build_wrapped(builder, Clock::new()).unwrap();
    let spawner = Spawner::new(runtime.handle(), &metrics);
    runtime.block_on(spawner.spawn(yields(9))).unwrap();
    assert_eq!(
        metrics.poll_count().unwrap(),
        Some(10),
        "submitted without any hook"
    );
    assert_eq!(metrics.park_count().unwrap(), None);
    assert_eq!(metrics.completed_tasks_count(), Some(1));
}
