//! Runtimes that call only some of the hooks: external threads, and workers that move between threads.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, poll, registry};
use core::cell::Cell;
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, LocationId, MetricSet, PollStart, Probe, RuntimeMetrics, RuntimeNumber,
    Sampling, TaskEnd, Timestamp, Worker, WorkerNumber, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn at(ticks: u64) -> Timestamp {
    Timestamp::from_ticks(ticks)
}

fn spawned_at(spawn_location: u32) -> PollStart {
    PollStart {
        scheduled_at: None,
        spawn_location: LocationId::from_u32(spawn_location),
    }
}

#[test]
fn a_full_latency_bucket_is_submitted_at_the_end_of_its_poll() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .schedule_latency(HistogramConfig::DEFAULT)
        // A timed poll submits for no other reason.
        .poll_time_sampling(Sampling::Every)
        .submit_interval(Duration::from_secs(1_000_000))
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let polls = || metrics.poll_count().unwrap();
    let start = PollStart {
        scheduled_at: Some(at(0)),
        spawn_location: LocationId::UNKNOWN,
    };
    // The latency of the last of these polls fills half of the byte of its bucket.
    for _ in 0..127 {
        worker.start_poll(start);
        worker.end_poll();
    }
    worker.start_poll(start);
    assert_eq!(polls(), Some(0), "the poll goes on");
    worker.end_poll();
    assert_eq!(polls(), Some(128));
}

#[test]
fn external_threads_have_their_own_row_and_count_in_the_total() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    assert!(metrics.snapshot().external().is_none());

    let outside = Worker::lease_external(registry.clone()).unwrap();
    let inside = Worker::lease(registry.clone(), 0).unwrap();
    for worker in [&outside, &inside] {
        worker.start_poll(PollStart::default());
        clock.advance(10);
        worker.end_poll();
        worker.submit();
    }
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.external().unwrap().poll_count(), Some(1));
    assert_eq!(snapshot.workers().len(), 1, "it is not a worker");
    assert_eq!(snapshot.total().poll_count(), Some(2));
    let foreign = snapshot.external().unwrap();
    assert_eq!(foreign.busy_in_progress(), None, "no hook reports its busy time");
    assert_eq!(foreign.busy_duration_total(), None);
    assert_eq!((foreign.park_count(), foreign.park_unpark_count()), (None, None));
    assert_eq!((foreign.steal_count(), foreign.root_polls()), (None, Some(0)));
    assert_eq!(snapshot.total().park_count(), Some(0), "the workers' sum");

    drop(outside);
    let again = Worker::lease_external(registry).unwrap();
    again.submit();
    assert_eq!(
        metrics.snapshot().external().unwrap().poll_count(),
        Some(1),
        "the next one goes on"
    );
}

#[test]
fn a_poll_recorded_afterwards_counts_like_any_other() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let start = PollStart {
        scheduled_at: Some(at(100)),
        spawn_location: LocationId::UNKNOWN,
    };
    worker.record_poll(start, at(400), at(1_400));
    worker.record_poll(start, at(400), at(300));
    worker.submit();

    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.poll_count(), Some(2));
    let poll_time = row.poll_time().unwrap().histogram();
    assert_eq!(
        (poll_time.count(), poll_time.sum()),
        (1, 1_000),
        "a negative duration is unknown"
    );
    assert_eq!(worker.clock_steps(), 1);
    assert_eq!(row.schedule_latency().unwrap().histogram().sum(), 600);
    assert_eq!(
        row.state(),
        Some(WorkerState::Idle),
        "the live record does not show it"
    );
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
    worker.end_busy_at_last_timestamp();
    worker.submit();

    clock.advance(1_000_000);
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.state(), Some(WorkerState::Searching));
    assert_eq!(row.busy_in_progress(), Some(Duration::ZERO));
    drop(worker);
    assert_eq!(
        metrics.worker_total_busy_duration(0).unwrap(),
        Some(Duration::from_nanos(300)),
        "the million nanoseconds after it belong to no poll"
    );
}

#[test]
fn the_thread_that_took_over_a_worker_shows_its_state() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let gave = Worker::lease(registry.clone(), 0).unwrap();
    gave.start_poll(spawned_at(7));
    clock.advance(10);
    assert_eq!(metrics.live(0).unwrap().spawn_location, LocationId::from_u32(7));

    let took = Worker::lease(registry, 0).unwrap();
    took.park();
    assert_eq!(metrics.live(0).unwrap().state, WorkerState::Parked);
    assert_eq!(
        metrics.snapshot().worker(0).unwrap().state(),
        Some(WorkerState::Parked)
    );
    took.start_poll(spawned_at(8));
    assert_eq!(metrics.live(0).unwrap().spawn_location, LocationId::from_u32(8));

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
    assert_eq!(metrics.live(0).unwrap().spawn_location, LocationId::from_u32(8));
    took.set_spawn_location(LocationId::from_u32(9));
    assert_eq!(metrics.live(0).unwrap().spawn_location, LocationId::from_u32(9));
    took.end_poll();
    assert_eq!(metrics.live(0).unwrap().spawn_location, LocationId::UNKNOWN);
    took.submit();
    assert_eq!(
        metrics.worker_poll_count(0).unwrap(),
        Some(2),
        "both threads' polls are kept"
    );
}

#[test]
fn a_thread_that_lost_its_worker_is_busy_in_its_own_poll_only() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let lost = Worker::lease(registry.clone(), 0).unwrap();
    lost.start_processing_scheduled_tasks();
    lost.start_poll(PollStart::default());
    clock.advance(10);
    let took = Worker::lease(registry, 0).unwrap();
    took.park();
    clock.advance(30);
    let in_progress = || metrics.snapshot().worker(0).unwrap().busy_in_progress();
    assert_eq!(
        in_progress(),
        Some(Duration::from_nanos(40)),
        "its poll is in progress"
    );
    lost.end_poll();
    clock.advance(1_000);
    assert_eq!(
        in_progress(),
        Some(Duration::ZERO),
        "no hook reports that it left"
    );
    took.start_processing_scheduled_tasks();
    clock.advance(7);
    assert_eq!(in_progress(), Some(Duration::from_nanos(7)));
}

#[test]
fn an_untimed_poll_is_not_hidden_by_a_thread_that_polls_nothing() {
    let clock = Hand::default();
    let registry = registry(&clock);
    registry.switches().set_poll_time(Sampling::Off);
    registry.switches().set_schedule_latency(Sampling::Off);
    let metrics = RuntimeMetrics::new(registry.clone());
    // In either order of their slots.
    for polling in 0..2 {
        let threads = [(); 2].map(|()| Worker::lease(registry.clone(), polling).unwrap());
        clock.advance(5);
        threads[1 - polling].start_processing_scheduled_tasks();
        clock.advance(5);
        threads[polling].start_poll(spawned_at(7));
        let live = metrics.live(polling).unwrap();
        let snapshot = metrics.snapshot();
        let worker = snapshot.worker(polling).unwrap();
        for seen in [
            (Some(live.state), live.spawn_location),
            (worker.state(), worker.spawn_location()),
        ] {
            assert_eq!(seen, (Some(WorkerState::Polling), LocationId::from_u32(7)));
        }
        let all: Vec<_> = metrics.live_threads().collect();
        let poll = all
            .iter()
            .find(|thread| thread.live.state == WorkerState::Polling);
        let other = all
            .iter()
            .find(|thread| thread.live.state != WorkerState::Polling);
        let (poll, other) = (poll.unwrap().live, other.unwrap().live);
        assert!(poll.supersedes(&other) && !other.supersedes(&poll));
        assert!(poll.supersedes(&poll));
    }
}

#[test]
fn a_worker_that_never_reports_processing_has_no_busy_time() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_poll(PollStart::default());
    clock.advance(40);
    let in_progress = || metrics.snapshot().worker(0).unwrap().busy_in_progress();
    // Nothing would settle it at the end of the poll, and the counter would go back.
    assert_eq!(in_progress(), Some(Duration::ZERO));
    worker.end_poll();
    clock.advance(40);
    assert_eq!(in_progress(), Some(Duration::ZERO));
}

#[test]
fn unreported_busy_time_is_not_in_progress() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::worker(&[WorkerNumber::PollCount]))
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
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        (number == RuntimeNumber::CoveredTasks).then_some(9)
    }
}

#[test]
fn a_probe_overrides_the_covered_tasks() {
    let registry = registry(&Hand::default());
    registry.shared().task_spawned();
    registry.shared().task_ended(TaskEnd::Completed);
    let metrics = RuntimeMetrics::with_probe(registry, Covers);
    assert_eq!(metrics.covered_tasks(), Some(9));
    assert_eq!(metrics.snapshot().covered_tasks(), Some(9));
}

/// Counts parks itself, as long as the runtime lives.
#[derive(Default)]
struct Parks {
    of: [Cell<Option<u64>>; 2],
    gone: Cell<bool>,
}

impl Probe for &Parks {
    fn worker_numbers(&self) -> MetricSet {
        if self.gone.get() {
            MetricSet::NONE
        } else {
            MetricSet::worker(&[WorkerNumber::ParkCount])
        }
    }

    fn worker(&self, worker: usize, _: WorkerNumber) -> Option<u64> {
        self.of[worker].get()
    }
}

#[test]
fn a_value_no_longer_reported_stays_and_one_never_reported_is_none() {
    let parks = Parks::default();
    let metrics = RuntimeMetrics::with_probe(registry(&Hand::default()), &parks);
    let mut reader = metrics.reader();
    let mut counts = || {
        let snapshot = reader.read();
        let worker = |i| snapshot.worker(i).unwrap().park_count();
        (worker(0), worker(1), snapshot.total().park_count())
    };
    assert_eq!(counts(), (None, None, None));
    parks.of[0].set(Some(5));
    assert_eq!(
        counts(),
        (Some(5), None, None),
        "the sum over all workers is not known"
    );
    parks.of[1].set(Some(2));
    assert_eq!(counts(), (Some(5), Some(2), Some(7)));
    parks.of[0].set(None);
    assert_eq!(counts(), (Some(5), Some(2), Some(7)), "a counter never decreases");
    parks.gone.set(true);
    parks.of[1].set(None);
    assert_eq!(counts(), (Some(5), Some(2), Some(7)));
    assert_eq!(
        metrics.snapshot().total().park_count(),
        Some(0),
        "ours, for who never asked"
    );
}

/// Counts for the whole runtime, as long as it lives.
#[derive(Default)]
struct Counts(Cell<Option<u64>>);

impl Probe for &Counts {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        match number {
            RuntimeNumber::SpawnedTasksCount | RuntimeNumber::RemoteScheduleCount => self.0.get(),
            _ => None,
        }
    }
}

#[test]
fn a_reported_counter_does_not_fall_back_to_the_hooks() {
    let runtime = Counts(Cell::new(Some(1_000)));
    let metrics = RuntimeMetrics::with_probe(registry(&Hand::default()), &runtime);
    let mut reader = metrics.reader();
    reader.read();
    runtime.0.set(None);
    let snapshot = reader.read();
    assert_eq!(snapshot.spawned_tasks_count(), Some(1_000));
    assert_eq!(snapshot.remote_schedule_count(), Some(1_000));
}

#[test]
fn a_poll_that_was_not_measured_has_no_length() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 300);
    assert_eq!(worker.last_poll(), Some(300));
    let seldom = u32::MAX.try_into().unwrap();
    registry.switches().set_poll_time(Sampling::OneIn(seldom));
    worker.submit();
    // Past a submit of its own, which untimed polls cause from time to time.
    for _ in 0..200 {
        poll(&worker, &clock, 100);
        assert_eq!(worker.last_poll(), None);
    }
}

#[test]
fn time_with_all_switches_off_is_not_recorded() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for switched_on in [20, 30] {
        registry.switches().set_poll_time(Sampling::Off);
        registry.switches().set_schedule_latency(Sampling::Off);
        // The switch changes during a measured poll; the first time, during an unmeasured one.
        worker.start_poll(PollStart::default());
        worker.submit();
        clock.advance(7);
        worker.end_poll();
        for _ in 0..3 {
            poll(&worker, &clock, 1_000);
        }
        registry.switches().set_poll_time(Sampling::Every);
        worker.submit();
        clock.advance(500);
        poll(&worker, &clock, switched_on);
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    let measured = row.poll_time().unwrap().histogram();
    assert_eq!((measured.count(), measured.sum()), (4, 7 + 20 + 7 + 30));
}

#[test]
fn a_poll_that_outlives_its_switch_is_busy_time_at_its_end() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    registry.switches().set_poll_time(Sampling::Off);
    registry.switches().set_schedule_latency(Sampling::Off);
    worker.submit();
    clock.advance(10_000);
    worker.end_poll();
    worker.end_busy_at_last_timestamp();
    worker.submit();
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.busy_duration_total(), Some(Duration::from_micros(10)));
    assert_eq!(row.poll_time().unwrap().histogram().sum(), 10_000);

    // A second start in a row begins an untimed poll, as its record shows.
    registry.switches().set_poll_time(Sampling::Every);
    worker.submit();
    worker.start_poll(PollStart::default());
    registry.switches().set_poll_time(Sampling::Off);
    worker.submit();
    worker.start_poll(PollStart::default());
    clock.advance(10);
    worker.end_poll();
    worker.submit();
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.poll_time().unwrap().samples(), 1);
}

#[test]
fn hooks_in_the_middle_of_a_poll_keep_its_start() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    assert_eq!(worker.last_poll(), None);
    worker.start_poll(PollStart::default());
    clock.advance(100);
    worker.park();
    clock.advance(100);
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    clock.advance(100);
    worker.end_poll();
    worker.submit();
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.poll_time().unwrap().histogram().sum(), 300);
    assert_eq!(row.busy_duration_total(), Some(Duration::from_nanos(200)));
}
