//! The time of a worker in each state, if no thread or several threads run it.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::Hand;
use common::states::{States, getters, known, of, prompt};
use core::time::Duration;
use metrics_core::{
    MetricSet, PollStart, Probe, RuntimeMetrics, Sampling, Worker, WorkerNumber, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Reports two workers and the depths of their queues.
struct TwoWorkers;

impl Probe for TwoWorkers {
    fn num_workers(&self) -> Option<usize> {
        Some(2)
    }
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }
    fn worker(&self, _: usize, number: WorkerNumber) -> Option<u64> {
        (number == WorkerNumber::LocalQueueDepth).then_some(0)
    }
}

#[test]
fn a_worker_that_never_started_does_not_hide_the_times_of_the_others() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::with_probe(registry.clone(), TwoWorkers);
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    common::poll(&worker, &clock, 10);
    worker.park();
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.workers().len(), 2);
    assert_eq!(of(snapshot.total()), known([0, 0, 0, 10]));
    assert_eq!(of(snapshot.worker(1).unwrap().measurements()), known([0; 4]));
}

#[test]
fn two_threads_of_one_worker_count_twice() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let mut states = || {
        let states = of(reader.read().worker(0).unwrap().measurements());
        assert_eq!(of(metrics.snapshot().worker(0).unwrap().measurements()), states);
        assert_eq!(getters(&metrics), states);
        states
    };
    let left = Worker::lease(registry.clone(), 0).unwrap();
    left.start_processing_scheduled_tasks();
    left.start_poll(PollStart::default());
    clock.advance(10);
    let took_over = Worker::lease(registry, 0).unwrap();
    took_over.park();
    clock.advance(100);
    assert_eq!(states(), known([100, 0, 0, 110]), "of a lifetime of 110");
    left.end_poll();
    clock.advance(100);
    assert_eq!(
        states(),
        known([200, 0, 0, 110]),
        "a thread without its worker is in no state"
    );
    drop(left);
    assert_eq!(states(), known([200, 0, 0, 110]));
}

#[test]
fn the_time_after_a_thread_may_have_left_its_worker_does_not_count() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    common::poll(&worker, &clock, 10);
    worker.end_busy_at_last_timestamp();
    clock.advance(1_000);
    let snapshot = reader.read().worker(0).unwrap();
    assert_eq!(of(snapshot.measurements()), known([0, 0, 0, 10]));
    assert_eq!(snapshot.state(), Some(WorkerState::Searching));
    worker.unpark();
    clock.advance(1);
    assert_eq!(
        of(reader.read().worker(0).unwrap().measurements()),
        known([0, 1, 0, 10])
    );
    assert_eq!(getters(&metrics), known([0, 1, 0, 10]));
}

#[test]
fn an_external_thread_is_in_no_state() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let external = Worker::lease_external(registry).unwrap();
    external.park();
    clock.advance(100);
    external.unpark();
    external.start_processing_scheduled_tasks();
    clock.advance(7);
    external.park();
    let total = common::states::STATES.map(|number| metrics.counter(number).unwrap());
    assert_eq!(total, known([0; 4]));
    let snapshot = metrics.snapshot();
    assert_eq!(of(snapshot.total()), total);
    assert_eq!(snapshot.total().busy_duration_total(), Some(Duration::ZERO));
    assert_eq!(metrics.counter(WorkerNumber::BusyDurationTotal).unwrap(), Some(0));
}

#[test]
fn a_wake_without_a_park_ends_busy_time() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    let mut states = || {
        let states = of(reader.read().worker(0).unwrap().measurements());
        assert_eq!(getters(&metrics), states);
        states
    };
    worker.start_processing_scheduled_tasks();
    clock.advance(10);
    worker.unpark();
    clock.advance(1_000);
    assert_eq!(states(), known([0, 1_000, 10, 0]));
    worker.park();
    assert_eq!(states(), known([0, 1_000, 10, 0]));
}

#[test]
fn polls_outside_busy_time_count_in_the_state_around_them_too() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.unpark();
    common::poll(&worker, &clock, 100);
    worker.park();
    clock.advance(5);
    assert_eq!(of(metrics.snapshot().total()), known([5, 100, 0, 100]));
}

#[test]
fn a_clock_that_steps_back_outside_polls_excuses_no_unmeasured_poll() {
    let clock = Hand::default();
    clock.advance(1_000_000);
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    for _ in 0..3 {
        worker.park();
        clock.step_back(100);
        worker.unpark();
    }
    assert_eq!(worker.clock_steps(), 3);
    registry.switches().set_poll_time(Sampling::Off);
    worker.park();
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    for _ in 0..3 {
        common::poll(&worker, &clock, 1_000);
    }
    registry.switches().set_poll_time(Sampling::Every);
    worker.park();
    let expected: States = [Some(0), Some(0), None, None];
    assert_eq!(of(metrics.snapshot().worker(0).unwrap().measurements()), expected);
    assert_eq!(getters(&metrics), expected);
}
