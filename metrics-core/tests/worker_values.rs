//! What a worker and its getters return besides counters.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::{Hand, Shared, poll, registry};
use core::fmt;
use core::time::Duration;
use metrics_core::{
    LocationId, PollStart, Probe, RuntimeMetrics, Sampling, Timestamp, Worker, WorkerNumber, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn busy_states_are_those_that_run_tasks() {
    let busy: Vec<_> = WorkerState::ALL
        .into_iter()
        .filter(|state| state.is_busy())
        .collect();
    assert_eq!(busy, [WorkerState::Running, WorkerState::Polling]);
}

#[test]
fn a_worker_has_the_thread_that_it_submitted() {
    let registry = registry(&Hand::default());
    let metrics = RuntimeMetrics::new(registry.clone());
    let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
    let threads = || [0, 1, 2].map(|index| metrics.worker_thread(index));
    workers[1].set_thread(41);
    assert_eq!(threads(), [None; 3]);
    workers[1].submit();
    assert_eq!(threads(), [None, Some(41), None]);
    drop(workers);
    assert_eq!(threads(), [None; 3], "no thread runs them");
}

#[test]
fn a_worker_debugs_as_its_index() {
    let worker = Worker::lease(registry(&Hand::default()), 1).unwrap();
    assert_eq!(format!("{worker:?}"), "Worker { index: 1, .. }");
}

#[test]
fn the_last_poll_has_an_end_until_the_next_poll() {
    let clock = Hand::default();
    let worker = Worker::lease(registry(&clock), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    assert_eq!(worker.last_poll_end(), None);
    clock.advance(1_000);
    poll(&worker, &clock, 300);
    clock.advance(50);
    assert_eq!(worker.last_poll_end(), Some(Timestamp::from_ticks(1_300)));
    worker.start_poll(PollStart::default());
    assert_eq!(worker.last_poll_end(), None);
}

type Hook = fn(&Worker<Shared>);

#[test]
fn no_poll_is_the_last_one_after_the_worker_has_left_its_tasks() {
    let leave: [(&str, Hook); 3] = [
        ("end processing", |worker| worker.end_processing_scheduled_tasks()),
        ("park", |worker| worker.park()),
        ("unpark", |worker| worker.unpark()),
    ];
    for (hook, leave) in leave {
        let clock = Hand::default();
        let worker = Worker::lease(registry(&clock), 0).unwrap();
        worker.start_processing_scheduled_tasks();
        poll(&worker, &clock, 300);
        assert_eq!(worker.last_poll(), Some(300));
        leave(&worker);
        assert_eq!(
            (worker.last_poll(), worker.last_poll_end()),
            (None, None),
            "{hook}"
        );
    }
}

/// With schedule latency off, or with everything off, a poll starts on a path of its own.
#[test]
fn no_poll_is_the_last_one_once_another_has_started() {
    for poll_time in [Sampling::Every, Sampling::Off] {
        let clock = Hand::default();
        let registry = registry(&clock);
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        worker.start_processing_scheduled_tasks();
        registry.switches().set_poll_time(poll_time);
        registry.switches().set_schedule_latency(Sampling::Off);
        // The submit interval has passed at the end, so the worker latches the switches.
        poll(&worker, &clock, 2_000_000);
        assert_eq!(worker.last_poll(), Some(2_000_000));
        worker.start_poll(PollStart::default());
        assert_eq!((worker.last_poll(), worker.last_poll_end()), (None, None));
        clock.advance(10);
        worker.end_poll();
        let measured = (poll_time == Sampling::Every).then_some(10);
        assert_eq!(worker.last_poll(), measured);
    }
}

#[test]
fn polls_alone_are_not_busy_time() {
    for latency in [Sampling::Every, Sampling::Off] {
        let clock = Hand::default();
        let registry = registry(&clock);
        registry.switches().set_schedule_latency(latency);
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry, 0).unwrap();
        clock.advance(1_000);
        worker.submit();
        poll(&worker, &clock, 10);
        assert_eq!(metrics.worker_poll_count(0), Ok(Some(0)), "nothing is due");
        worker.submit();
        assert_eq!(metrics.worker_poll_count(0), Ok(Some(1)));
        assert_eq!(metrics.worker_total_busy_duration(0), Ok(Some(Duration::ZERO)));
    }
}

#[test]
fn the_submit_interval_begins_with_a_submit_before_the_first_poll() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    clock.advance(1_000_000_000);
    worker.start_processing_scheduled_tasks();
    worker.submit();
    poll(&worker, &clock, 10);
    assert_eq!(metrics.worker_poll_count(0), Ok(Some(0)));
    poll(&worker, &clock, 1_000_000);
    assert_eq!(metrics.worker_poll_count(0), Ok(Some(2)));
}

#[test]
fn the_age_of_a_state_goes_on_without_a_submit() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    clock.advance(1_000);
    worker.start_poll(PollStart::default());
    clock.advance(70);
    let live = metrics.live(0).unwrap();
    let age = |now| live.age(Timestamp::from_ticks(now), registry.scale());
    assert_eq!(age(1_070), Some(Duration::from_nanos(70)));
    assert_eq!(age(999), Some(Duration::ZERO), "clocks of two cores may disagree");
    clock.advance(1_000_000_000);
    worker.end_poll();
    worker.park();
    assert_eq!(
        metrics
            .live(0)
            .unwrap()
            .age(Timestamp::from_ticks(0), registry.scale()),
        None,
        "the clock stepped back"
    );
}

#[test]
fn a_poll_recorded_afterwards_waits_for_a_submit() {
    let registry = registry(&Hand::default());
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for _ in 0..3 {
        worker.record_poll(
            PollStart::default(),
            Timestamp::from_ticks(10),
            Timestamp::from_ticks(20),
        );
        assert_eq!(metrics.worker_poll_count(0), Ok(Some(0)));
    }
    worker.submit();
    assert_eq!(metrics.worker_poll_count(0), Ok(Some(3)));
}

/// The 128th sample of one bucket requests a submit, from the schedule latency at the start of a poll, and from the
/// poll time, or the number of untimed polls, at its end.
#[test]
fn two_requests_at_the_end_of_one_poll_submit() {
    for poll_time in [Sampling::Every, Sampling::Off] {
        let clock = Hand::default();
        let registry = registry(&clock);
        registry.switches().set_poll_time(poll_time);
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry, 0).unwrap();
        worker.submit();
        for _ in 0..128 {
            let scheduled_at = Some(worker.now());
            worker.start_poll(PollStart {
                scheduled_at,
                ..PollStart::default()
            });
            worker.end_poll();
        }
        assert_eq!(metrics.worker_poll_count(0), Ok(Some(128)), "{poll_time:?}");
    }
}

#[test]
fn an_external_thread_has_no_busy_time_in_progress() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let outside = Worker::lease_external(registry).unwrap();
    outside.start_processing_scheduled_tasks();
    clock.advance(40);
    assert_eq!(metrics.busy_duration_total(), Ok(Some(Duration::ZERO)));
    assert_eq!(
        metrics.snapshot().total().busy_duration_total(),
        Some(Duration::ZERO)
    );
}

#[derive(Clone)]
struct Names;

impl Probe for Names {
    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "main.rs:{}", spawn_location.as_u32())
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "thread {thread}")
    }
}

#[test]
fn a_reader_keeps_no_text_of_its_last_snapshot() {
    let registry = registry(&Hand::default());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    let metrics = RuntimeMetrics::with_probe(registry, Names);
    let mut reader = metrics.reader();
    for number in [7, 8] {
        worker.set_thread(number);
        worker.submit();
        worker.start_poll(PollStart {
            spawn_location: LocationId::from_u32(number as u32),
            ..PollStart::default()
        });
        let snapshot = reader.read();
        let row = snapshot.worker(0).unwrap();
        assert_eq!(row.spawn_location_name(), format!("main.rs:{number}"));
        assert_eq!(row.thread_name(), format!("thread {number}"));
        worker.end_poll();
    }
}

#[test]
fn a_thread_that_left_its_worker_has_no_last_poll() {
    let clock = Hand::default();
    let worker = Worker::lease(registry(&clock), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    poll(&worker, &clock, 300);
    worker.end_busy_at_last_timestamp();
    assert_eq!((worker.last_poll(), worker.last_poll_end()), (None, None));
}

#[test]
fn a_thread_that_left_a_worker_at_rest_does_not_change_its_state() {
    let registry = registry(&Hand::default());
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.park();
    worker.end_busy_at_last_timestamp();
    assert_eq!(metrics.live(0).unwrap().state, WorkerState::Parked);
}

/// Its last poll was not measured, so its end is not known.
#[test]
fn a_thread_that_left_its_worker_after_an_untimed_poll_left_at_an_unknown_time() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    registry.switches().set_poll_time(Sampling::Off);
    registry.switches().set_schedule_latency(Sampling::Off);
    // The submit interval has passed at the end, so the worker latches the switches.
    poll(&worker, &clock, 2_000_000);
    poll(&worker, &clock, 500);
    worker.end_busy_at_last_timestamp();
    let live = metrics.live(0).unwrap();
    assert_eq!((live.state, live.since), (WorkerState::Searching, None));
}

#[test]
fn the_state_after_the_poll_of_a_root_is_that_before_it() {
    let registry = registry(&Hand::default());
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let after = || {
        worker.start_root_poll(LocationId::from_u32(1));
        assert_eq!(metrics.live(0).unwrap().state, WorkerState::Polling);
        worker.end_root_poll();
        metrics.live(0).unwrap().state
    };
    assert_eq!(after(), WorkerState::Searching);
    worker.start_processing_scheduled_tasks();
    assert_eq!(after(), WorkerState::Running);
}

#[test]
fn a_submit_moves_the_submitted_poll_of_the_live_thread() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let submitted = || {
        let thread = metrics.live_threads().next().unwrap();
        (thread.submitted, thread.is_submitted)
    };
    let before = submitted();
    poll(&worker, &clock, 10);
    assert_eq!(submitted(), (before.0, false));
    worker.submit();
    let (after, is_submitted) = submitted();
    assert!(after != before.0 && is_submitted);
    assert_eq!(after, metrics.live(0).unwrap().transition);
}

#[test]
fn a_worker_reads_its_own_unsubmitted_counts() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    poll(&worker, &clock, 1);
    worker.inc_steal_count(3);
    assert_eq!(worker.counter(WorkerNumber::PollCount), Some(1));
    assert_eq!(worker.counter(WorkerNumber::StealCount), Some(3));
    assert_eq!(worker.counter(WorkerNumber::LocalQueueDepth), None);
    assert_eq!(metrics.worker_steal_count(0), Ok(Some(0)));
    drop(worker);
    let worker = Worker::lease(registry, 0).unwrap();
    assert_eq!(worker.counter(WorkerNumber::StealCount), Some(3), "the slot's");
}

#[test]
fn many_records_of_one_bucket_are_all_counted() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    for _ in 0..10_000 {
        // Without an end: each start records a latency in the same bucket.
        worker.start_poll(PollStart {
            scheduled_at: Some(worker.now()),
            spawn_location: LocationId::UNKNOWN,
        });
    }
    for _ in 0..10_000 {
        poll(&worker, &clock, 0);
    }
    for _ in 0..10_000 {
        // Polls recorded afterwards, without a submit.
        worker.record_poll(PollStart::default(), worker.now(), worker.now());
    }
    for n in 1..=10_000 {
        // The latencies fill one bucket, the poll times do not.
        let start = PollStart {
            scheduled_at: Some(worker.now()),
            spawn_location: LocationId::UNKNOWN,
        };
        worker.record_poll(
            start,
            worker.now(),
            Timestamp::from_ticks(worker.now().ticks() + (n << 20)),
        );
    }
    worker.submit();
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.schedule_latency().unwrap().samples(), 20_000);
    assert_eq!(total.poll_time().unwrap().samples(), 30_000);
}
