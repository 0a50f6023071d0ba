//! The overload rule on a scripted runtime, whose clock only the test moves.
#![allow(missing_docs)]

use core::time::Duration;
use metrics_mock::{ManualClock, MockRuntime};
use metrics_std::metrics_core::{
    LagKind, Probe, ProbedState, RuntimeNumber, TimeSource, Timestamp, WorkerNumber,
};
use metrics_std::overload::{LoadState, OverloadRule, OverloadScanner, OverloadSignal, watch_overload};
use metrics_std::{
    Builder, Clock, HistogramConfig, LocationId, MetricSet, NoProbe, ProcessProbe, Registry, RuntimeHandles,
    RuntimeMetrics, build, build_wrapped,
};
use portable_atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const TARGET: Duration = Duration::from_millis(5);
const INTERVAL: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(10);

struct Service {
    runtime: MockRuntime<Arc<Registry>>,
    metrics: RuntimeMetrics,
    scanner: OverloadScanner<Arc<Registry>, ProcessProbe>,
}

impl Service {
    fn new() -> Self {
        Self::with(Builder::new().schedule_latency(HistogramConfig::DEFAULT))
    }

    fn with(builder: Builder<'_>) -> Self {
        let clock = Arc::new(ManualClock::new());
        let builder = builder.workers(1).measures(MetricSet::ALL);
        let RuntimeHandles { metrics, workers } =
            build(builder, Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
        Self {
            runtime: MockRuntime::new(workers, clock),
            scanner: OverloadScanner::new(&metrics, OverloadRule::new(TARGET, INTERVAL)),
            metrics,
        }
    }

    /// Polls tasks that have waited for these times, and scans a step after the last scan.
    fn step(&mut self, waits: &[Duration]) -> LoadState {
        let worker = self.runtime.worker(0);
        let mut waits = waits.to_vec();
        waits.sort_unstable();
        let mut left = STEP;
        let mut tasks = Vec::new();
        while let Some(wait) = waits.pop() {
            self.runtime.advance(left.checked_sub(wait).unwrap());
            left = wait;
            tasks.push(worker.spawn(LocationId::UNKNOWN));
        }
        self.runtime.advance(left);
        for task in tasks {
            worker.poll(task, Duration::ZERO);
        }
        self.runtime.flush();
        self.scanner.scan()
    }

    fn overload(&self) -> Option<u64> {
        self.metrics.snapshot().overload()
    }
}

const WAITED: [Duration; 20] = [Duration::from_millis(8); 20];

#[test]
fn a_queue_that_does_not_empty_for_an_interval_is_overload() {
    let mut service = Service::new();
    let signal = OverloadSignal::new(&service.metrics);
    for _ in 0..10 {
        assert_eq!(service.step(&WAITED), LoadState::Normal);
        assert_eq!((service.overload(), signal.is_shedding()), (Some(0), false));
    }
    // The first of these delays was seen an interval ago.
    assert_eq!(service.step(&WAITED), LoadState::Shedding);
    assert_eq!((service.overload(), signal.is_shedding()), (Some(1), true));
    assert_eq!(service.step(&[Duration::ZERO; 20]), LoadState::Accepting);
    assert_eq!((service.overload(), signal.is_shedding()), (Some(1), false));
    assert_eq!(service.step(&WAITED), LoadState::Shedding, "at once");
    for _ in 0..9 {
        assert_eq!(service.step(&[Duration::ZERO; 20]), LoadState::Accepting);
    }
    assert_eq!(service.step(&[Duration::ZERO; 20]), LoadState::Normal);
    assert_eq!((service.overload(), signal.is_shedding()), (Some(0), false));
}

#[test]
fn bursts_are_not_overload() {
    let mut service = Service::new();
    for _ in 0..20 {
        for _ in 0..9 {
            assert_eq!(service.step(&WAITED), LoadState::Normal);
        }
        assert_eq!(
            service.step(&[Duration::ZERO]),
            LoadState::Normal,
            "the queue was empty"
        );
    }
}

#[test]
fn tasks_that_overtake_the_queue_do_not_hide_it() {
    let mut service = Service::new();
    let mut waits = WAITED;
    waits[7] = Duration::ZERO;
    let states: Vec<_> = (0..12).map(|_| service.step(&waits)).collect();
    assert_eq!(states.last(), Some(&LoadState::Shedding));
    // A single slow task does not make it a queue.
    let mut waits = [Duration::ZERO; 20];
    waits[7] = WAITED[7];
    let states: Vec<_> = (0..30).map(|_| service.step(&waits)).collect();
    assert_eq!(states.last(), Some(&LoadState::Normal));
}

#[test]
fn without_polls_for_an_interval_nothing_waits() {
    let mut service = Service::new();
    while service.step(&WAITED) != LoadState::Shedding {}
    for _ in 0..9 {
        assert_eq!(
            service.step(&[]),
            LoadState::Shedding,
            "workers may be in long polls"
        );
    }
    assert_eq!(service.step(&[]), LoadState::Normal);
    // The delays before do not count.
    for _ in 0..10 {
        assert_eq!(service.step(&WAITED), LoadState::Normal);
    }
}

#[test]
fn delays_longer_than_the_time_between_them_are_overload() {
    let mut rule = OverloadRule::new(TARGET, INTERVAL);
    // Each poll takes longer than the interval, and the queue does not empty meanwhile.
    let mut state_at = |n: u32| rule.update(n * INTERVAL * 3 / 2, Some(10 * INTERVAL));
    assert_eq!(state_at(1), LoadState::Normal);
    for n in 2..10 {
        assert_eq!(state_at(n), LoadState::Shedding, "{n}");
    }
}

#[test]
fn after_an_interval_without_a_delay_only_a_longer_delay_goes_on() {
    for (delay, state) in [
        (INTERVAL * 19 / 10, LoadState::Normal),
        (2 * INTERVAL, LoadState::Shedding),
    ] {
        let mut rule = OverloadRule::new(TARGET, INTERVAL);
        assert_eq!(rule.update(INTERVAL, Some(2 * TARGET)), LoadState::Normal);
        assert_eq!(rule.update(3 * INTERVAL, Some(delay)), state, "{delay:?}");
    }
}

/// A clock that only the test advances, and that no reading passes while the test holds its lock.
struct Gate {
    clock: ManualClock,
    lock: Mutex<()>,
    waiting: AtomicU32,
}

impl TimeSource for Gate {
    fn now(&self) -> Timestamp {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let open = self.lock.lock();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(open);
        self.clock.now()
    }

    fn ticks_per_second(&self) -> u64 {
        self.clock.ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }
}

/// Waits for what the thread of the watch is about to do.
#[track_caller]
fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_watch_sets_the_signal_until_its_scan_has_ended() {
    let gate = Arc::new(Gate {
        clock: ManualClock::new(),
        lock: Mutex::new(()),
        waiting: AtomicU32::new(0),
    });
    let metrics = build_wrapped(Builder::new(), Clock::custom(Arc::clone(&gate))).unwrap();
    let shared = metrics.registry().shared();
    shared.measure_lag(LagKind::Loop, HistogramConfig::DEFAULT);
    let watch = watch_overload(&metrics, TARGET, INTERVAL).unwrap();
    let signal = watch.signal();
    assert!(!signal.is_shedding());
    until(|| {
        // Longer than the time between two scans on a loaded machine.
        shared.record_lag(LagKind::Loop, Duration::from_secs(50));
        gate.clock.advance(STEP);
        signal.is_shedding()
    });
    let closed = gate.lock.lock().unwrap();
    until(|| gate.waiting.load(Ordering::Relaxed) > 0);
    let error = watch.shutdown(Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.timeout, Duration::from_millis(1));
    drop(closed);
    until(|| !signal.is_shedding());
}

/// Counts the queries that could take a file, a lock or the time of each task.
#[derive(Clone, Default)]
struct Queries(Arc<AtomicU32>);

impl Queries {
    fn count<V>(&self) -> Option<V> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Probe for Queries {
    fn worker(&self, _: usize, _: WorkerNumber) -> Option<u64> {
        self.count()
    }

    fn runtime(&self, _: RuntimeNumber) -> Option<u64> {
        self.count()
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::ALL
    }

    fn worker_state(&self, _: usize) -> Option<ProbedState> {
        self.count()
    }
}

#[test]
fn a_scan_reads_nothing_but_delays() {
    let service = Service::with(
        Builder::new()
            .schedule_latency(HistogramConfig::DEFAULT)
            .locations(4),
    );
    let queries = Queries::default();
    let metrics = metrics_std::metrics_core::RuntimeMetrics::with_probe(
        Arc::clone(service.metrics.registry()),
        queries.clone(),
    );
    let mut scanner = OverloadScanner::new(&metrics, OverloadRule::new(TARGET, INTERVAL));
    scanner.scan();
    assert_eq!(queries.0.load(Ordering::Relaxed), 0);
    metrics.snapshot();
    assert_ne!(queries.0.load(Ordering::Relaxed), 0);
}

#[test]
fn the_lag_of_a_probe_counts_where_no_latency_is_measured() {
    let mut service = Service::with(Builder::new());
    let registry = Arc::clone(service.metrics.registry());
    registry
        .shared()
        .measure_lag(LagKind::Loop, HistogramConfig::DEFAULT);
    let mut late = |lag| {
        registry.shared().record_lag(LagKind::Loop, lag);
        service.step(&[])
    };
    for _ in 0..10 {
        assert_eq!(late(2 * TARGET), LoadState::Normal);
    }
    assert_eq!(late(2 * TARGET), LoadState::Shedding);
    assert_eq!(late(TARGET / 2), LoadState::Accepting);
}

#[test]
fn the_gauge_exists_while_one_scanner_watches() {
    let service = Service::new();
    let rule = || OverloadRule::new(TARGET, INTERVAL);
    assert_eq!(service.overload(), Some(0));
    // The first one sets the state.
    let other = OverloadScanner::new(&service.metrics, rule());
    drop(other);
    assert_eq!(service.overload(), Some(0));
    let mut next = OverloadScanner::new(&service.metrics, rule());
    let Service {
        metrics,
        scanner,
        runtime: _runtime,
    } = service;
    drop(scanner);
    assert_eq!(metrics.snapshot().overload(), None);
    next.scan();
    assert_eq!(metrics.snapshot().overload(), Some(0), "the next one goes on");
    drop(next);
    assert_eq!(metrics.snapshot().overload(), None);
    assert!(!OverloadSignal::new(&metrics).is_shedding());
    let _again = OverloadScanner::new(&metrics, rule());
    assert_eq!(metrics.snapshot().overload(), Some(0));
}
