//! What hosts need that call only some of the hooks: threads that are no workers, workers that change hands.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

use core::cell::Cell;
use core::time::Duration;
use metrics_core::{
    Builder, Counter, CounterSet, Heap, HistogramConfig, PollStart, Probe, Registry, RuntimeMetrics, Site,
    TaskEnd, TimeSource, Timestamp, Worker, WorkerState,
};
use std::rc::Rc;
use std::sync::Arc;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Nanosecond ticks, moved by the test alone.
#[derive(Clone, Default)]
struct Hand(Rc<Cell<u64>>);

impl Hand {
    fn advance(&self, nanos: u64) {
        self.0.set(self.0.get() + nanos);
    }
}

impl TimeSource for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0.get())
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

type Shared = Arc<Registry<Heap, Hand>>;

fn registry(clock: &Hand) -> Shared {
    Builder::new()
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .build(clock.clone())
        .unwrap()
}

fn at(ticks: u64) -> Timestamp {
    Timestamp::from_ticks(ticks)
}

fn from_site(site: u32) -> PollStart {
    PollStart {
        scheduled_at: None,
        site: Site::from_u32(site),
    }
}

#[test]
fn foreign_threads_have_a_row_of_their_own_and_count_in_the_total() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    assert!(metrics.snapshot().foreign().is_none());

    let outside = Worker::lease_foreign(registry.clone()).unwrap();
    let inside = Worker::lease(registry.clone(), 0).unwrap();
    for worker in [&outside, &inside] {
        worker.start_poll(PollStart::default());
        clock.advance(10);
        worker.end_poll();
        worker.submit();
    }
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.foreign().unwrap().poll_count(), Some(1));
    assert_eq!(snapshot.workers().count(), 2, "it is no worker");
    assert_eq!(snapshot.total().poll_count(), Some(2));
    assert_eq!(
        snapshot.foreign().unwrap().busy_in_progress(),
        None,
        "nobody settles its busy time"
    );

    drop(outside);
    let again = Worker::lease_foreign(registry).unwrap();
    again.submit();
    assert_eq!(
        metrics.snapshot().foreign().unwrap().poll_count(),
        Some(1),
        "the next one goes on"
    );
}

#[test]
fn a_poll_told_afterwards_counts_like_one_that_was_watched() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let start = PollStart {
        scheduled_at: Some(at(100)),
        site: Site::UNKNOWN,
    };
    worker.record_poll(start, at(400), at(1_400));
    worker.record_poll(start, at(400), at(300));
    worker.submit();

    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.poll_count(), Some(2));
    let poll_time = row.poll_time().unwrap().histogram();
    assert_eq!((poll_time.count(), poll_time.sum()), (2, 1_000));
    assert_eq!(row.schedule_latency().unwrap().histogram().sum(), 600);
    assert_eq!(row.state(), WorkerState::Idle, "the live record does not show it");
}

#[test]
fn a_thread_that_left_its_worker_is_not_busy_since() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    clock.advance(1_000);
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    assert!(worker.is_polling());
    assert_eq!(worker.last_poll(), None);
    clock.advance(300);
    worker.end_poll();
    assert!(!worker.is_polling());
    assert_eq!(worker.last_poll(), Some(300));
    worker.leave();
    worker.submit();

    clock.advance(1_000_000);
    let row = metrics.snapshot().worker(0).unwrap();
    assert_eq!(row.state(), WorkerState::Searching);
    assert_eq!(row.busy_in_progress(), Some(Duration::ZERO));
    drop(worker);
    assert_eq!(
        metrics.worker_total_busy_duration(0),
        Some(Duration::from_nanos(300)),
        "the million nanoseconds after it are nobody's"
    );
}

#[test]
fn the_thread_that_took_a_worker_over_tells_what_it_does() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let gave = Worker::lease(registry.clone(), 0).unwrap();
    gave.start_poll(from_site(7));
    clock.advance(10);
    assert_eq!(metrics.live(0).unwrap().site, Site::from_u32(7));

    let took = Worker::lease(registry, 0).unwrap();
    took.park();
    assert_eq!(metrics.live(0).unwrap().state, WorkerState::Parked);
    assert_eq!(metrics.snapshot().worker(0).unwrap().state(), WorkerState::Parked);
    took.start_poll(from_site(8));
    assert_eq!(metrics.live(0).unwrap().site, Site::from_u32(8));

    let threads: Vec<_> = metrics.live_threads().collect();
    assert_eq!(
        threads.iter().map(|thread| thread.worker).collect::<Vec<_>>(),
        [Some(0), Some(0)]
    );
    assert!(threads[1].live.supersedes(&threads[0].live));
    assert!(!threads[0].live.supersedes(&threads[1].live));

    gave.end_poll();
    drop(gave);
    assert_eq!(metrics.live_threads().count(), 1);
    assert_eq!(metrics.live(0).unwrap().site, Site::from_u32(8));
    took.set_site(Site::from_u32(9));
    assert_eq!(metrics.live(0).unwrap().site, Site::from_u32(9));
    took.end_poll();
    assert_eq!(metrics.live(0).unwrap().site, Site::UNKNOWN);
    took.submit();
    assert_eq!(
        metrics.worker_poll_count(0),
        Some(2),
        "both threads' polls are kept"
    );
}

#[test]
fn who_never_processes_is_busy_in_its_polls_only() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_poll(PollStart::default());
    clock.advance(40);
    let in_progress = || metrics.snapshot().worker(0).unwrap().busy_in_progress();
    assert_eq!(in_progress(), Some(Duration::from_nanos(40)));
    worker.end_poll();
    clock.advance(40);
    assert_eq!(in_progress(), Some(Duration::ZERO));
}

#[test]
fn busy_time_that_nobody_settles_is_not_in_progress_either() {
    let clock = Hand::default();
    let registry = Builder::new()
        .counters(CounterSet::of(&[Counter::PollCount]))
        .build(clock)
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_poll(PollStart::default());
    assert_eq!(metrics.snapshot().worker(0).unwrap().busy_in_progress(), None);
    worker.end_poll();
}

struct Covers;

impl Probe for Covers {
    fn covered_tasks(&self) -> Option<u64> {
        Some(9)
    }
}

#[test]
fn a_runtime_may_know_better_what_is_covered() {
    let registry = registry(&Hand::default());
    registry.shared().task_spawned();
    registry.shared().task_ended(TaskEnd::Completed);
    let metrics = RuntimeMetrics::with_probe(registry, Covers);
    assert_eq!(metrics.covered_tasks(), Some(9));
    assert_eq!(metrics.snapshot().covered_tasks(), Some(9));
}
