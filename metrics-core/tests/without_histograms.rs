//! The measurements of hooks without a histogram: durations for their caller, and the mean.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, Shared, poll};
use core::time::Duration;
use metrics_core::{Builder, MetricSet, PollStart, RuntimeMetrics, Sampling, WakeStamp, Worker};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn build(clock: &Hand, builder: Builder<'_>) -> (Shared, Worker<Shared>) {
    let registry = builder.measures(MetricSet::ALL).build(clock.clone()).unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    (registry, worker)
}

fn mean(registry: &Shared) -> Option<u64> {
    let mean = RuntimeMetrics::new(registry.clone())
        .worker_mean_poll_time(0)
        .unwrap()?;
    Some(mean.as_nanos() as u64)
}

#[test]
fn hooks_return_durations_without_a_histogram() {
    let clock = Hand::default();
    clock.advance(1);
    let builder = Builder::new()
        .poll_time_sampling(Sampling::Every)
        .schedule_latency_sampling(Sampling::Every);
    let (registry, worker) = build(&clock, builder);
    let stamp = WakeStamp::new();
    registry.stamp(&stamp);
    clock.advance(30);
    let latency = worker.start_poll(PollStart {
        scheduled_at: stamp.take(),
        ..PollStart::default()
    });
    clock.advance(500);
    let duration = worker.end_poll();
    assert_eq!(latency.nanos(), Some(30));
    assert_eq!(duration.nanos(), Some(500));
    worker.submit();
    assert_eq!(mean(&registry), Some(500));
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let total = snapshot.total();
    assert!(total.poll_time().is_none() && total.schedule_latency().is_none());
}

#[test]
fn the_clock_is_not_read_per_poll_unless_a_histogram_or_a_switch_needs_it() {
    let clock = Hand::default();
    let (registry, worker) = build(&clock, Builder::new());
    let readings = clock.readings();
    let stamp = WakeStamp::new();
    registry.stamp(&stamp);
    assert!(!stamp.is_set());
    poll(&worker, &clock, 10);
    assert_eq!(clock.readings(), readings);
    registry.switches().set_poll_time(Sampling::Every);
    worker.submit();
    poll(&worker, &clock, 10);
    assert_eq!(worker.last_poll(), Some(10));
}

#[test]
fn the_mean_of_untimed_polls_is_that_of_their_busy_time() {
    let clock = Hand::default();
    let (registry, worker) = build(&clock, Builder::new());
    for _ in 0..10 {
        poll(&worker, &clock, 700);
    }
    assert_eq!(mean(&registry), None);
    worker.end_processing_scheduled_tasks();
    worker.park();
    assert_eq!(mean(&registry), Some(700));
    // A worker that waits for work has no polls, and the time in which it is not busy belongs to no poll.
    clock.advance(1_000_000);
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    worker.park();
    assert_eq!(mean(&registry), Some(700));
    // Ten polls have the weight of ten single ones: 1 - 0.9^10 = 0.651.
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    for _ in 0..10 {
        poll(&worker, &clock, 1_700);
    }
    worker.park();
    assert_eq!(mean(&registry), Some(1_351));
}

#[test]
fn a_worker_that_never_parks_has_a_mean() {
    let clock = Hand::default();
    let (registry, worker) = build(&clock, Builder::new());
    for _ in 0..64 {
        poll(&worker, &clock, 5_000);
    }
    assert_eq!(mean(&registry), Some(5_000));
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let total = snapshot.total();
    assert_eq!(total.mean_poll_time(), Some(Duration::from_micros(5)));
}

#[test]
fn polls_before_the_switch_do_not_count_in_the_mean_of_untimed_polls() {
    let clock = Hand::default();
    let (registry, worker) = build(&clock, Builder::new().poll_time_sampling(Sampling::Every));
    poll(&worker, &clock, 100);
    registry.switches().set_poll_time(Sampling::Off);
    worker.submit();
    for _ in 0..200 {
        poll(&worker, &clock, 9_000);
    }
    worker.park();
    // 8,900 * 0.9^200 below it, rounded down.
    assert_eq!(mean(&registry), Some(8_999));
}
