//! The time of a worker in each state: exact, in progress too, and equal to the worker's lifetime in sum.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

mod common;

use common::states::{STATES, States, getters, known, of, of_interval, prompt};
use common::{Hand, Shared, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, GroupId, HeapStorage, HistogramConfig, LocationId, MetricSet, PollStart, Registry,
    RuntimeMetrics, Sampling, Snapshot, StaticRegistryConfig, StaticStorage, Worker, WorkerNumber,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A hook, and the state of the worker after it: its position in [`States`].
type Step<W> = (fn(&W), usize);

/// Hooks in the order in which a worker calls them. Its first is a search, and it polls in each busy period.
macro_rules! steps {
    () => {
        &[
            (|worker| worker.unpark(), 1),
            (|worker| worker.park(), 0),
            (|worker| worker.unpark(), 1),
            (|worker| worker.start_processing_scheduled_tasks(), 2),
            (
                |worker| {
                    worker.start_poll(PollStart::default());
                },
                3,
            ),
            (
                |worker| {
                    worker.end_poll();
                },
                2,
            ),
            (
                |worker| {
                    worker.start_poll(PollStart::default());
                },
                3,
            ),
            (
                |worker| {
                    worker.end_poll();
                },
                2,
            ),
            (|worker| worker.end_processing_scheduled_tasks(), 1),
            (|worker| worker.start_processing_scheduled_tasks(), 2),
            (
                |worker| {
                    worker.start_poll(PollStart::default());
                },
                3,
            ),
            (
                |worker| {
                    worker.end_poll();
                },
                2,
            ),
            // Without the end of its busy period.
            (|worker| worker.park(), 0),
            (|worker| worker.unpark(), 1),
            (|worker| worker.end_processing_scheduled_tasks(), 1),
        ]
    };
}

#[test]
fn the_four_states_are_exact_and_sum_to_the_lifetime() {
    let clock = Hand::default();
    clock.advance(1_000);
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    let steps: &[Step<Worker<Shared>>] = steps!();
    let mut expected = [0; 4];
    let mut length = 1_u64;
    for _ in 0..5 {
        for &(step, state) in steps {
            step(&worker);
            worker.submit();
            length *= 3;
            length %= 1_009;
            for passed in [length, 0, 7] {
                clock.advance(passed);
                expected[state] += passed;
                let snapshot = reader.read();
                assert_eq!(of(snapshot.worker(0).unwrap().measurements()), known(expected));
                assert_eq!(of(snapshot.total()), known(expected));
                assert_eq!(expected.iter().sum::<u64>(), clock.ticks() - 1_000);
                assert_eq!(of(metrics.snapshot().total()), known(expected));
                assert_eq!(getters(&metrics), known(expected));
            }
        }
    }
}

#[test]
fn the_states_of_a_worker_in_a_static_sum_to_its_lifetime() {
    const CONFIG: StaticRegistryConfig<1, 8> = match Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(match HistogramConfig::power_of_two(1, 8) {
            Ok(layout) => layout,
            Err(_) => panic!("a layout of 8 buckets"),
        })
        .describe(1_000_000_000, Duration::from_nanos(1))
    {
        Ok(config) => config,
        Err(_) => panic!("a histogram of 8 buckets fits"),
    };
    static METRICS: Registry<StaticStorage<1, 8>, common::TestClock> =
        Registry::new(&CONFIG, common::TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let clock = METRICS.clock();
    // The worker does nothing at first.
    clock.advance(5_000);
    let metrics = RuntimeMetrics::new(&METRICS);
    let mut snapshot = Snapshot::EMPTY;
    let mut expected = [0; 4];
    let steps: &[Step<metrics_core::StaticWorker<common::TestClock, 1, 8>>] = steps!();
    for round in 1..=5 {
        for &(step, state) in steps {
            worker.discard_last_timestamp();
            step(&worker);
            worker.discard_last_timestamp();
            clock.advance(round * 11);
            expected[state] += round * 11;
            metrics.snapshot_into(&mut snapshot);
            assert_eq!(of(snapshot.worker(0).unwrap().measurements()), known(expected));
            assert_eq!(of(snapshot.total()), known(expected));
            let getters = STATES.map(|number| metrics.worker_counter(0, number).unwrap());
            assert_eq!(getters, known(expected));
        }
    }
}

#[test]
fn polls_that_are_not_submitted_count_as_running_and_no_value_decreases() {
    let clock = Hand::default();
    let registry = registry(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let worker = Worker::lease(registry, 0).unwrap();
    worker.start_processing_scheduled_tasks();
    let mut last = known([0; 4]);
    // Shorter than the submit interval of a millisecond.
    for _ in 0..100 {
        poll(&worker, &clock, 30_000);
        let states = of(reader.read().worker(0).unwrap().measurements());
        assert!(
            states.iter().zip(&last).all(|(now, last)| now >= last),
            "{states:?} after {last:?}"
        );
        assert_eq!(states[2].unwrap() + states[3].unwrap(), clock.ticks());
        assert!(
            states[2] <= Some(1_020_000),
            "running does not grow further: {states:?}"
        );
        last = states;
    }
    worker.park();
    clock.advance(9);
    let states = of(reader.read().worker(0).unwrap().measurements());
    assert_eq!((states[0], states[1]), (Some(9), Some(0)));
    let fresh = of(metrics.snapshot().total());
    assert_eq!(
        fresh,
        known([9, 0, 0, 3_000_000]),
        "a reader without earlier values is exact"
    );
}

#[test]
fn a_clock_that_steps_back_decreases_no_state_and_loses_only_its_period() {
    let clock = Hand::default();
    clock.advance(1_000_000);
    let registry = prompt(&clock);
    let mut reader = RuntimeMetrics::new(registry.clone()).reader();
    let worker = Worker::lease(registry, 0).unwrap();
    let mut states = || of(reader.read().worker(0).unwrap().measurements());
    worker.park();
    clock.advance(100);
    assert_eq!(states(), known([100, 0, 0, 0]));
    clock.step_back(500);
    assert_eq!(states(), known([100, 0, 0, 0]), "the value that was read stays");
    worker.unpark();
    clock.advance(10);
    assert_eq!(states(), known([100, 10, 0, 0]));
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    clock.advance(20);
    worker.end_poll();
    clock.step_back(300);
    worker.discard_last_timestamp();
    worker.end_processing_scheduled_tasks();
    clock.advance(40);
    worker.park();
    clock.advance(150);
    assert_eq!(states(), known([150, 50, 0, 20]));
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    clock.step_back(300);
    worker.end_poll();
    worker.park();
    assert_eq!(
        states(),
        [Some(150), Some(50), None, None],
        "the duration of a poll is lost"
    );
}

#[test]
fn an_interval_has_the_states_of_its_own_time() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
    for worker in &workers {
        worker.park();
    }
    clock.advance(1_000);
    let before = metrics.snapshot();
    clock.advance(10);
    workers[0].unpark();
    clock.advance(20);
    workers[0].start_processing_scheduled_tasks();
    clock.advance(30);
    workers[0].discard_last_timestamp();
    workers[0].start_poll(PollStart::default());
    clock.advance(40);
    workers[0].submit();
    let interval = metrics.snapshot().since(&before).unwrap();
    assert_eq!(of_interval(interval.worker(0).unwrap()), known([10, 20, 30, 40]));
    assert_eq!(of_interval(interval.worker(1).unwrap()), known([100, 0, 0, 0]));
    assert_eq!(of_interval(interval.total()), known([110, 20, 30, 40]));

    let again = metrics.snapshot();
    let none = again.since(&again).unwrap();
    assert_eq!(of_interval(none.total()), known([0; 4]));
    let all = again.since_start();
    assert_eq!(of_interval(all.total()), known([2_110, 20, 30, 40]));
}

#[test]
fn time_in_polls_is_known_only_if_every_poll_is_measured() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let mut reader = metrics.reader();
    let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
    let mut check = |expected: [States; 2], total: States| {
        let snapshot = reader.read();
        assert_eq!(
            [0, 1].map(|index| of(snapshot.worker(index).unwrap().measurements())),
            expected
        );
        assert_eq!(of(snapshot.total()), total);
        assert_eq!(getters(&metrics), expected[0]);
        assert_eq!(STATES.map(|number| metrics.counter(number).unwrap()), total);
    };
    for worker in &workers {
        worker.start_processing_scheduled_tasks();
        poll(worker, &clock, 10);
        worker.park();
    }
    clock.advance(5);
    check(
        [known([15, 0, 0, 10]), known([5, 0, 0, 10])],
        known([20, 0, 0, 20]),
    );

    registry.switches().set_poll_time(Sampling::Off);
    let parked = |nanos| [Some(nanos), Some(0), None, None];
    check([parked(15), parked(5)], parked(20));
    workers[0].unpark();
    workers[0].start_processing_scheduled_tasks();
    poll(&workers[0], &clock, 10);
    workers[0].park();
    registry.switches().set_poll_time(Sampling::Every);
    check([parked(15), known([15, 0, 0, 10])], parked(30));
}

#[test]
fn polls_that_poll_count_does_not_count_are_running_time() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    let states = || of(metrics.snapshot().total());
    worker.start_processing_scheduled_tasks();
    worker.start_root_poll(LocationId::from_u32(7));
    clock.advance(10);
    assert_eq!(states(), known([0, 0, 10, 0]));
    worker.end_root_poll();
    let group = worker.start_group_poll(GroupId::from_location(LocationId::from_u32(8)));
    clock.advance(10);
    assert_eq!(states(), known([0, 0, 20, 0]));
    drop(group);
    // Outside a busy period.
    worker.end_processing_scheduled_tasks();
    worker.submit();
    clock.advance(1);
    worker.start_root_poll(LocationId::from_u32(7));
    clock.advance(10);
    assert_eq!(states(), known([0, 11, 20, 0]));
    worker.end_root_poll();
    worker.park();
    assert_eq!(states(), known([0, 11, 20, 0]));
}

#[test]
fn a_worker_without_a_thread_is_in_no_state() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let metrics = RuntimeMetrics::new(registry.clone());
    let states = || of(metrics.snapshot().worker(0).unwrap().measurements());
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    clock.advance(100);
    assert_eq!(states(), known([0; 4]), "the first hook starts the lifetime");
    worker.unpark();
    clock.advance(3);
    worker.idle();
    clock.advance(100);
    assert_eq!(states(), known([0, 3, 0, 0]));
    worker.park();
    clock.advance(5);
    drop(worker);
    clock.advance(100);
    assert_eq!(states(), known([5, 3, 0, 0]));
    let next = Worker::lease(registry, 0).unwrap();
    next.start_processing_scheduled_tasks();
    clock.advance(7);
    assert_eq!(states(), known([5, 3, 7, 0]));
}

#[test]
fn states_that_a_host_does_not_measure_are_none() {
    let clock = Hand::default();
    let registry = Builder::new()
        .measures(MetricSet::worker(&[
            WorkerNumber::PollCount,
            WorkerNumber::ParkedDurationTotal,
        ]))
        .workers(1)
        .build(clock.clone())
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).unwrap();
    worker.park();
    clock.advance(5);
    let snapshot = metrics.snapshot();
    let parked = [Some(5), None, None, None];
    assert_eq!(of(snapshot.total()), parked);
    assert_eq!(getters(&metrics), parked);
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(of(worker.measurements()), parked);
    assert_eq!(
        (worker.busy_duration_total(), worker.busy_in_progress()),
        (None, None)
    );
}

#[cfg(feature = "serde")]
#[test]
fn the_states_survive_serialisation_and_a_merge() {
    let clock = Hand::default();
    let registry = prompt(&clock);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.park();
    clock.advance(1);
    worker.unpark();
    clock.advance(2);
    worker.start_processing_scheduled_tasks();
    clock.advance(4);
    worker.discard_last_timestamp();
    poll(&worker, &clock, 8);
    worker.submit();
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let json = serde_json::to_string(&snapshot).unwrap();
    let decoded: Snapshot<HeapStorage> = serde_json::from_str(&json).unwrap();
    assert_eq!(of(decoded.total()), known([1, 2, 4, 8]));
    assert_eq!(of(decoded.worker(0).unwrap().measurements()), known([1, 2, 4, 8]));
    let mut merged = snapshot;
    merged.merge(&decoded).unwrap();
    assert_eq!(of(merged.total()), known([2, 4, 8, 16]));
}
