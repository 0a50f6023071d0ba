//! Workers on their own threads while a reader never pauses: on every target with threads, each state that it sees
//! comes from one submit.
#![cfg(all(
    feature = "alloc",
    target_has_atomic = "ptr",
    not(target_arch = "wasm32"),
    not(metrics_core_loom)
))]
#![allow(missing_docs)]

use core::time::Duration;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, HistogramSnapshot, MetricSet, PollStart, Registry, RuntimeMetrics,
    Snapshot, TaskEnd, TimeSource, Timestamp, Worker, WorkerNumber,
};
use portable_atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::thread;

const WORKERS: usize = 3;
/// Miri runs few of them, but with many orders of the threads.
const TURNS: u64 = if cfg!(miri) { 5 } else { 3_000 };
const POLLS_OF_A_TURN: u64 = 7;

/// Every timestamp is one step later than the one before, on any thread.
#[derive(Default)]
struct Steps(AtomicU32);

impl TimeSource for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0.fetch_add(37, Ordering::Relaxed).into())
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

type Shared = Arc<Registry<HeapStorage, Steps>>;

fn work(registry: Shared, index: usize) {
    let worker = Worker::lease(registry, index).unwrap();
    for _ in 0..TURNS {
        worker.start_processing_scheduled_tasks();
        for _ in 0..POLLS_OF_A_TURN {
            worker.task_spawned();
            worker.start_poll(PollStart::default());
            worker.end_poll();
            worker.task_ended(TaskEnd::Completed);
        }
        worker.end_processing_scheduled_tasks();
        worker.park();
        worker.unpark();
    }
}

/// The invariants of every state of a worker, however the reader's loads and the worker's stores interleave.
fn check(snapshot: &Snapshot<HeapStorage>, index: usize, seen: &mut [u64; 2]) {
    // A thread that has not leased its worker yet has no entry.
    let Some(worker) = snapshot.worker(index) else {
        return assert_eq!(*seen, [0; 2]);
    };
    let Some(polls) = worker.counter(WorkerNumber::PollCount) else {
        assert!(
            worker.is_missing() && *seen == [0; 2],
            "a value that was read stays"
        );
        return;
    };
    let parks = worker.counter(WorkerNumber::ParkCount).unwrap();
    let Some(poll_time) = worker.poll_time() else {
        assert_eq!(polls, 0, "polls without their histogram");
        return;
    };
    let histogram = poll_time.histogram();
    assert_eq!(
        histogram.count(),
        polls,
        "one sample per poll, submitted together"
    );
    assert_eq!(histogram.buckets().iter().sum::<u64>(), polls);
    assert_eq!(polls, poll_time.polls());
    assert!(histogram.sum() >= polls * 37, "each poll takes at least one step");
    // Each iteration is submitted at its park. No state in between is visible while no poll lasts as long as the
    // interval.
    assert!(polls >= parks * POLLS_OF_A_TURN, "{polls} polls, {parks} parks");
    assert!(
        [polls, parks]
            .iter()
            .zip(&*seen)
            .all(|(now, before)| now >= before),
        "counters never go back"
    );
    *seen = [polls, parks];
}

/// The total changes by the sum of the workers' changes, even if an attempt was repeated.
fn check_total(snapshot: &Snapshot<HeapStorage>) {
    let total = snapshot.total();
    let Some(polls) = total.counter(WorkerNumber::PollCount) else {
        return;
    };
    let workers = snapshot.workers();
    let of = |counter| workers.iter().filter_map(move |worker| worker.counter(counter));
    assert_eq!(polls, of(WorkerNumber::PollCount).sum::<u64>());
    assert_eq!(
        total.counter(WorkerNumber::ParkCount),
        Some(of(WorkerNumber::ParkCount).sum())
    );
    let mut merged = HistogramSnapshot::<Vec<u64>>::new(HistogramConfig::DEFAULT).unwrap();
    for reading in workers.iter().filter_map(|worker| worker.poll_time()) {
        merged.merge(reading.histogram()).unwrap();
    }
    assert_eq!(total.poll_time().unwrap().histogram(), &merged);
    assert_eq!(total.poll_time().unwrap().polls(), polls);
}

#[test]
fn every_state_that_a_reader_sees_was_submitted_whole() {
    let registry: Shared = Builder::new()
        .measures(MetricSet::ALL)
        .workers(WORKERS)
        .poll_time(HistogramConfig::DEFAULT)
        .build(Steps::default())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let mut seen = [[0; 2]; WORKERS];
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|index| {
                let registry = registry.clone();
                scope.spawn(move || work(registry, index))
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            let snapshot = reader.read();
            for (index, seen) in seen.iter_mut().enumerate() {
                check(snapshot, index, seen);
            }
            check_total(snapshot);
            let spawned = snapshot.spawned_tasks_count().unwrap();
            assert!(
                snapshot.completed_tasks_count().unwrap() <= spawned,
                "ends are summed before spawns"
            );
        }
    });
    let snapshot = reader.read();
    for (index, seen) in seen.iter_mut().enumerate() {
        check(snapshot, index, seen);
        assert_eq!(*seen, [TURNS * POLLS_OF_A_TURN, TURNS]);
    }
    check_total(snapshot);
    assert_eq!(
        snapshot.total().mean_poll_time(),
        metrics.snapshot().total().mean_poll_time()
    );
    assert_eq!(
        snapshot.completed_tasks_count(),
        Some(WORKERS as u64 * TURNS * POLLS_OF_A_TURN)
    );
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
}
