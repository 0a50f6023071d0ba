//! Readers: the values of workers that start, end and can't be read, and the snapshots that can be compared.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;
#[path = "common/speed.rs"]
mod speed;

use clock::TestClock;
use core::cell::Cell;
use core::time::Duration;
use metrics_core::{
    BlockingStart, Builder, HeapStorage, HistogramConfig, HistogramSnapshot, MetricSet, NoClock, PollStart,
    Probe, Registry, RuntimeMetrics, SinceError, TimeSource, Timestamp, Worker, WorkerNumber,
    WorkerSinceError,
};
use speed::IS_SLOW;
use std::sync::Arc;
use std::thread;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn poll<T: TimeSource>(worker: &Worker<Arc<Registry<HeapStorage, T>>>) {
    worker.start_poll(PollStart::default());
    worker.end_poll();
    worker.submit();
}

fn counting() -> Builder<'static> {
    Builder::new().measures(MetricSet::ALL)
}

#[test]
fn registries_without_a_clock_have_epochs_of_their_own() {
    let mut epochs: Vec<u64> = (0..1_000)
        .map(|_| {
            let registry = counting().build(NoClock).unwrap();
            RuntimeMetrics::new(registry).snapshot().epoch()
        })
        .collect();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 1_000);
}

#[test]
fn snapshots_of_two_registries_of_one_name_have_no_difference() {
    let [one, other] = [(); 2].map(|()| RuntimeMetrics::new(counting().build(NoClock).unwrap()).snapshot());
    assert_eq!(other.since(&one).unwrap_err(), SinceError::OtherEpoch);
}

#[test]
fn snapshots_of_one_epoch_and_two_names_have_no_difference() {
    let snapshot =
        |name| RuntimeMetrics::new(Builder::new().name(name).epoch(1).build(NoClock).unwrap()).snapshot();
    let (one, other) = (snapshot("one"), snapshot("other"));
    assert_eq!(other.since(&one).unwrap_err(), SinceError::OtherEpoch);
    assert!(snapshot("one").since(&one).is_ok());
}

/// A probe in a process, or in a process forked from it.
struct Forked(Cell<u64>);

impl Probe for &Forked {
    fn fork_id(&self) -> u64 {
        self.0.get()
    }
}

#[test]
fn snapshots_before_and_after_a_fork_have_no_difference() {
    let process = Forked(Cell::new(0));
    let metrics = RuntimeMetrics::with_probe(counting().build(NoClock).unwrap(), &process);
    let before = metrics.snapshot();
    assert!(metrics.snapshot().since(&before).is_ok());
    process.0.set(4_711);
    let after = metrics.snapshot();
    assert_ne!(after.epoch(), before.epoch());
    assert_eq!(after.since(&before).unwrap_err(), SinceError::OtherEpoch);
}

#[test]
fn a_sparse_index_costs_one_entry() {
    let registry = counting()
        .workers(1)
        .poll_time(HistogramConfig::DEFAULT)
        .build(TestClock::new())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let before = reader.read().clone();
    let far = Worker::lease(registry.clone(), 100_000).unwrap();
    let near = Worker::lease(registry, 7).unwrap();
    poll(&far);
    poll(&near);
    let snapshot = reader.read();
    let indices: Vec<_> = snapshot
        .workers()
        .iter()
        .map(metrics_core::WorkerSnapshot::index)
        .collect();
    assert_eq!(indices, [7, 100_000], "sorted, without gaps");
    assert_eq!(snapshot.worker(100_000).unwrap().poll_count(), Some(1));
    assert!(snapshot.worker(99_999).is_none());
    let interval = snapshot.since(&before).unwrap();
    assert_eq!(interval.workers().len(), 2);
    assert_eq!(interval.worker(100_000).unwrap().poll_count(), Some(1));
    assert_eq!(interval.total().poll_count(), Some(2));
}

#[test]
fn configured_workers_that_never_run_cost_nothing() {
    for workers in [1_000_000, (1 << 30) - 2] {
        let registry = counting()
            .workers(workers)
            .poll_time(HistogramConfig::h2(0, u64::MAX, HistogramConfig::MAX_PRECISION).unwrap())
            .build(TestClock::new())
            .unwrap();
        let snapshot = RuntimeMetrics::new(registry).snapshot();
        assert_eq!(
            (snapshot.num_workers(), snapshot.workers().len()),
            (Some(workers), 0)
        );
    }
}

/// A cost that is quadratic in the slots would take minutes.
#[test]
fn many_slots_are_leased_read_and_compared() {
    const SLOTS: usize = if cfg!(miri) {
        100
    } else if IS_SLOW {
        20_000
    } else {
        100_000
    };
    let registry = counting().build(NoClock).unwrap();
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    let workers: Vec<_> = (0..SLOTS)
        .map(|index| Worker::lease(registry.clone(), SLOTS - index).unwrap())
        .collect();
    let before = reader.read().clone();
    workers.iter().for_each(poll);
    let snapshot = reader.read();
    let polls = snapshot
        .workers()
        .iter()
        .filter_map(metrics_core::WorkerSnapshot::poll_count);
    assert_eq!(polls.sum::<u64>(), SLOTS as u64);
    let interval = snapshot.since(&before).unwrap();
    assert_eq!(interval.total().poll_count(), Some(SLOTS as u64));
    assert_eq!(interval.workers().len(), SLOTS);
}

#[cfg_attr(target_arch = "wasm32", ignore = "there are no threads")]
#[test]
fn a_blocking_queue_that_could_not_be_read_is_not_empty() {
    let registry = counting()
        .blocking_queue_wait(HistogramConfig::DEFAULT)
        .build(TestClock::new())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let start = |times| {
        for _ in 0..times {
            registry.shared().blocking_started(BlockingStart {
                queued_at: Timestamp::from_ticks(1),
                started_at: Timestamp::from_ticks(500),
            });
        }
    };
    start(1_000);
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| start(200_000)));
        while threads.iter().any(|thread| !thread.is_finished()) {
            let snapshot = metrics.snapshot();
            let samples = snapshot.blocking_queue_wait().map(HistogramSnapshot::count);
            assert!(samples.is_none_or(|samples| samples >= 1_000), "{samples:?}");
        }
    });
    let samples = metrics
        .snapshot()
        .blocking_queue_wait()
        .map(HistogramSnapshot::count);
    assert_eq!(samples, Some(801_000));
}

#[test]
fn the_interval_from_the_start_is_everything() {
    let registry = counting()
        .poll_time(HistogramConfig::DEFAULT)
        .build(TestClock::new())
        .unwrap();
    let worker = Worker::lease(registry.clone(), 3).unwrap();
    poll(&worker);
    registry.clock().advance(1_000);
    let interval = RuntimeMetrics::new(registry).snapshot().since_start();
    assert_eq!(interval.wall(), Some(Duration::from_micros(1)));
    let worker = interval.worker(3).unwrap();
    assert_eq!(worker.counter(WorkerNumber::PollCount), Some(1));
    assert_eq!(worker.poll_time().unwrap().count(), 1);
}

#[test]
fn busy_time_that_is_not_submitted_yet_is_no_growth() {
    let clock = Arc::new(TestClock::new());
    let registry = counting().build(Arc::clone(&clock)).unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.submit();
    clock.advance(1_000);
    let during = metrics.snapshot();
    worker.end_processing_scheduled_tasks();
    let after = metrics.snapshot();
    assert!(after.total().busy_duration_total() < during.total().busy_duration_total());
    let interval = after.since(&during).unwrap();
    assert_eq!(interval.total().error(), None);
    assert_eq!(interval.total().busy_duration_total(), Some(Duration::ZERO));
}

#[test]
fn an_error_of_an_interval_says_what_to_compare() {
    let messages = [
        (SinceError::OtherEpoch.to_string(), "the same epoch"),
        (SinceError::NotEarlier.to_string(), "call `since` on the later"),
        (
            WorkerSinceError::NotEarlier.to_string(),
            "snapshots of one reader",
        ),
        (WorkerSinceError::Missing.to_string(), "compare with a later one"),
    ];
    for (message, remedy) in messages {
        assert!(message.contains(remedy), "{message}");
    }
}
