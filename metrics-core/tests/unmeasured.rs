//! A metric that is not measured is `None`, never 0, from every getter.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, poll};
use metrics_core::{Builder, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker, WorkerNumber};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_number_without_a_probe_is_none() {
    let registry = Builder::new()
        .measures(MetricSet::NONE)
        .build(Hand::default())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry);
    assert_eq!(metrics.worker_local_queue_depth(0).unwrap(), None);
    assert_eq!(metrics.worker_on_cpu_duration_total(0).unwrap(), None);
    assert_eq!(metrics.cpu_throttled_duration_total(), None);
    let from_getters = [
        metrics.global_queue_depth(),
        metrics.num_blocking_threads(),
        metrics.num_idle_blocking_threads(),
        metrics.blocking_queue_depth(),
        metrics.spawned_tasks_count(),
        metrics.covered_tasks(),
        metrics.num_alive_tasks(),
        metrics.completed_tasks_count(),
        metrics.remote_schedule_count(),
        metrics.io_driver_fd_registered_count(),
        metrics.io_driver_fd_deregistered_count(),
        metrics.io_driver_ready_count(),
        metrics.poll_stall_count(),
        metrics.no_progress_stall_count(),
        metrics.queue_stall_count(),
        metrics.overload(),
        metrics.cpu_throttled_count(),
    ];
    assert_eq!(from_getters, [None; 17]);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.total().local_queue_depth(), None);
    assert_eq!(snapshot.total().on_cpu_duration_total(), None);
    assert_eq!(snapshot.total().runnable_wait_duration_total(), None);
    assert_eq!(snapshot.cpu_throttled_duration_total(), None);
    let from_a_snapshot = [
        snapshot.global_queue_depth(),
        snapshot.num_blocking_threads(),
        snapshot.num_idle_blocking_threads(),
        snapshot.blocking_queue_depth(),
        snapshot.spawned_tasks_count(),
        snapshot.covered_tasks(),
        snapshot.num_alive_tasks(),
        snapshot.completed_tasks_count(),
        snapshot.remote_schedule_count(),
        snapshot.io_driver_fd_registered_count(),
        snapshot.io_driver_fd_deregistered_count(),
        snapshot.io_driver_ready_count(),
        snapshot.poll_stall_count(),
        snapshot.no_progress_stall_count(),
        snapshot.queue_stall_count(),
        snapshot.overload(),
        snapshot.cpu_throttled_count(),
    ];
    assert_eq!(from_a_snapshot, [None; 17]);
    assert!(snapshot.blocking_queue_wait().is_none());
    assert!(snapshot.poll_stall_duration().is_none());
    assert!(snapshot.no_progress_stall_duration().is_none());
    assert!(snapshot.queue_stall_duration().is_none());
    assert!(snapshot.loop_lag().is_none());
    assert!(snapshot.wake_latency().is_none());
}

#[test]
fn a_counter_that_the_runtime_does_not_keep_is_none() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::worker(&[WorkerNumber::PollCount]))
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    poll(&worker, &clock, 10);
    worker.park();
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    for &counter in WorkerNumber::ALL {
        let expected = (counter == WorkerNumber::PollCount).then_some(1);
        let read = [
            metrics.counter(counter).unwrap(),
            metrics.worker_counter(0, counter).unwrap(),
            row.counter(counter),
            snapshot.total().counter(counter),
        ];
        assert_eq!(read, [expected; 4], "{}", counter.name());
    }
}

#[test]
fn without_a_clock_no_time_is_known_and_counters_go_on() {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(metrics_core::HistogramConfig::DEFAULT)
        .schedule_latency(metrics_core::HistogramConfig::DEFAULT)
        .build(NoClock)
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart {
        scheduled_at: Some(worker.now()),
        ..PollStart::default()
    });
    let snapshot = metrics.snapshot();
    let during = snapshot.worker(0).unwrap();
    assert_eq!((during.state_for(), during.busy_in_progress()), (None, None));
    worker.end_poll();
    worker.park();

    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert_eq!(metrics.busy_duration_total().unwrap(), None);
    assert_eq!(metrics.worker_mean_poll_time(0), Ok(None));
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(snapshot.uptime(), None);
    assert_eq!((total.poll_count(), total.busy_duration_total()), (Some(1), None));
    assert!(total.poll_time().is_none() && total.schedule_latency().is_none());
}

#[test]
fn a_histogram_that_was_never_switched_on_is_none() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    poll(&worker, &clock, 10);
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert!(total.poll_time().is_none() && total.schedule_latency().is_none());
    assert_eq!(total.mean_poll_time(), None);
    assert_eq!(metrics.poll_time_histogram_num_buckets(), None);
    assert_eq!(metrics.poll_time_histogram_bucket_count(0, 0), None);
}
