//! Whose time is whose: busy time is settled once, a poll is charged with what belongs to it, and no duration is too long.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, poll, registry};
use core::time::Duration;
use metrics_core::{PollStart, RuntimeMetrics, Site, Timestamp, Worker};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn busy_time_is_settled_once_however_often_it_is_published() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for round in 1..=4 {
        poll(&worker, &clock, 100);
        worker.tick();
        worker.tick();
        let settled = Some(Duration::from_nanos(100 * round));
        assert_eq!(metrics.busy_duration_total(), settled);
        assert_eq!(
            metrics.snapshot().worker(0).unwrap().busy_in_progress(),
            Some(Duration::ZERO),
            "what is settled is in progress no more"
        );
    }
    worker.end_processing_scheduled_tasks();
    worker.park();
    assert_eq!(metrics.busy_duration_total(), Some(Duration::from_nanos(400)));
}

#[test]
fn time_over_a_parked_worker_is_nobodys() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    // A runtime may go to sleep without saying that it ran out of tasks.
    for round in 1..=3 {
        worker.start_processing_scheduled_tasks();
        poll(&worker, &clock, 100);
        worker.park();
        clock.advance(1_000_000);
        worker.unpark();
        assert_eq!(
            metrics.busy_duration_total(),
            Some(Duration::from_nanos(100 * round))
        );
    }
    let total = metrics.snapshot().total();
    assert_eq!(total.poll_time().unwrap().histogram().sum(), 300);
}

#[test]
fn what_happened_between_two_polls_is_in_neither() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 10);
    clock.advance(3);
    // Nothing was said: the three belong to the second poll.
    poll(&worker, &clock, 10);
    clock.advance(500);
    worker.break_chain();
    poll(&worker, &clock, 10);
    clock.advance(500);
    worker.incr_steal_count(1);
    poll(&worker, &clock, 10);
    worker.submit();
    let total = metrics.snapshot().total();
    let poll_time = total.poll_time().unwrap().histogram();
    assert_eq!((poll_time.count(), poll_time.sum()), (4, 43));
    assert_eq!(
        metrics.worker_total_busy_duration(0),
        Some(Duration::from_nanos(1_043))
    );
}

#[test]
fn no_duration_is_too_long_and_no_sum_comes_round() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let at = Timestamp::from_ticks;
    let start = PollStart {
        scheduled_at: Some(at(0)),
        site: Site::UNKNOWN,
    };
    for _ in 0..3 {
        worker.record_poll(start, at(u64::MAX - 1), at(u64::MAX));
        worker.record_poll(start, at(0), at(u64::MAX));
    }
    worker.submit();
    let total = metrics.snapshot().total();
    let (poll_time, latency) = (total.poll_time().unwrap(), total.schedule_latency().unwrap());
    assert_eq!((poll_time.samples(), latency.samples()), (6, 6));
    assert_eq!(poll_time.histogram().sum(), u64::MAX);
    assert_eq!(latency.histogram().sum(), u64::MAX);
    assert_eq!(poll_time.histogram().max(), Some(u64::MAX));
    assert_eq!(poll_time.histogram().min(), Some(1));
}
