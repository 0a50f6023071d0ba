//! The hooks of a worker, with a clock that the test controls: every value is exact.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::speed::IS_SLOW;
use common::{Hand, Shared, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, LeaseError, LocationId, MetricSet, NoClock, PollStart, RuntimeMetrics,
    Sampling, SinceError, TaskEnd, Worker, WorkerNumber, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn one_iteration_of_the_loop_counts_every_event() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 1).unwrap();

    worker.start_processing_scheduled_tasks();
    let scheduled_at = Some(worker.now());
    clock.advance(300);
    // The first poll reads the clock: the work before it in its batch belongs to no poll.
    worker.start_poll(PollStart {
        scheduled_at,
        spawn_location: LocationId::from_u32(7),
    });
    clock.advance(200);
    let live = metrics.live(1).unwrap();
    assert_eq!(
        (live.state, live.spawn_location),
        (WorkerState::Polling, LocationId::from_u32(7))
    );
    worker.end_poll();
    assert_eq!(
        metrics.worker_poll_count(1).unwrap(),
        Some(0),
        "not submitted yet"
    );
    worker.end_processing_scheduled_tasks();
    clock.advance(50);
    worker.park();

    assert_eq!(metrics.worker_poll_count(1).unwrap(), Some(1));
    assert_eq!(
        metrics.worker_total_busy_duration(1).unwrap(),
        Some(Duration::from_nanos(500))
    );
    assert_eq!(metrics.worker_park_count(1).unwrap(), Some(1));
    assert_eq!(metrics.worker_park_unpark_count(1).unwrap(), Some(1));
    assert_eq!(metrics.worker_noop_count(1).unwrap(), Some(0));
    assert_eq!(
        metrics.worker_mean_poll_time(1),
        Ok(Some(Duration::from_nanos(200)))
    );
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert_eq!(metrics.worker_poll_count(0).unwrap(), Some(0));
    assert_eq!(
        metrics.worker_poll_count(2).unwrap(),
        None,
        "there is no third worker"
    );
    assert_eq!(metrics.live(1).unwrap().state, WorkerState::Parked);

    let snapshot = metrics.snapshot();
    let one = snapshot.worker(1).unwrap();
    let poll_time = one.poll_time().unwrap();
    assert_eq!((poll_time.samples(), poll_time.polls()), (1, 1));
    assert_eq!(
        (poll_time.histogram().sum(), poll_time.histogram().min()),
        (200, Some(200))
    );
    assert_eq!(one.schedule_latency().unwrap().histogram().sum(), 300);
    assert_eq!(one.state_for(), Some(Duration::ZERO));
    assert!(snapshot.worker(2).is_none());
}

#[test]
fn a_park_without_a_poll_is_a_noop_except_the_first() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for _ in 0..3 {
        worker.park();
        worker.unpark();
    }
    poll(&worker, &clock, 10);
    worker.park();
    assert_eq!(metrics.worker_noop_count(0).unwrap(), Some(2));
    assert_eq!(metrics.worker_park_count(0).unwrap(), Some(4));
    assert_eq!(metrics.worker_park_unpark_count(0).unwrap(), Some(7));
}

#[test]
fn a_busy_worker_submits_by_itself_after_the_interval() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 999_999);
    assert_eq!(metrics.poll_count().unwrap(), Some(0));
    poll(&worker, &clock, 1);
    assert_eq!(metrics.poll_count().unwrap(), Some(2));
    assert_eq!(
        metrics.busy_duration_total().unwrap(),
        Some(Duration::from_millis(1))
    );
}

/// Every way to call the hooks of two polls and the submits around and inside them, up to this many calls.
#[test]
fn no_snapshot_has_more_samples_than_polls() {
    const CALLS: u32 = if IS_SLOW { 4 } else { 5 };
    type Call = fn(&Worker<Shared>);
    let calls: [Call; 5] = [
        |worker| {
            let scheduled_at = Some(worker.now());
            if worker.is_polling() {
                worker.end_poll();
            } else {
                worker.start_poll(PollStart {
                    scheduled_at,
                    spawn_location: LocationId::UNKNOWN,
                });
            }
        },
        Worker::submit,
        Worker::tick,
        Worker::park,
        Worker::unpark,
    ];
    for choice in 0..calls.len().pow(CALLS) {
        let clock = Hand::default();
        let registry = registry(&clock);
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry, 0).unwrap();
        for place in 0..CALLS {
            calls[choice / calls.len().pow(place) % calls.len()](&worker);
            clock.advance(1);
            let snapshot = metrics.snapshot();
            let total = snapshot.total();
            for reading in [total.poll_time().unwrap(), total.schedule_latency().unwrap()] {
                assert!(
                    reading.samples() <= reading.polls(),
                    "choice {choice}, call {place}"
                );
            }
        }
        drop(worker);
        let snapshot = metrics.snapshot();
        let total = snapshot.total();
        let latencies = total.schedule_latency().unwrap();
        assert_eq!(latencies.samples(), latencies.polls(), "no count is lost");
    }
}

#[test]
fn a_released_slot_goes_on_from_its_totals() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    for round in 1..=3 {
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        poll(&worker, &clock, 100);
        drop(worker);
        assert_eq!(metrics.worker_poll_count(0).unwrap(), Some(round));
        let snapshot = metrics.snapshot();
        let worker = snapshot.worker(0).unwrap();
        assert_eq!(worker.poll_time().unwrap().histogram().sum(), 100 * round);
        assert_eq!(worker.state(), Some(WorkerState::Idle));
    }
}

#[test]
fn two_threads_may_answer_to_one_index() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let first = Worker::lease(registry.clone(), 0).unwrap();
    let second = Worker::lease(registry, 0).unwrap();
    poll(&first, &clock, 100);
    poll(&second, &clock, 300);
    drop(first);
    second.submit();
    assert_eq!(metrics.worker_poll_count(0).unwrap(), Some(2));
    let snapshot = metrics.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.poll_time().unwrap().histogram().sum(), 400);
    assert_eq!(worker.poll_time().unwrap().polls(), 2);
}

#[test]
fn a_slot_that_only_parked_is_part_of_its_worker() {
    let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let first = Worker::lease(registry.clone(), 0).unwrap();
    let second = Worker::lease(registry, 0).unwrap();
    first.park();
    second.park();
    assert_eq!(metrics.snapshot().worker(0).unwrap().park_count(), Some(2));
    assert_eq!(metrics.worker_park_count(0).unwrap(), Some(2));
}

#[test]
fn a_lease_out_of_range_is_an_error() {
    let clock = Hand::default();
    assert!(matches!(
        Worker::lease(registry(&clock), usize::MAX),
        Err(LeaseError::WorkerIndex { .. })
    ));
}

#[test]
fn dynamic_pools_reuse_the_slots_of_threads_that_ended() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let a = Worker::lease_any(registry.clone()).unwrap();
    let b = Worker::lease_any(registry.clone()).unwrap();
    let c = Worker::lease_any(registry.clone()).unwrap();
    assert_eq!([a.index(), b.index(), c.index()], [0, 1, 2]);
    drop(b);
    assert_eq!(Worker::lease_any(registry).unwrap().index(), 1);
}

#[test]
fn a_switch_is_latched_between_polls_and_keeps_earlier_samples() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_poll(PollStart::default());
    registry.switches().set_poll_time(Sampling::Off);
    worker.submit();
    clock.advance(5);
    worker.end_poll();
    poll(&worker, &clock, 5);
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let reading = total.poll_time().unwrap();
    assert_eq!(
        (reading.samples(), reading.polls(), reading.sampling()),
        (1, 2, Sampling::Off)
    );

    registry
        .switches()
        .set_poll_time(Sampling::OneIn(4.try_into().unwrap()));
    worker.submit();
    for _ in 0..800 {
        poll(&worker, &clock, 5);
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let reading = total.poll_time().unwrap();
    assert_eq!(reading.polls(), 802);
    assert!((150..=250).contains(&reading.samples()), "{}", reading.samples());
}

#[test]
fn switched_off_a_busy_worker_still_submits() {
    let clock = Hand::default();
    let registry = registry(&clock);
    registry.switches().set_poll_time(Sampling::Off);
    registry.switches().set_schedule_latency(Sampling::Off);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for _ in 0..64 {
        poll(&worker, &clock, 10);
    }
    assert_eq!(metrics.poll_count().unwrap(), Some(64));
    assert_eq!(
        metrics.busy_duration_total().unwrap(),
        Some(Duration::from_nanos(640))
    );
}

#[test]
fn tasks_are_visible_at_once_and_alive_is_spawned_minus_ended() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    for _ in 0..5 {
        worker.task_spawned();
    }
    registry.shared().task_spawned();
    registry.shared().task_ended(TaskEnd::Panicked);
    worker.task_ended(TaskEnd::Completed);
    worker.task_ended(TaskEnd::Cancelled);
    let tasks = metrics.tasks().unwrap();
    assert_eq!(
        (tasks.spawned, tasks.completed, tasks.cancelled, tasks.panicked),
        (6, 1, 1, 1)
    );
    assert_eq!(metrics.num_alive_tasks(), Some(3));
}

#[test]
fn an_interval_has_only_its_own_events() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 1_000);
    worker.end_processing_scheduled_tasks();
    worker.park();
    let before = metrics.snapshot();
    clock.advance(500);
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 4_000);
    worker.start_poll(PollStart::default());
    clock.advance(500);
    let after = metrics.snapshot();
    assert_eq!(
        after.worker(0).unwrap().busy_in_progress(),
        Some(Duration::from_nanos(4_500))
    );

    let interval = after.since(&before).unwrap();
    assert_eq!(interval.wall(), Some(Duration::from_micros(5)));
    let zero = interval.worker(0).unwrap();
    assert_eq!(zero.poll_count(), Some(0), "the batch is not submitted yet");
    assert_eq!(
        zero.utilization(),
        Some(0.9),
        "and still the time in progress is seen"
    );
    worker.end_poll();
    worker.park();
    let later = metrics.snapshot();
    let interval = later.since(&before).unwrap();
    let zero = interval.worker(0).unwrap();
    assert_eq!((zero.poll_count(), zero.park_count()), (Some(2), Some(1)));
    assert_eq!(zero.poll_time().unwrap().sum(), 4_500);
    assert_eq!(before.since(&later).unwrap_err(), SinceError::NotEarlier);

    let other = RuntimeMetrics::new(
        Builder::new()
            .measures(MetricSet::ALL)
            .epoch(99)
            .build(clock)
            .unwrap(),
    )
    .snapshot();
    assert_eq!(later.since(&other).unwrap_err(), SinceError::OtherEpoch);
}

#[test]
fn a_refreshed_snapshot_equals_a_fresh_one() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let workers: Vec<_> = (0..2)
        .map(|i| Worker::lease(registry.clone(), i).unwrap())
        .collect();
    for round in 0..50_u64 {
        let worker = &workers[usize::from(round % 3 == 0)];
        poll(worker, &clock, round * round * 100);
        worker.submit();
        let refreshed = reader.read();
        let fresh = metrics.snapshot();
        for (a, b) in refreshed.workers().iter().zip(fresh.workers()) {
            for &counter in WorkerNumber::ALL {
                assert_eq!(a.counter(counter), b.counter(counter));
            }
            assert_eq!(
                a.poll_time().map(|r| r.histogram().clone()),
                b.poll_time().map(|r| r.histogram().clone())
            );
        }
        let (a, b) = (refreshed.total(), fresh.total());
        assert_eq!(
            a.poll_time().unwrap().histogram(),
            b.poll_time().unwrap().histogram()
        );
        assert_eq!(a.poll_time().unwrap().samples(), round + 1);
        assert_eq!(a.mean_poll_time(), b.mean_poll_time());
    }
}

#[test]
fn every_bucket_of_a_wide_layout_is_submitted() {
    // More buckets than a word has bits for their chunks, and not a multiple of the chunk size.
    let clock = Hand::default();
    let layout = HistogramConfig::linear(1_000, 1_333).unwrap();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(layout)
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for round in 1..=2 {
        for bucket in 0..layout.num_buckets() as u64 {
            poll(&worker, &clock, bucket * 1_000);
        }
        worker.submit();
        let snapshot = metrics.snapshot();
        let total = snapshot.total();
        let histogram = total.poll_time().unwrap().histogram();
        assert!(
            histogram.buckets().iter().all(|&count| count == round),
            "round {round}"
        );
    }
}

#[test]
fn debug_of_a_snapshot_shows_measured_values_without_buckets() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 1).unwrap();
    let before = metrics.snapshot();
    for nanos in 1..=100 {
        poll(&worker, &clock, nanos * 1_000);
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let text = format!("{snapshot:?}");
    assert!(text.len() < 1_000, "{text}");
    for part in [
        "name: \"main\"",
        "workers: {1: searching, 100 polls}",
        "poll_count: 100",
        "count: 100, sum: 5050000, min: 1000, p50: ",
        "max: 100000",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let interval = snapshot.since(&before).unwrap();
    let text = format!("{:?}", interval.total());
    assert!(text.len() < 1_000 && text.contains("p99: "), "{text}");

    let unmeasured =
        RuntimeMetrics::new(Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap()).snapshot();
    let text = format!("{unmeasured:?}");
    assert!(!text.contains("uptime") && !text.contains("poll_time"), "{text}");
}

#[test]
fn every_poll_start_and_change_of_state_is_a_transition() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let transition = || metrics.live(0).unwrap().transition;
    let mut seen = vec![transition()];
    worker.start_processing_scheduled_tasks();
    seen.push(transition());
    for _ in 0..2 {
        worker.start_poll(PollStart::default());
        seen.push(transition());
        worker.end_poll();
        assert_eq!(seen.last(), Some(&transition()), "the end belongs to its poll");
    }
    worker.inc_root_polls();
    seen.push(transition());
    worker.end_processing_scheduled_tasks();
    seen.push(transition());
    for _ in 0..2 {
        worker.park();
        seen.push(transition());
        worker.unpark();
        seen.push(transition());
    }
    let different: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len());
}

/// The state after an untimed poll has no time of its own: the time of an earlier state would overstate its age.
#[test]
fn the_end_of_an_untimed_poll_has_no_age() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.unpark();
    clock.advance(1_000);
    worker.start_poll(PollStart::default());
    assert_eq!(metrics.live(0).unwrap().since, None);
    worker.end_poll();
    let live = metrics.live(0).unwrap();
    assert_eq!((live.state, live.since), (WorkerState::Searching, None));
}

/// The next lease of a slot continues from the last one: only the very first park has no park before it.
#[test]
fn a_park_without_a_poll_is_a_noop_across_leases() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    for leases in 1..=5 {
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        worker.park();
        worker.unpark();
        drop(worker);
        assert_eq!(metrics.worker_noop_count(0).unwrap(), Some(leases - 1));
    }
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    poll(&worker, &clock, 1);
    drop(worker);
    let worker = Worker::lease(registry, 0).unwrap();
    worker.park();
    assert_eq!(
        metrics.worker_noop_count(0).unwrap(),
        Some(4),
        "a lease before polled since its park"
    );
}

#[test]
fn hooks_return_the_recorded_durations() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    let scheduled_at = Some(worker.now());
    clock.advance(30);
    let latency = worker.start_poll(PollStart {
        scheduled_at,
        ..PollStart::default()
    });
    assert_eq!(latency.duration(), Some(Duration::from_nanos(30)));
    clock.advance(200);
    assert_eq!(worker.end_poll().nanos(), Some(200));
    assert_eq!(worker.end_poll().nanos(), None, "no poll is open");
    assert_eq!(worker.start_poll(PollStart::default()).nanos(), None);
    clock.step_back(10);
    assert_eq!(worker.end_poll().nanos(), None, "the clock stepped back");

    registry.switches().set_poll_time(Sampling::Off);
    registry.switches().set_schedule_latency(Sampling::Off);
    worker.submit();
    assert_eq!(worker.start_poll(PollStart::default()).nanos(), None);
    assert_eq!(worker.end_poll().nanos(), None, "nothing is measured");
}
