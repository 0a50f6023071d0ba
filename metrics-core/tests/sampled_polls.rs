//! Sampling: the measured polls represent the others, even if the load is periodic.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::speed::IS_SLOW;
use common::{Hand, poll};
use core::num::NonZeroU32;
use metrics_core::{Builder, HistogramConfig, MetricSet, PollStart, RuntimeMetrics, Sampling, Worker};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn one_in(n: u32) -> Sampling {
    Sampling::OneIn(NonZeroU32::new(n).unwrap())
}

#[test]
fn the_mean_of_two_tasks_that_take_turns_is_within_one_percent() {
    // The variance grows with N, so a larger N needs more polls.
    let (polls, shares): (u64, &[u32]) = if IS_SLOW {
        (200_000, &[2])
    } else {
        (1_000_000, &[2, 4, 8])
    };
    for &n in shares {
        let clock = Hand::default();
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .poll_time_sampling(one_in(n))
            .epoch(1)
            .build(clock.clone())
            .unwrap();
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry, 0).unwrap();
        worker.start_processing_scheduled_tasks();
        for i in 0..polls {
            poll(&worker, &clock, if i % 2 == 0 { 1_000 } else { 10_000_000 });
        }
        worker.submit();
        let snapshot = metrics.snapshot();
        let total = snapshot.total();
        let mean = total.poll_time().unwrap().histogram().mean().unwrap();
        assert!((mean - 5_000_500.0).abs() < 50_000.0, "1 in {n}: {mean}");
    }
}

#[test]
fn one_draw_serves_both_histograms() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .poll_time_sampling(one_in(4))
        .schedule_latency_sampling(one_in(4))
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    // The `n`th poll takes as long as its task has waited, so the same polls have the same sum.
    for n in 0..1_000 {
        let scheduled_at = Some(worker.now());
        worker.discard_last_timestamp();
        clock.advance(n);
        worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        clock.advance(n);
        worker.end_poll();
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let (poll_time, latency) = (total.poll_time().unwrap(), total.schedule_latency().unwrap());
    assert!(poll_time.samples() > 0);
    assert_eq!(poll_time.histogram().sum(), latency.histogram().sum());
}

#[test]
fn two_workers_measure_different_polls() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .poll_time_sampling(one_in(8))
        .build(clock.clone())
        .unwrap();
    let measured = |index| -> Vec<bool> {
        let worker = Worker::lease(Arc::clone(&registry), index).unwrap();
        worker.start_processing_scheduled_tasks();
        let polls = (0..200).map(|_| {
            poll(&worker, &clock, 1);
            worker.last_poll().is_some()
        });
        polls.collect()
    };
    assert_ne!(measured(0), measured(1));
}
