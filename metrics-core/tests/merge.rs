//! The snapshots of several runtimes as one.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![cfg(feature = "record")]
#![allow(missing_docs)]

mod common;

use common::{Hand, Shared, poll};
use core::time::Duration;
use metrics_core::histogram::HistogramMergeError;
use metrics_core::{
    BlockingStart, Builder, HistogramConfig, LoadState, MetricSet, NoClock, Probe, RuntimeMetrics,
    RuntimeNumber, SinceError, TaskEnd, TimeSource, Worker, WorkerNumber,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn registry(clock: &Hand, builder: &Builder<'_>) -> Shared {
    builder.build(clock.clone()).unwrap()
}

fn builder() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
}

#[test]
fn the_workers_of_both_follow_each_other_and_the_totals_are_sums() {
    let clock = Hand::default();
    let one = registry(&clock, &builder().name("page").workers(2));
    clock.advance(1_000);
    let other = registry(&clock, &builder().name("worker").workers(1));
    let workers = [(&one, 0), (&one, 1), (&other, 0)].map(|(registry, index)| {
        let worker = Worker::lease(registry.clone(), index).unwrap();
        worker.task_spawned();
        worker
    });
    for (worker, nanos) in workers.iter().zip([100, 200, 3_000]) {
        worker.start_processing_scheduled_tasks();
        poll(worker, &clock, nanos);
        worker.end_processing_scheduled_tasks();
        worker.submit();
    }
    workers[2].task_ended(TaskEnd::Completed);
    let metrics = [one, other].map(RuntimeMetrics::new);
    let merged = || {
        let [mut snapshot, other] = [metrics[0].snapshot(), metrics[1].snapshot()];
        snapshot.merge(&other).map(|()| snapshot)
    };
    let before = merged().unwrap();
    assert_eq!((before.name(), before.num_workers()), ("page", Some(3)));
    assert_eq!(before.uptime(), metrics[0].snapshot().uptime(), "the longer one");
    let polls: Vec<_> = before
        .workers()
        .iter()
        .map(|worker| (worker.index(), worker.busy_duration_total()))
        .collect();
    let nanos = |nanos| Some(Duration::from_nanos(nanos));
    assert_eq!(polls, [(0, nanos(100)), (1, nanos(200)), (2, nanos(3_000))]);
    let total = before.total();
    assert_eq!(
        (total.poll_count(), total.busy_duration_total()),
        (Some(3), nanos(3_300))
    );
    assert_eq!(total.mean_poll_time(), nanos(1_100));
    let histogram = total.poll_time().unwrap();
    assert_eq!((histogram.polls(), histogram.histogram().sum()), (3, 3_300));
    assert_eq!(
        (before.spawned_tasks_count(), before.num_alive_tasks()),
        (Some(3), Some(2))
    );
    assert_eq!(before.tasks().unwrap().completed, 1);

    poll(&workers[2], &clock, 500);
    workers[2].submit();
    let interval = merged().unwrap().since(&before).unwrap();
    assert_eq!(interval.total().counter(WorkerNumber::PollCount), Some(1));
    assert_eq!(
        interval.worker(2).unwrap().counter(WorkerNumber::PollCount),
        Some(1)
    );
    let mut reversed = metrics[1].snapshot();
    reversed.merge(&metrics[0].snapshot()).unwrap();
    reversed.since(&before).unwrap_err();
}

#[test]
fn a_metric_that_one_of_them_does_not_measure_is_unknown_in_the_total() {
    let clock = Hand::default();
    let all = registry(&clock, &builder().workers(1));
    let few = Builder::new().measures(MetricSet::worker(&[WorkerNumber::PollCount]));
    let few = registry(&clock, &few.workers(1));
    let workers = [&all, &few].map(|registry| Worker::lease(registry.clone(), 0).unwrap());
    for worker in &workers {
        poll(worker, &clock, 100);
        worker.submit();
    }
    let mut snapshot = RuntimeMetrics::new(all).snapshot();
    snapshot.merge(&RuntimeMetrics::new(few).snapshot()).unwrap();
    let total = snapshot.total();
    assert_eq!(total.poll_count(), Some(2));
    assert_eq!((total.steal_count(), total.park_count()), (None, None));
    assert!(total.poll_time().is_none());
    assert_eq!(snapshot.worker(0).unwrap().steal_count(), Some(0));
    assert_eq!(snapshot.worker(1).unwrap().steal_count(), None);
}

#[test]
fn histograms_of_other_buckets_are_refused_and_nothing_changes() {
    let clock = Hand::default();
    let one = registry(&clock, &builder().workers(1));
    let coarse = HistogramConfig::h2(1_000, 1_000_000, 1).unwrap();
    let other = registry(&clock, &builder().poll_time(coarse).workers(1));
    let workers = [&one, &other].map(|registry| Worker::lease(registry.clone(), 0).unwrap());
    workers.iter().for_each(Worker::submit);
    let mut snapshot = RuntimeMetrics::new(one).snapshot();
    let refused = snapshot.merge(&RuntimeMetrics::new(other).snapshot());
    assert!(matches!(refused, Err(HistogramMergeError::LayoutMismatch { .. })));
    assert_eq!((snapshot.workers().len(), snapshot.num_workers()), (1, Some(1)));
}

/// Decoding refuses workers of different layouts, and the difference of two snapshots relies on it.
#[test]
fn workers_of_other_buckets_are_refused_behind_a_runtime_without_a_histogram() {
    let clock = Hand::default();
    let linear = HistogramConfig::linear(1_000, 10).unwrap();
    let one = registry(&clock, &builder());
    let without = registry(&clock, &Builder::new().measures(MetricSet::ALL));
    let other = registry(&clock, &builder().poll_time(linear));
    let lease = |registry: &Shared| Worker::lease(registry.clone(), 0).unwrap();
    let snapshot = |registry: &Shared| RuntimeMetrics::new(registry.clone()).snapshot();
    let _workers = [&one, &without].map(lease);
    let mut merged = snapshot(&one);
    merged.merge(&snapshot(&without)).unwrap();
    assert!(merged.total().poll_time().is_none());
    // Whether or not a thread runs its worker already.
    let not_run = snapshot(&other);
    let _worker = lease(&other);
    for other in [not_run, snapshot(&other)] {
        let refused = merged.merge(&other);
        assert!(matches!(refused, Err(HistogramMergeError::LayoutMismatch { .. })));
        assert_eq!(merged.workers().len(), 2, "it is unchanged");
    }
}

/// Decoding refuses a snapshot whose workers have times although it has no clock.
#[test]
fn with_a_runtime_without_a_clock_the_uptime_is_that_of_the_other() {
    let clock = Hand::default();
    let timed = registry(&clock, &builder());
    let worker = Worker::lease(timed.clone(), 0).unwrap();
    worker.park();
    clock.advance(1_000);
    let timed = RuntimeMetrics::new(timed).snapshot();
    let untimed = RuntimeMetrics::new(builder().build(NoClock).unwrap()).snapshot();
    assert!(timed.uptime().is_some() && untimed.uptime().is_none());
    for (one, other) in [(&timed, &untimed), (&untimed, &timed)] {
        let mut merged = one.clone();
        merged.merge(other).unwrap();
        assert_eq!(merged.uptime(), timed.uptime());
    }
}

#[test]
fn two_overloaded_runtimes_are_overloaded_and_not_twice() {
    let clock = Hand::default();
    let registries = ["one", "other"].map(|name| registry(&clock, &builder().name(name)));
    for registry in &registries {
        assert!(registry.shared().begin_load_watch());
        registry.shared().set_load(LoadState::Shedding);
    }
    let [mut one, other] = registries.map(|registry| RuntimeMetrics::new(registry).snapshot());
    one.merge(&other).unwrap();
    assert_eq!(one.overload(), Some(1));
}

#[test]
fn merged_snapshots_whose_workers_moved_are_not_compared() {
    let clock = Hand::default();
    // Workers that appear as threads come, as under wrappers.
    let one = registry(&clock, &builder());
    let other = registry(&clock, &builder());
    let lease = |registry: &Shared, index| {
        let worker = Worker::lease(registry.clone(), index).unwrap();
        poll(&worker, &clock, 100);
        worker.submit();
        worker
    };
    let _workers = [lease(&one, 0), lease(&other, 0)];
    let metrics = [one.clone(), other].map(RuntimeMetrics::new);
    let merged = || {
        let mut snapshot = metrics[0].snapshot();
        snapshot.merge(&metrics[1].snapshot()).unwrap();
        snapshot
    };
    let before = merged();
    assert!(merged().since(&before).is_ok());
    let _another = lease(&one, 1);
    assert_eq!(merged().since(&before).unwrap_err(), SinceError::OtherEpoch);
}

#[test]
fn every_bit_of_both_epochs_and_the_number_of_workers_change_the_epoch() {
    let snapshot = |epoch, workers| {
        let registry = registry(&Hand::default(), &builder().epoch(epoch).workers(workers));
        RuntimeMetrics::new(registry).snapshot()
    };
    let merged = |one, other, workers| {
        let mut merged = snapshot(one, workers);
        merged.merge(&snapshot(other, 1)).unwrap();
        merged.epoch()
    };
    let (one, other) = (0x5A5A_1234_DEAD_BEEF, 0x0F0F_5678_CAFE_F00D);
    let epoch = merged(one, other, 1);
    for bit in 0..u64::BITS {
        assert_ne!(merged(one ^ 1 << bit, other, 1), epoch, "bit {bit} of the first");
        assert_ne!(merged(one, other ^ 1 << bit, 1), epoch, "bit {bit} of the second");
    }
    for workers in 2..10 {
        assert_ne!(merged(one, other, workers), epoch, "{workers} workers");
    }
}

#[test]
fn the_start_the_external_threads_and_the_wait_of_closures_are_merged() {
    let clock = Hand::default();
    let snapshots = [(5, 70), (3, 40)].map(|(started_at, wait)| {
        let builder = builder().blocking_queue_wait(HistogramConfig::DEFAULT);
        let registry = registry(&clock, &builder.started_at(started_at));
        let queued_at = clock.now();
        clock.advance(wait);
        registry.shared().blocking_started(BlockingStart {
            queued_at,
            started_at: clock.now(),
        });
        let external = Worker::lease_external(registry.clone()).unwrap();
        poll(&external, &clock, 100);
        external.submit();
        RuntimeMetrics::new(registry).snapshot()
    });
    let [mut merged, other] = snapshots;
    merged.merge(&other).unwrap();
    assert_eq!(merged.started_at(), Some(3), "the earlier one");
    let wait = merged.blocking_queue_wait().unwrap();
    assert_eq!((wait.count(), wait.sum()), (2, 110));
    let external = merged.external().unwrap();
    assert_eq!(external.poll_count(), Some(2));
    assert_eq!(merged.total().poll_count(), Some(2));
}

#[test]
fn the_mean_of_both_is_weighted_by_their_polls() {
    let clock = Hand::default();
    let snapshots = [(1, 100), (3, 500)].map(|(polls, nanos)| {
        let registry = registry(&clock, &builder().workers(1));
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        (0..polls).for_each(|_| poll(&worker, &clock, nanos));
        worker.submit();
        RuntimeMetrics::new(registry).snapshot()
    });
    let [mut merged, other] = snapshots;
    merged.merge(&other).unwrap();
    assert_eq!(merged.total().mean_poll_time(), Some(Duration::from_nanos(400)));
}

/// A runtime in a process that was throttled.
struct Throttled;

impl Probe for Throttled {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        use RuntimeNumber::{CpuThrottledCount, CpuThrottledDurationTotal, GlobalQueueDepth};
        matches!(
            number,
            CpuThrottledCount | CpuThrottledDurationTotal | GlobalQueueDepth
        )
        .then_some(7)
    }
}

#[test]
fn what_the_process_was_throttled_is_not_added() {
    let snapshot = || {
        let registry = registry(&Hand::default(), &builder());
        RuntimeMetrics::with_probe(registry, Throttled).snapshot()
    };
    let mut merged = snapshot();
    merged.merge(&snapshot()).unwrap();
    assert_eq!(merged.cpu_throttled_count(), Some(7));
    assert_eq!(
        merged.cpu_throttled_duration_total(),
        Some(Duration::from_nanos(7))
    );
    assert_eq!(merged.global_queue_depth(), Some(14));
}
