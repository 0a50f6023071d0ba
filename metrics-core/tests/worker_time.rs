//! Busy time and poll times: each time counts once, a poll includes only its own time, and no duration is too long.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, Shared, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, LocationId, MetricSet, PollStart, RuntimeMetrics, TaskEnd, Timestamp, Worker,
    WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn busy_time_counts_once_however_often_it_is_submitted() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for round in 1..=4 {
        poll(&worker, &clock, 100);
        worker.tick();
        worker.tick();
        let settled = Some(Duration::from_nanos(100 * round));
        assert_eq!(metrics.busy_duration_total().unwrap(), settled);
        assert_eq!(
            metrics.snapshot().worker(0).unwrap().busy_in_progress(),
            Some(Duration::ZERO),
            "completed busy time is not in progress"
        );
    }
    worker.end_processing_scheduled_tasks();
    worker.park();
    assert_eq!(
        metrics.busy_duration_total().unwrap(),
        Some(Duration::from_nanos(400))
    );
}

/// A current-thread runtime between two calls of `block_on`.
#[test]
fn an_idle_worker_has_no_thread_and_is_not_busy() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for round in 1..=3 {
        worker.set_thread(round);
        worker.start_processing_scheduled_tasks();
        poll(&worker, &clock, 100);
        worker.idle();
        clock.advance(1_000_000);
        let busy = Some(Duration::from_nanos(100 * round));
        assert_eq!(metrics.busy_duration_total().unwrap(), busy);
        let snapshot = metrics.snapshot();
        let idle = snapshot.worker(0).unwrap();
        assert_eq!(idle.state(), Some(WorkerState::Idle));
        assert_eq!(idle.state_for(), Some(Duration::from_millis(1)));
        assert_eq!((idle.thread(), idle.poll_count()), (None, Some(round)));
        assert_eq!(idle.busy_duration_total(), busy);
    }
}

#[test]
fn the_getter_of_busy_time_includes_the_period_in_progress() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let workers = [(); 2].map(|()| Worker::lease(registry.clone(), 0).unwrap());
    let agree = |busy| {
        let busy = Some(Duration::from_nanos(busy));
        assert_eq!(metrics.worker_total_busy_duration(0), Ok(busy));
        assert_eq!(metrics.busy_duration_total(), Ok(busy));
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.worker(0).unwrap().busy_duration_total(), busy);
        assert_eq!(snapshot.total().busy_duration_total(), busy);
    };
    agree(0);
    workers[0].start_processing_scheduled_tasks();
    clock.advance(70);
    agree(70);
    workers[0].start_poll(PollStart::default());
    clock.advance(30);
    agree(100);
    workers[0].submit();
    clock.advance(5);
    agree(105);
    // The second thread takes the worker: the first one is busy until its poll ends.
    workers[1].start_processing_scheduled_tasks();
    clock.advance(10);
    agree(125);
    workers[0].end_poll();
    workers[0].submit();
    clock.advance(10);
    agree(135);
    workers[1].park();
    clock.advance(1_000);
    workers[1].unpark();
    agree(135);
}

#[test]
fn the_getter_of_the_mean_weighs_the_threads_of_a_worker_by_their_polls() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let workers = [(); 2].map(|()| Worker::lease(registry.clone(), 0).unwrap());
    for (worker, polls, duration) in [(&workers[0], 3, 100), (&workers[1], 1, 500)] {
        for _ in 0..polls {
            poll(worker, &clock, duration);
        }
        worker.submit();
    }
    let mean = Some(Duration::from_nanos(200));
    assert_eq!(metrics.snapshot().worker(0).unwrap().mean_poll_time(), mean);
    assert_eq!(metrics.worker_mean_poll_time(0), Ok(mean));
}

#[test]
fn time_while_parked_is_not_busy() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    // A runtime may block without a report that it ran out of tasks.
    for round in 1..=3 {
        worker.start_processing_scheduled_tasks();
        poll(&worker, &clock, 100);
        worker.park();
        clock.advance(1_000_000);
        worker.unpark();
        assert_eq!(
            metrics.busy_duration_total().unwrap(),
            Some(Duration::from_nanos(100 * round))
        );
    }
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().unwrap().histogram().sum(), 300);
}

#[test]
fn work_between_two_polls_is_in_neither() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 10);
    clock.advance(3);
    // No hook was called: the three nanoseconds belong to the second poll.
    poll(&worker, &clock, 10);
    clock.advance(500);
    worker.discard_last_timestamp();
    poll(&worker, &clock, 10);
    clock.advance(500);
    worker.inc_steal_count(1);
    poll(&worker, &clock, 10);
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let poll_time = total.poll_time().unwrap().histogram();
    assert_eq!((poll_time.count(), poll_time.sum()), (4, 43));
    assert_eq!(
        metrics.worker_total_busy_duration(0).unwrap(),
        Some(Duration::from_nanos(1_043))
    );
}

type Hook = fn(&Worker<Shared>);

/// The hooks that a scheduler may call between two polls.
const BETWEEN: &[(&str, Hook)] = &[
    ("discard_last_timestamp", |worker| worker.discard_last_timestamp()),
    ("root poll", |worker| worker.inc_root_polls()),
    ("nested poll", |worker| worker.inc_nested_polls()),
    ("local schedule", |worker| worker.inc_local_schedule_count()),
    ("steal count", |worker| worker.inc_steal_count(1)),
    ("steal operations", |worker| worker.inc_steal_operations()),
    ("overflow", |worker| worker.inc_overflow_count(1)),
    ("forced yield", |worker| worker.inc_budget_forced_yield_count()),
    ("task spawned", |worker| worker.task_spawned()),
    ("task ended", |worker| worker.task_ended(TaskEnd::Completed)),
    ("tick", |worker| worker.tick()),
    ("submit", |worker| worker.submit()),
    ("external poll", |worker| {
        worker.record_poll(PollStart::default(), worker.now(), worker.now());
    }),
    ("start processing", |worker| {
        worker.start_processing_scheduled_tasks();
    }),
    ("end processing twice", |worker| {
        worker.end_processing_scheduled_tasks();
        worker.end_processing_scheduled_tasks();
    }),
    ("end and start processing", |worker| {
        worker.end_processing_scheduled_tasks();
        worker.start_processing_scheduled_tasks();
    }),
    ("park", |worker| {
        worker.park();
        worker.unpark();
        worker.start_processing_scheduled_tasks();
    }),
];

#[test]
fn every_hook_between_two_polls_makes_the_second_read_the_clock() {
    for (hook, between) in BETWEEN {
        let clock = Hand::default();
        let registry = registry(&clock);
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry, 0).unwrap();
        worker.start_processing_scheduled_tasks();
        poll(&worker, &clock, 10);
        between(&worker);
        let scheduled_at = Some(worker.now());
        clock.advance(20_000_000);
        worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        clock.advance(10);
        worker.end_poll();
        worker.submit();
        let snapshot = metrics.snapshot();
        let total = snapshot.total();
        let (poll_time, latency) = (total.poll_time().unwrap(), total.schedule_latency().unwrap());
        assert_eq!(poll_time.histogram().sum(), 20, "{hook}");
        assert_eq!(latency.histogram().sum(), 20_000_000, "{hook}");
    }
}

#[test]
fn the_first_poll_of_a_batch_reads_the_clock() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(2_000);
    poll(&worker, &clock, 240);
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().unwrap().histogram().sum(), 240);
    assert_eq!(total.busy_duration_total(), Some(Duration::from_nanos(2_240)));
}

/// The worker's thread waits for a processor between two polls, and another thread wakes the task meanwhile.
#[test]
fn a_task_that_was_woken_after_the_last_poll_did_not_start_at_its_end() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 100);
    clock.advance(4_000_000);
    let woken = Timestamp::from_ticks(clock.ticks());
    clock.advance(1_000);
    let started = worker.start_poll(PollStart {
        scheduled_at: Some(woken),
        ..PollStart::default()
    });
    assert_eq!(started.nanos(), Some(1_000));
    clock.advance(50);
    assert_eq!(
        worker.end_poll().nanos(),
        Some(50),
        "without the time before the wake"
    );
    assert_eq!(worker.clock_steps(), 0);
}

#[test]
fn a_batch_of_polls_reads_the_clock_once_per_poll_and_twice_more() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for polls in [1, 4, 16] {
        let busy = metrics.busy_duration_total().unwrap().unwrap();
        let before = clock.readings();
        worker.start_processing_scheduled_tasks();
        for _ in 0..polls {
            poll(&worker, &clock, 100);
        }
        // The end of the last poll is the end of processing.
        worker.end_processing_scheduled_tasks();
        assert_eq!(clock.readings() - before, 2 + polls);
        worker.submit();
        let busy = metrics
            .busy_duration_total()
            .unwrap()
            .unwrap()
            .checked_sub(busy)
            .unwrap();
        assert_eq!(busy, Duration::from_nanos(100 * polls));
    }
}

#[test]
fn no_duration_is_too_long_and_no_sum_comes_round() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let at = Timestamp::from_ticks;
    let start = PollStart {
        scheduled_at: Some(at(0)),
        spawn_location: LocationId::UNKNOWN,
    };
    for _ in 0..3 {
        worker.record_poll(start, at(u64::MAX - 1), at(u64::MAX));
        worker.record_poll(start, at(0), at(u64::MAX));
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let (poll_time, latency) = (total.poll_time().unwrap(), total.schedule_latency().unwrap());
    assert_eq!((poll_time.samples(), latency.samples()), (6, 6));
    assert_eq!(poll_time.histogram().sum(), u64::MAX);
    assert_eq!(latency.histogram().sum(), u64::MAX);
    assert_eq!(poll_time.histogram().max(), Some(u64::MAX));
    assert_eq!(poll_time.histogram().min(), Some(1));
}

/// If the clock steps back, the durations across the step are not known: the poll is counted, and its duration is not
/// recorded.
#[test]
fn a_poll_over_a_clock_step_has_no_duration() {
    let clock = Hand::default();
    clock.advance(7_200_000_000_000);
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 100);
    worker.submit();

    worker.start_poll(PollStart::default());
    clock.step_back(3_600_000_000_000);
    clock.advance(10_000_000_000);
    worker.end_poll();
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let poll_time = total.poll_time().unwrap();
    assert_eq!(total.poll_count(), Some(2));
    assert_eq!((poll_time.samples(), poll_time.histogram().min()), (1, Some(100)));
    assert_eq!(total.mean_poll_time(), Some(Duration::from_nanos(100)));
    assert_eq!(worker.clock_steps(), 1);
    assert_eq!(total.busy_duration_total(), Some(Duration::from_nanos(100)));

    // Everything that begins after the step is measured again, and busy time continues.
    clock.advance(50);
    poll(&worker, &clock, 30);
    let snapshot = metrics.snapshot();
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.busy_in_progress(), Some(Duration::from_nanos(80)));
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().unwrap().samples(), 2);
    assert_eq!(total.busy_duration_total(), Some(Duration::from_nanos(180)));
    assert_eq!(worker.clock_steps(), 1, "a step is counted once");
}

#[test]
fn a_state_that_began_before_a_clock_step_has_no_age() {
    let clock = Hand::default();
    clock.advance(7_200_000_000_000);
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    clock.advance(5);
    let age = || metrics.snapshot().worker(0).unwrap().state_for();
    assert_eq!(age(), Some(Duration::from_nanos(5)));
    clock.step_back(600_000_000_000);
    assert_eq!(age(), None);
}

#[test]
fn a_schedule_latency_over_a_clock_step_is_not_recorded() {
    let clock = Hand::default();
    clock.advance(10_000_000_000);
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    let scheduled_at = Some(worker.now());
    clock.step_back(5_000_000_000);
    worker.start_poll(PollStart {
        scheduled_at,
        ..PollStart::default()
    });
    clock.advance(10);
    worker.end_poll();
    worker.park();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.schedule_latency().unwrap().samples(), 0);
    assert_eq!(total.poll_time().unwrap().histogram().sum(), 10);
    // The latency, and the busy time that began before the step.
    assert_eq!(worker.clock_steps(), 2);
}

#[test]
fn a_poll_after_a_park_is_not_busy_since_before_the_park() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    clock.advance(1_000);
    worker.end_processing_scheduled_tasks();
    worker.park();
    reader.read();
    clock.advance(3_600_000);
    worker.unpark();
    worker.start_poll(PollStart::default());
    clock.advance(10);
    let snapshot = reader.read();
    assert_eq!(
        snapshot.worker(0).unwrap().busy_duration_total(),
        Some(Duration::from_micros(1)),
        "this worker does not report that it processes tasks, so nothing will settle the poll's time"
    );
}
