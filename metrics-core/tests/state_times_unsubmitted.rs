//! The time of a worker in each state, read between the end of a state and its submit.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::states::{known, of, prompt};
use common::{Hand, poll, registry};
use metrics_core::{LocationId, PollStart, RuntimeMetrics, Worker};
use std::sync::{Arc, Mutex};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_poll_that_ended_is_polling_time_before_its_submit() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.submit();
    clock.advance(1);
    let polling = known([0, 0, 1, 10_000_000_000]);
    worker.start_poll(PollStart::default());
    reader.read();
    clock.advance(10_000_000_000);
    let reader = Arc::new(Mutex::new(reader));
    let during = reader.clone();
    clock.interrupt_at(0, move || {
        let states = of(during.lock().unwrap().read().worker(0).unwrap().measurements());
        assert_eq!(states, polling, "while the end of the poll reads the clock");
    });
    worker.end_poll();
    let states = || of(reader.lock().unwrap().read().worker(0).unwrap().measurements());
    assert_eq!(states(), polling, "after the submit");
    clock.advance(7);
    assert_eq!(states(), known([0, 0, 8, 10_000_000_000]), "after the poll");
}

#[test]
fn the_time_after_a_submitted_poll_of_no_length_is_running_time() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(1);
    poll(&worker, &clock, 0);
    clock.advance(10);
    assert_eq!(of(reader.read().total()), known([0, 0, 11, 0]));
}

#[test]
fn the_time_after_the_poll_of_a_root_future_is_running_time() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(1);
    worker.start_root_poll(LocationId::from_u32(7));
    clock.advance(10);
    worker.end_root_poll();
    clock.advance(100);
    assert_eq!(of(metrics.snapshot().total()), known([0, 0, 111, 0]));
}

#[test]
fn busy_time_that_ended_is_missing_until_its_submit() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let states = || of(metrics.snapshot().total());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(10);
    assert_eq!(states(), known([0, 0, 10, 0]));
    worker.end_processing_scheduled_tasks();
    clock.advance(5);
    assert_eq!(states(), known([0, 5, 0, 0]));
    worker.start_processing_scheduled_tasks();
    clock.advance(3);
    assert_eq!(states(), known([0, 0, 3, 0]), "so is the search");
    worker.tick();
    assert_eq!(states(), known([0, 5, 13, 0]));
}

#[test]
fn a_clock_that_steps_back_takes_no_busy_time_from_polls_that_ended() {
    let clock = Hand::default();
    clock.advance(1_000_000_000);
    let registry = registry(&clock);
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for _ in 0..9 {
        poll(&worker, &clock, 100_000);
    }
    clock.step_back(950_000);
    worker.park();
    assert_eq!(worker.clock_steps(), 1);
    let mut states = || of(reader.read().total());
    assert_eq!(states(), known([0, 0, 0, 900_000]));
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    clock.advance(800_000);
    worker.park();
    assert_eq!(states(), known([0, 0, 800_000, 900_000]));
}
