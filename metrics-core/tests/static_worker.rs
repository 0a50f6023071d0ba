//! What a worker in a `static` records, and what readers of its registry see.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, LocationId, MetricSet, PollStart, Probe, Registry, RuntimeMetrics, Sampling,
    Snapshot, StaticRegistryConfig, StaticStorage, WorkerState,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BUCKETS: usize = 8;
const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};

const fn config(name: &'static str) -> StaticRegistryConfig<1, BUCKETS> {
    let builder = Builder::new()
        .name(name)
        .measures(MetricSet::ALL)
        .poll_time(LAYOUT)
        .submit_interval(Duration::from_nanos(100));
    match builder.describe(1_000_000_000, Duration::from_nanos(1)) {
        Ok(config) => config,
        Err(_) => panic!("a histogram of 8 buckets fits"),
    }
}

const CONFIG: StaticRegistryConfig<1, BUCKETS> = config("first");
const OTHER: StaticRegistryConfig<1, BUCKETS> = config("second");

type Static = Registry<StaticStorage<1, BUCKETS>, TestClock>;

fn at(location: u32) -> PollStart {
    PollStart {
        spawn_location: LocationId::from_u32(location),
        ..PollStart::default()
    }
}

#[test]
fn each_hook_shows_its_state() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let metrics = RuntimeMetrics::new(&METRICS);
    let state = || metrics.live(0).unwrap().state;
    assert_eq!(state(), WorkerState::Idle);
    worker.park();
    assert_eq!(state(), WorkerState::Parked);
    worker.unpark();
    assert_eq!(state(), WorkerState::Searching);
    worker.start_processing_scheduled_tasks();
    assert_eq!(state(), WorkerState::Running);
    worker.start_poll(at(7));
    assert_eq!(state(), WorkerState::Polling);
    worker.end_poll();
    assert_eq!(state(), WorkerState::Running);
    worker.end_processing_scheduled_tasks();
    assert_eq!(state(), WorkerState::Searching);
    assert_eq!(metrics.worker_park_unpark_count(0), Ok(Some(2)));
}

#[test]
fn busy_time_includes_the_busy_period_in_progress() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let metrics = RuntimeMetrics::new(&METRICS);
    let busy = || {
        let total = metrics.busy_duration_total().unwrap();
        assert_eq!(metrics.worker_total_busy_duration(0).unwrap(), total);
        let mut snapshot = Snapshot::EMPTY;
        metrics.snapshot_into(&mut snapshot);
        assert_eq!(snapshot.worker(0).unwrap().busy_duration_total(), total);
        total.unwrap().as_nanos()
    };
    METRICS.clock().advance(1_000);
    assert_eq!(busy(), 0);
    worker.start_processing_scheduled_tasks();
    METRICS.clock().advance(40);
    assert_eq!(busy(), 40);
    worker.end_processing_scheduled_tasks();
    METRICS.clock().advance(1_000);
    assert_eq!(busy(), 40, "the worker searches");
    worker.start_processing_scheduled_tasks();
    METRICS.clock().advance(7);
    assert_eq!(busy(), 47);
}

/// In place, a poll that ends after the submit interval does the work of a submit.
#[test]
fn a_switch_takes_effect_once_the_submit_interval_has_passed() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let poll = |nanos| {
        worker.start_poll(PollStart::default());
        METRICS.clock().advance(nanos);
        worker.end_poll().nanos()
    };
    worker.start_processing_scheduled_tasks();
    METRICS.switches().set_poll_time(Sampling::Off);
    assert_eq!(poll(10), Some(10), "the switch is not latched yet");
    assert_eq!(poll(100), Some(100));
    assert_eq!(poll(10), None);
}

#[test]
fn polls_that_are_not_measured_seldom_read_the_clock() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    METRICS.switches().set_poll_time(Sampling::Off);
    worker.start_processing_scheduled_tasks();
    let before = METRICS.clock().readings();
    for _ in 0..640 {
        worker.start_poll(PollStart::default());
        worker.end_poll();
    }
    assert_eq!(METRICS.clock().readings() - before, 10, "once in 64 polls");
}

#[test]
fn a_schedule_latency_that_is_off_is_not_recorded() {
    const LATENCY: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(1_000_000_000, Duration::from_nanos(1))
    {
        Ok(config) => config,
        Err(_) => panic!("a histogram of 8 buckets fits"),
    };
    static METRICS: Static = Registry::new(&LATENCY, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    for (latency, recorded) in [(Sampling::Every, Some(70)), (Sampling::Off, None)] {
        METRICS.switches().set_schedule_latency(latency);
        worker.park();
        worker.unpark();
        worker.start_processing_scheduled_tasks();
        let scheduled_at = Some(worker.now());
        METRICS.clock().advance(70);
        let start = worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        assert_eq!(start.nanos(), recorded);
        worker.end_poll();
    }
}

#[test]
fn readers_see_everything_that_a_static_worker_has_ended() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let metrics = RuntimeMetrics::new(&METRICS);
    let thread = || {
        let mut threads = metrics.live_threads();
        let thread = threads.next().unwrap();
        assert!(threads.next().is_none());
        thread
    };
    worker.start_processing_scheduled_tasks();
    let mut seen = Vec::new();
    for location in [7, 8] {
        worker.start_poll(at(location));
        let thread = thread();
        assert_eq!((thread.slot, thread.worker), (0, Some(0)));
        assert_eq!(thread.live.spawn_location, LocationId::from_u32(location));
        assert!(thread.is_submitted);
        assert_eq!(thread.submitted, thread.live.transition);
        seen.push(thread.submitted);
        worker.end_poll();
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn steps_of_the_clock_are_counted() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let metrics = RuntimeMetrics::new(&METRICS);
    METRICS.clock().advance(1_000_000_000);
    worker.start_processing_scheduled_tasks();
    assert_eq!(metrics.clock_steps(), Ok(Some(0)));
    for steps in 1..=2 {
        worker.start_poll(PollStart::default());
        METRICS.clock().step_back(100_000_000);
        worker.end_poll();
        worker.discard_last_timestamp();
        assert_eq!(metrics.clock_steps(), Ok(Some(steps)));
    }
}

#[test]
fn a_measured_future_shows_its_location_while_it_is_polled() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let polled = || RuntimeMetrics::new(&METRICS).live(0).unwrap().spawn_location;
    let future = poll_fn(|_| Poll::Ready(polled()));
    let measured = pin!(worker.measure(LocationId::from_u32(7), future));
    let poll = measured.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(poll, Poll::Ready(LocationId::from_u32(7)));
    assert_eq!(polled(), LocationId::UNKNOWN);
}

#[test]
fn the_total_is_the_sum_over_the_workers() {
    const TWO: StaticRegistryConfig<2, BUCKETS> = match Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(LAYOUT)
        .describe(1_000_000_000, Duration::from_nanos(1))
    {
        Ok(config) => config,
        Err(_) => panic!("a histogram of 8 buckets fits"),
    };
    static METRICS: Registry<StaticStorage<2, BUCKETS>, TestClock> = Registry::new(&TWO, TestClock::new());
    for (index, nanos) in [(0, 10), (1, 30)] {
        let worker = METRICS.worker(index).unwrap();
        worker.start_processing_scheduled_tasks();
        worker.start_poll(PollStart::default());
        METRICS.clock().advance(nanos);
        worker.end_poll();
        worker.park();
    }
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    let total = snapshot.total();
    assert_eq!((total.poll_count(), total.park_count()), (Some(2), Some(2)));
    assert_eq!(total.busy_duration_total(), Some(Duration::from_nanos(40)));
    let poll_time = total.poll_time().unwrap();
    assert_eq!((poll_time.samples(), poll_time.histogram().sum()), (2, 40));
    assert_eq!(total.mean_poll_time(), None, "static storage keeps no mean");
}

struct Names;

impl Probe for Names {
    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "main.rs:{}", spawn_location.as_u32())
    }
}

#[test]
fn a_snapshot_taken_again_keeps_no_text_of_the_one_before() {
    static FIRST: Static = Registry::new(&CONFIG, TestClock::new());
    static SECOND: Static = Registry::new(&OTHER, TestClock::new());
    let mut snapshot = Snapshot::EMPTY;
    for (registry, name) in [(&FIRST, "first"), (&SECOND, "second")] {
        let worker = registry.worker(0).unwrap();
        for location in [7, 8] {
            worker.start_poll(at(location));
            RuntimeMetrics::with_probe(registry, Names).snapshot_into(&mut snapshot);
            worker.end_poll();
            assert_eq!(snapshot.name(), name);
            assert_eq!(snapshot.workers().len(), 1);
            let text = snapshot.worker(0).unwrap().spawn_location_name();
            assert_eq!(text, format!("main.rs:{location}"));
        }
    }
}

#[test]
fn a_snapshot_shows_as_a_table() {
    static METRICS: Static = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let table = || {
        let mut snapshot = Snapshot::EMPTY;
        RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
        snapshot.table().to_string()
    };
    let heading = "first       state         busy     polls     parks  mean poll   longest   latency\n";
    worker.start_processing_scheduled_tasks();
    for _ in 0..2 {
        worker.start_poll(PollStart::default());
        METRICS.clock().advance(2_000);
        worker.end_poll();
    }
    worker.park();
    METRICS.clock().advance(12_000);
    let row = "worker 0    parked      25.0 %         2         1     2.0 us    2.0 us         -\n";
    assert_eq!(table(), format!("{heading}{row}"));
}
