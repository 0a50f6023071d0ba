//! What a reader that takes snapshots again and again sees.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, LocationId, MetricSet, NoClock, PollStart, Probe, ProbedState, RuntimeMetrics, Sampling,
    TaskCounts, TaskEnd, Worker, WorkerNumber, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PARKS: MetricSet = MetricSet::worker(&[WorkerNumber::ParkCount]);

fn at(location: u32) -> PollStart {
    PollStart {
        spawn_location: LocationId::from_u32(location),
        ..PollStart::default()
    }
}

#[test]
fn a_reader_follows_a_poll_without_a_submit() {
    let registry = registry(&Hand::default());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    let mut reader = RuntimeMetrics::new(registry).reader();
    let mut seen = || {
        let worker = reader.read().worker(0).unwrap();
        (worker.state(), worker.spawn_location().as_u32())
    };
    worker.start_processing_scheduled_tasks();
    assert_eq!(seen(), (Some(WorkerState::Running), 0));
    for location in [7, 8] {
        worker.start_poll(at(location));
        for _ in 0..2 {
            assert_eq!(seen(), (Some(WorkerState::Polling), location));
        }
        worker.set_spawn_location(LocationId::from_u32(9));
        for _ in 0..2 {
            assert_eq!(seen(), (Some(WorkerState::Polling), 9));
        }
        worker.end_poll();
        for _ in 0..2 {
            assert_eq!(seen(), (Some(WorkerState::Running), 0));
        }
    }
}

#[test]
fn a_reader_sees_a_submit_that_changes_no_state() {
    let registry = registry(&Hand::default());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    let mut reader = RuntimeMetrics::new(registry).reader();
    for steals in 0..3 {
        let snapshot = reader.read();
        assert_eq!(snapshot.worker(0).unwrap().steal_count(), Some(steals));
        assert_eq!(snapshot.total().steal_count(), Some(steals));
        worker.inc_steal_count(1);
        worker.submit();
    }
}

#[test]
fn an_interval_has_the_changes_and_their_rates() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    let metrics = RuntimeMetrics::new(registry);
    worker.task_spawned();
    let before = metrics.snapshot();
    for _ in 0..3 {
        worker.task_spawned();
        poll(&worker, &clock, 10);
    }
    worker.task_ended(TaskEnd::Completed);
    worker.task_ended(TaskEnd::Panicked);
    worker.submit();
    clock.set(2_000_000_000);
    let after = metrics.snapshot();
    let interval = after.since(&before).unwrap();
    let tasks = TaskCounts {
        spawned: 3,
        completed: 1,
        cancelled: 0,
        panicked: 1,
    };
    assert_eq!(interval.tasks(), Some(tasks));
    let total = interval.total();
    assert_eq!(total.per_second(WorkerNumber::PollCount), Some(1.5));
    assert_eq!(total.utilization(), Some(0.0));
    let empty = after.since(&after).unwrap();
    assert_eq!(empty.tasks(), Some(TaskCounts::default()));
    assert_eq!(empty.total().poll_count(), Some(0));
    assert_eq!(empty.total().per_second(WorkerNumber::PollCount), None);
    assert_eq!(empty.total().utilization(), None);
}

#[test]
fn a_thread_is_submitted_until_its_next_poll_ends() {
    let registry = registry(&Hand::default());
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let is_submitted = || metrics.live_threads().next().unwrap().is_submitted;
    worker.start_processing_scheduled_tasks();
    worker.submit();
    assert!(is_submitted());
    worker.start_poll(at(7));
    assert!(is_submitted(), "the poll in progress has not ended");
    worker.end_poll();
    assert!(!is_submitted());
    worker.end_processing_scheduled_tasks();
    assert!(!is_submitted(), "another state submits nothing");
    worker.submit();
    assert!(is_submitted());
    worker.start_processing_scheduled_tasks();
    assert!(is_submitted(), "no poll has ended since");
}

#[test]
fn a_reader_sees_a_changed_switch() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    poll(&worker, &clock, 10);
    worker.submit();
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    let one_in = |n: u32| Sampling::OneIn(n.try_into().unwrap());
    for (poll_time, latency) in [
        (Sampling::Every, Sampling::Every),
        (one_in(7), Sampling::Every),
        (one_in(7), Sampling::Off),
    ] {
        registry.switches().set_poll_time(poll_time);
        registry.switches().set_schedule_latency(latency);
        let snapshot = reader.read();
        for measured in [snapshot.total(), snapshot.worker(0).unwrap().measurements()] {
            assert_eq!(measured.poll_time().unwrap().sampling(), poll_time);
            assert_eq!(measured.schedule_latency().unwrap().sampling(), latency);
        }
    }
}

#[test]
fn root_polls_are_none_until_the_adapter_measures_them() {
    let registry = Builder::new()
        .measures(MetricSet::worker(&[WorkerNumber::PollCount]))
        .build(NoClock)
        .unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    worker.inc_root_polls();
    worker.submit();
    assert_eq!(reader.read().worker(0).unwrap().root_polls(), None);
    registry.shared().measure_root_polls();
    let snapshot = reader.read();
    assert_eq!(snapshot.worker(0).unwrap().root_polls(), Some(1));
    assert_eq!(snapshot.total().root_polls(), Some(1));
}

struct Fork(u64);

impl Probe for Fork {
    fn fork_id(&self) -> u64 {
        self.0
    }
}

#[test]
fn each_fork_has_its_own_epoch() {
    for epoch in [1, u64::MAX] {
        let registry = Builder::new().epoch(epoch).build(NoClock).unwrap();
        let of_fork = |id| {
            let metrics = RuntimeMetrics::with_probe(registry.clone(), Fork(id));
            metrics.snapshot().epoch()
        };
        assert_eq!(of_fork(0), epoch);
        let [one, two] = [1, 2].map(of_fork);
        assert!(one != two && one != epoch && two != epoch);
    }
}

/// Reports parks of two workers, and states of all.
#[derive(Clone)]
struct Parks;

impl Probe for Parks {
    fn worker_numbers(&self) -> MetricSet {
        PARKS
    }

    fn worker(&self, worker: usize, _: WorkerNumber) -> Option<u64> {
        Some(10 + worker as u64)
    }

    fn worker_state(&self, _: usize) -> Option<ProbedState> {
        Some(ProbedState {
            parked: Some(true),
            busy: Some(5_000),
            in_progress: Some(6_000),
            progress: None,
        })
    }
}

#[test]
fn a_probe_reports_only_what_it_says_and_only_of_its_workers() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let workers = [0, 2].map(|index| Worker::lease(registry.clone(), index).unwrap());
    for worker in &workers {
        worker.park();
        worker.unpark();
        worker.start_processing_scheduled_tasks();
    }
    clock.advance(40);
    let mut reader = RuntimeMetrics::with_probe(registry, Parks).reader();
    let nanos = |nanos| Some(Duration::from_nanos(nanos));
    for _ in 0..2 {
        let snapshot = reader.read();
        let row = |index| {
            let worker = snapshot.worker(index).unwrap();
            (worker.park_count(), worker.busy_duration_total(), worker.state())
        };
        assert_eq!(row(0), (Some(10), nanos(40), Some(WorkerState::Parked)));
        assert_eq!(row(1), (Some(11), nanos(0), Some(WorkerState::Parked)));
        assert_eq!(
            row(2),
            (None, nanos(40), Some(WorkerState::Running)),
            "the runtime has two workers"
        );
        assert_eq!(snapshot.total().park_count(), Some(21));
        assert_eq!(snapshot.total().busy_duration_total(), nanos(80));
    }
}

#[test]
fn a_probe_of_other_metrics_adds_no_busy_time() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::worker(&[WorkerNumber::PollCount]))
        .build(clock.clone())
        .unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(40);
    let snapshot = RuntimeMetrics::with_probe(registry, Parks).snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(
        (worker.busy_in_progress(), worker.busy_duration_total()),
        (None, None)
    );
}

/// Reports the polls of one worker.
struct Polls;

impl Probe for Polls {
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::PollCount])
    }

    fn worker(&self, worker: usize, _: WorkerNumber) -> Option<u64> {
        (worker == 0).then_some(100)
    }
}

#[test]
fn the_polls_of_external_threads_are_counted_by_their_hooks() {
    let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap();
    let outside = Worker::lease_external(registry.clone()).unwrap();
    outside.start_poll(PollStart::default());
    outside.end_poll();
    outside.submit();
    let snapshot = RuntimeMetrics::with_probe(registry, Polls).snapshot();
    assert_eq!(snapshot.worker(0).unwrap().poll_count(), Some(100));
    assert_eq!(snapshot.external().unwrap().poll_count(), Some(1));
}
