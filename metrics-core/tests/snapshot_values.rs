//! The values of snapshots and intervals that come from several workers, slots or submits.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, PollStart, Probe, RuntimeMetrics, SampleValue, Sampling, Worker,
    WorkerLabel, WorkerNumber, WorkerSnapshot,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// An interval begins and ends in the middle of a busy period.
#[test]
fn busy_time_before_an_interval_is_not_in_it() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    clock.advance(700);
    let before = metrics.snapshot();
    assert_eq!(
        before.worker(0).unwrap().busy_in_progress(),
        Some(Duration::from_nanos(700))
    );
    clock.advance(100);
    worker.end_poll();
    worker.park();
    clock.advance(300);
    let interval = metrics.snapshot().since(&before).unwrap();
    let worker = interval.worker(0).unwrap();
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_nanos(100)));
    assert_eq!(worker.utilization(), Some(0.25));
    assert_eq!(interval.total().utilization(), Some(0.125), "of two workers");
}

/// Reports this number of workers, as a runtime whose threads come and go.
struct Running(usize);

impl Probe for Running {
    fn num_workers(&self) -> Option<usize> {
        Some(self.0)
    }
}

#[test]
fn workers_that_ended_do_not_lower_the_utilization() {
    let clock = Hand::default();
    let builder = Builder::new().measures(MetricSet::ALL).workers(8);
    let registry = builder.build(clock.clone()).unwrap();
    let metrics = RuntimeMetrics::with_probe(registry.clone(), Running(1));
    for index in 1..8 {
        drop(Worker::lease(registry.clone(), index).unwrap());
    }
    let busy = Worker::lease(registry, 0).unwrap();
    busy.start_processing_scheduled_tasks();
    let before = metrics.snapshot();
    clock.advance(1_000);
    busy.submit();
    let interval = metrics.snapshot().since(&before).unwrap();
    assert_eq!(interval.workers().len(), 8);
    assert_eq!(interval.total().utilization(), Some(1.0));
}

#[test]
fn the_measured_share_of_busy_time_is_that_of_its_polls() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
    let ratios = |before: &metrics_core::Snapshot<_>| {
        let interval = metrics.snapshot().since(before).unwrap();
        [Some(interval.total()), interval.worker(0), interval.worker(1)]
            .map(|worker| worker.unwrap().measured_busy_ratio())
    };
    workers.iter().for_each(Worker::submit);
    let before = metrics.snapshot();
    clock.advance(100);
    assert_eq!(ratios(&before), [None; 3], "no worker was busy");

    let [measured, partly] = &workers;
    measured.start_processing_scheduled_tasks();
    poll(measured, &clock, 400);
    measured.park();
    partly.start_processing_scheduled_tasks();
    poll(partly, &clock, 100);
    // An unmeasured task.
    clock.advance(300);
    partly.park();
    assert_eq!(ratios(&before), [Some(0.625), Some(1.0), Some(0.25)]);

    // The poll began before the interval, and its whole duration is recorded in it.
    measured.start_processing_scheduled_tasks();
    measured.start_poll(PollStart::default());
    clock.advance(900);
    let before = metrics.snapshot();
    clock.advance(100);
    measured.end_poll();
    measured.park();
    assert_eq!(ratios(&before), [Some(1.0), Some(1.0), None]);

    let untimed = Builder::new().measures(MetricSet::ALL).build(clock).unwrap();
    let interval = RuntimeMetrics::new(untimed).snapshot().since_start();
    assert_eq!(interval.total().measured_busy_ratio(), None, "no poll times");
}

#[test]
fn the_total_mean_weights_each_worker_by_its_polls() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
    for _ in 0..9 {
        poll(&workers[0], &clock, 1_000);
    }
    poll(&workers[1], &clock, 11_000);
    workers.iter().for_each(Worker::submit);
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let mean = |nanos| Some(Duration::from_nanos(nanos));
    let means = snapshot.workers().iter().map(WorkerSnapshot::mean_poll_time);
    assert!(means.eq([mean(1_000), mean(11_000)]));
    assert_eq!(snapshot.total().mean_poll_time(), mean(2_000));
}

/// The submit interval never passes, so that only the request of the submit in the poll submits at its end.
#[test]
fn a_latency_that_a_submit_left_out_is_submitted_at_the_end_of_its_poll() {
    for switches_off in [false, true] {
        let clock = Hand::default();
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .schedule_latency(HistogramConfig::DEFAULT)
            .submit_interval(Duration::from_secs(1_000))
            .build(clock)
            .unwrap();
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        worker.start_poll(PollStart {
            scheduled_at: Some(worker.now()),
            ..PollStart::default()
        });
        if switches_off {
            registry.switches().set_schedule_latency(Sampling::Off);
        }
        worker.submit();
        let samples = || metrics.snapshot().total().schedule_latency().unwrap().samples();
        assert_eq!((metrics.poll_count(), samples()), (Ok(Some(0)), 0));
        worker.end_poll();
        assert_eq!(
            (metrics.poll_count(), samples()),
            (Ok(Some(1)), 1),
            "off: {switches_off}"
        );
    }
}

#[test]
fn a_slot_of_external_threads_is_leased_to_no_worker() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let external = Worker::lease_external(registry.clone()).unwrap();
    poll(&external, &clock, 10);
    drop(external);
    let worker = Worker::lease_any(registry.clone()).unwrap();
    poll(&worker, &clock, 10);
    worker.submit();
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.external().unwrap().poll_count(), Some(1));
    assert_eq!(snapshot.worker(worker.index()).unwrap().poll_count(), Some(1));
    drop(worker);
    let external = Worker::lease_external(registry).unwrap();
    assert_eq!(external.counter(WorkerNumber::PollCount), Some(1), "it continues");
}

#[test]
fn clock_steps_of_every_worker_are_in_the_readers_sum() {
    let clock = Hand::default();
    clock.set(1_000_000);
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    assert_eq!(metrics.clock_steps(), Ok(Some(0)));
    for index in 0..2 {
        let worker = Worker::lease(registry.clone(), index).unwrap();
        worker.start_poll(PollStart::default());
        clock.step_back(100);
        worker.end_poll();
        worker.submit();
        assert_eq!(worker.clock_steps(), 1);
    }
    assert_eq!(metrics.clock_steps(), Ok(Some(2)));
    let untimed = Builder::new().build(metrics_core::NoClock).unwrap();
    assert_eq!(RuntimeMetrics::new(untimed).clock_steps(), Ok(None));
}

#[test]
fn a_visit_has_the_mean_and_the_age_of_the_state_in_nanoseconds() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    poll(&worker, &clock, 300);
    worker.park();
    worker.submit();
    clock.advance(70);
    let mut samples = Vec::new();
    RuntimeMetrics::new(registry).snapshot().visit(|sample| {
        if let SampleValue::Number(value) = sample.value {
            samples.push((sample.metric.name, sample.worker, value));
        }
    });
    let worker = Some(WorkerLabel::Index(0));
    for expected in [
        ("mean_poll_time", None, 300),
        ("mean_poll_time", worker, 300),
        ("since", worker, 70),
    ] {
        assert!(samples.contains(&expected), "{expected:?} is not in {samples:?}");
    }
}
