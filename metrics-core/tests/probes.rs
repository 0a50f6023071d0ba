//! Probes and clocks behind a pointer, and those that report nothing.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::fmt;
use core::time::Duration;
use metrics_core::extend::{
    ExtendedCounter, FreeRunning, PeriodicCounter, PeriodicTimer, SysTick, SysTickRegisters,
};
use metrics_core::{
    Builder, LocationId, MetricSet, NoClock, NoProbe, Probe, ProbedState, RuntimeNumber, TaskActivity,
    TimeSource, Timestamp, WorkerNumber,
};
use portable_atomic::{AtomicU32, Ordering};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PARKS: MetricSet = MetricSet::worker(&[WorkerNumber::ParkCount]);
const STATE: ProbedState = ProbedState {
    parked: Some(true),
    busy: Some(2),
    in_progress: Some(3),
    progress: Some(4),
};

/// Reports a value of its own from each method.
#[derive(Default)]
struct Everything {
    attempts: AtomicU32,
}

impl Probe for Everything {
    fn num_workers(&self) -> Option<usize> {
        Some(5)
    }

    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        Some(100 + number as u64)
    }

    fn worker_numbers(&self) -> MetricSet {
        PARKS
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        Some(1_000 * worker as u64 + number as u64)
    }

    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        (worker == 1).then_some(STATE)
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "main.rs:{}", spawn_location.as_u32())
    }

    fn is_group(&self, location: LocationId) -> bool {
        location.as_u32() == 7
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "thread {thread}")
    }

    fn os_thread_id(&self, thread: u64) -> Option<u64> {
        Some(thread + 4_000)
    }

    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        each(LocationId::from_u32(7), TaskActivity::Queued);
        true
    }

    fn fork_id(&self) -> u64 {
        77
    }

    fn relax(&self, attempt: u32) {
        self.attempts.fetch_add(attempt, Ordering::Relaxed);
    }
}

/// What each method of a probe returns.
#[derive(Debug, PartialEq)]
struct Reported {
    num_workers: Option<usize>,
    runtime: Option<u64>,
    worker_numbers: MetricSet,
    worker: Option<u64>,
    states: [Option<ProbedState>; 2],
    location: String,
    is_group: [bool; 2],
    thread: String,
    os_thread_id: Option<u64>,
    census: (bool, Vec<(LocationId, TaskActivity)>),
    fork_id: u64,
}

fn reported(probe: &impl Probe) -> Reported {
    let mut tasks = Vec::new();
    let has_census = probe.census(&mut |location, task| tasks.push((location, task)));
    let (mut location, mut thread) = (String::new(), String::new());
    probe
        .write_location(LocationId::from_u32(7), &mut location)
        .unwrap();
    probe.write_thread(41, &mut thread).unwrap();
    probe.relax(3);
    Reported {
        num_workers: probe.num_workers(),
        runtime: probe.runtime(RuntimeNumber::SpawnedTasksCount),
        worker_numbers: probe.worker_numbers(),
        worker: probe.worker(2, WorkerNumber::ParkCount),
        states: [0, 1].map(|worker| probe.worker_state(worker)),
        location,
        is_group: [6, 7].map(|number| probe.is_group(LocationId::from_u32(number))),
        thread,
        os_thread_id: probe.os_thread_id(41),
        census: (has_census, tasks),
        fork_id: probe.fork_id(),
    }
}

#[test]
fn a_shared_probe_reports_what_its_probe_reports() {
    let probe = Arc::new(Everything::default());
    let expected = Reported {
        num_workers: Some(5),
        runtime: Some(100 + RuntimeNumber::SpawnedTasksCount as u64),
        worker_numbers: PARKS,
        worker: Some(2_000 + WorkerNumber::ParkCount as u64),
        states: [None, Some(STATE)],
        location: "main.rs:7".into(),
        is_group: [false, true],
        thread: "thread 41".into(),
        os_thread_id: Some(4_041),
        census: (true, vec![(LocationId::from_u32(7), TaskActivity::Queued)]),
        fork_id: 77,
    };
    assert_eq!(reported(&probe), expected);
    assert_eq!(
        probe.attempts.load(Ordering::Relaxed),
        3,
        "it waits as its probe does"
    );
}

#[test]
fn a_probe_reports_nothing_by_default() {
    let expected = Reported {
        num_workers: None,
        runtime: None,
        worker_numbers: MetricSet::NONE,
        worker: None,
        states: [None; 2],
        location: String::new(),
        is_group: [false; 2],
        thread: String::new(),
        os_thread_id: None,
        census: (false, Vec::new()),
        fork_id: 0,
    };
    assert_eq!(reported(&NoProbe), expected);
}

/// What each method of a clock returns.
fn facts(clock: &impl TimeSource) -> (u64, u64, Duration, bool) {
    (
        clock.now().ticks(),
        clock.ticks_per_second(),
        clock.resolution(),
        clock.available(),
    )
}

/// A clock that is out of order.
struct Broken;

impl TimeSource for Broken {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(9)
    }

    fn ticks_per_second(&self) -> u64 {
        32_768
    }

    fn resolution(&self) -> Duration {
        Duration::from_micros(31)
    }

    fn available(&self) -> bool {
        false
    }
}

#[test]
fn a_clock_behind_a_pointer_is_that_clock() {
    let clock = TestClock::with_rate(1_000);
    clock.set(5);
    let expected = (5, 1_000, Duration::from_millis(1), true);
    assert_eq!(facts(&clock), expected);
    assert_eq!(facts(&&clock), expected);
    assert_eq!(facts(&Arc::new(clock)), expected);
    let broken = (9, 32_768, Duration::from_micros(31), false);
    assert_eq!(facts(&&Broken), broken);
    assert_eq!(facts(&Arc::new(Broken)), broken);
}

#[test]
fn a_registry_has_the_resolution_of_its_clock() {
    let timed = Builder::new().build(TestClock::with_rate(1_000)).unwrap();
    assert_eq!(timed.resolution(), Duration::from_millis(1));
    assert_eq!(timed.scale().ticks_per_second(), 1_000);
    assert!(timed.is_timed());
    assert_eq!(facts(&NoClock), (0, 0, Duration::ZERO, false));
    let untimed = Builder::new().build(NoClock).unwrap();
    assert_eq!(untimed.resolution(), Duration::ZERO);
    assert!(!untimed.is_timed());
    assert!(!Builder::new().build(Broken).unwrap().is_timed());
}

/// A hardware counter that stands still.
struct Still;

impl FreeRunning for Still {
    const BITS: u32 = 16;

    fn read(&self) -> u32 {
        300
    }
}

impl PeriodicTimer for Still {
    fn period(&self) -> u32 {
        1_000
    }

    fn elapsed(&self) -> u32 {
        300
    }

    fn is_wrap_pending(&self) -> bool {
        false
    }
}

impl SysTickRegisters for Still {
    fn current(&self) -> u32 {
        700
    }

    fn is_pending(&self) -> bool {
        false
    }
}

#[test]
fn an_extended_counter_without_a_rate_is_no_clock() {
    let microsecond = Duration::from_micros(1);
    for (rate, resolution) in [(1_000_000, microsecond), (0, Duration::ZERO)] {
        let expected = (300, u64::from(rate), resolution, rate != 0);
        assert_eq!(facts(&ExtendedCounter::new(Still, rate)), expected);
        assert_eq!(
            facts(&ExtendedCounter::new((|| 300) as fn() -> u32, rate)),
            expected
        );
        assert_eq!(facts(&PeriodicCounter::new(Still, rate)), expected);
        let sys_tick = SysTick::new(Still, 999, rate);
        assert_eq!(facts(&sys_tick), expected);
        assert_eq!(sys_tick.ticks(), 300);
    }
}
