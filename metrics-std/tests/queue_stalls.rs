//! Queue stalls: workers run short polls, and no timer of the runtime fires. On a clock that only the test advances.
#![cfg(feature = "record")]

use core::time::Duration;
use metrics_core::{HeapStorage, Probe, Registry, RuntimeMetrics, TimeSource};
use metrics_mock::ManualClock;
use metrics_std::watchdog::{Stall, StallKind, StallPhase, StallScanner};
use metrics_std::{Builder, HistogramConfig, HistogramSnapshot, MetricSet, PollStart};
use portable_atomic::{AtomicU64, Ordering};
use std::sync::Arc;

const THRESHOLD: Duration = Duration::from_millis(20);

type Clock = Arc<ManualClock>;
type Worker = metrics_core::Worker<Arc<Registry<HeapStorage, Clock>>>;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Reports when the timer of a probe was due, as an adapter does.
#[derive(Clone)]
struct Timer {
    clock: Clock,
    /// In ticks. The time of the clock, or later, if no timer is overdue.
    due: Arc<AtomicU64>,
}

impl Probe for Timer {
    fn timer_overdue(&self) -> Option<Duration> {
        // One tick is a nanosecond.
        let overdue = self
            .clock
            .now()
            .ticks()
            .saturating_sub(self.due.load(Ordering::Relaxed));
        Some(Duration::from_nanos(overdue))
    }
}

struct Runtime {
    clock: Clock,
    timer: Timer,
    workers: Vec<Worker>,
    metrics: RuntimeMetrics<Arc<Registry<HeapStorage, Clock>>, Timer>,
    scanner: StallScanner<Arc<Registry<HeapStorage, Clock>>, Timer>,
}

impl Runtime {
    fn new(workers: usize) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.advance(Duration::from_secs(1));
        let builder = Builder::new().measures(MetricSet::ALL).workers(workers);
        let builder = builder.poll_time(HistogramConfig::DEFAULT);
        let registry = builder.build(Arc::clone(&clock)).unwrap();
        let lease = |worker| Worker::lease(Arc::clone(&registry), worker).unwrap();
        let workers: Vec<_> = (0..workers).map(lease).collect();
        for worker in &workers {
            worker.start_processing_scheduled_tasks();
        }
        let timer = Timer {
            clock: Arc::clone(&clock),
            due: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let metrics = RuntimeMetrics::with_probe(registry, timer.clone());
        let scanner = StallScanner::new(&metrics, THRESHOLD);
        Self {
            clock,
            timer,
            workers,
            metrics,
            scanner,
        }
    }

    /// Sets when the next timer is due, from now. The last one has fired.
    fn set_timer(&self, from_now: Duration) {
        let due = self.clock.now().ticks() + from_now.as_nanos() as u64;
        self.timer.due.store(due, Ordering::Relaxed);
    }

    fn scan(&mut self) -> Vec<Stall> {
        let mut stalls = Vec::new();
        self.scanner.scan(|stall| stalls.push(stall.clone()));
        stalls
    }

    /// Polls for a millisecond, `polls` times, on a worker, and scans after each.
    fn poll(&mut self, worker: usize, polls: usize) -> Vec<Stall> {
        let mut stalls = Vec::new();
        for _ in 0..polls {
            self.workers[worker].start_poll(PollStart::default());
            self.clock.advance(millis(1));
            self.workers[worker].end_poll();
            stalls.extend(self.scan());
        }
        stalls
    }
}

fn only(stalls: Vec<Stall>) -> Stall {
    let [stall] = <[_; 1]>::try_from(stalls).expect("one stall");
    stall
}

#[test]
fn short_polls_without_a_turn_of_the_driver_are_a_stall() {
    let mut runtime = Runtime::new(1);
    runtime.set_timer(Duration::ZERO);
    // It counts from the first scan, which sees that no poll has ended yet.
    assert!(runtime.poll(0, 20).is_empty(), "below the threshold");
    let stall = only(runtime.poll(0, 11));
    assert_eq!((stall.phase, stall.kind), (StallPhase::Ongoing, StallKind::Queue));
    assert_eq!((stall.worker, stall.lasted), (Some(0), THRESHOLD));
    let text = stall.to_string();
    assert!(
        text.ends_with("worker 0: polls without a turn of the driver for 20ms"),
        "{text}"
    );
    assert_eq!(runtime.metrics.snapshot().queue_stall_count(), Some(1));

    runtime.set_timer(millis(100));
    let stall = only(runtime.scan());
    assert_eq!((stall.phase, stall.lasted), (StallPhase::Over, millis(30)));
    let snapshot = runtime.metrics.snapshot();
    let duration = snapshot.queue_stall_duration().map(HistogramSnapshot::sum);
    assert_eq!(
        (snapshot.queue_stall_count(), duration),
        (Some(1), Some(30_000_000))
    );
    assert_eq!(snapshot.poll_stall_count(), Some(0));
}

#[test]
fn a_saturated_worker_whose_timers_fire_does_not_stall() {
    let mut runtime = Runtime::new(1);
    // For a second without one park. Each timer fires 5 ms late.
    for _ in 0..50 {
        runtime.set_timer(millis(15));
        assert!(runtime.poll(0, 20).is_empty());
    }
    assert_eq!(runtime.metrics.snapshot().queue_stall_count(), Some(0));
}

#[test]
fn timers_that_are_each_late_below_the_threshold_are_no_stall() {
    let mut runtime = Runtime::new(1);
    // A timer fires between two scans, and the next one is overdue at once.
    for _ in 0..50 {
        runtime.set_timer(Duration::ZERO);
        assert!(runtime.poll(0, 15).is_empty());
    }
}

#[test]
fn one_long_poll_is_a_stall_of_its_own_kind_only() {
    let mut runtime = Runtime::new(1);
    runtime.set_timer(Duration::ZERO);
    assert!(runtime.poll(0, 10).is_empty());
    runtime.workers[0].start_poll(PollStart::default());
    let mut kinds = Vec::new();
    for _ in 0..7 {
        runtime.clock.advance(millis(15));
        kinds.extend(runtime.scan().iter().map(|stall| (stall.phase, stall.kind)));
    }
    runtime.workers[0].end_poll();
    // The driver is turned a few polls later.
    kinds.extend(runtime.poll(0, 15).iter().map(|stall| (stall.phase, stall.kind)));
    runtime.set_timer(millis(100));
    kinds.extend(runtime.poll(0, 5).iter().map(|stall| (stall.phase, stall.kind)));
    let poll = [StallPhase::Ongoing, StallPhase::Over].map(|phase| (phase, StallKind::Poll));
    assert_eq!(kinds, poll);
}

#[test]
fn a_long_poll_on_one_worker_does_not_hide_a_queue_stall_on_another() {
    let mut runtime = Runtime::new(3);
    runtime.set_timer(Duration::ZERO);
    runtime.workers[1].start_poll(PollStart::default());
    let mut stalls = runtime.poll(0, 50);
    // The end of the long poll is no poll without a turn.
    runtime.workers[1].end_poll();
    stalls.extend(runtime.poll(0, 5));
    let kinds: Vec<_> = stalls
        .iter()
        .map(|stall| (stall.phase, stall.kind, stall.worker))
        .collect();
    let expected = [
        (StallPhase::Ongoing, StallKind::Poll, Some(1)),
        (StallPhase::Ongoing, StallKind::Queue, Some(0)),
        (StallPhase::Over, StallKind::Poll, Some(1)),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_long_poll_does_not_end_a_queue_stall_whose_timer_is_overdue() {
    let mut runtime = Runtime::new(1);
    runtime.set_timer(Duration::ZERO);
    assert_eq!(only(runtime.poll(0, 40)).kind, StallKind::Queue);
    runtime.workers[0].start_poll(PollStart::default());
    runtime.clock.advance(millis(30));
    assert_eq!(only(runtime.scan()).kind, StallKind::Poll);
    runtime.workers[0].end_poll();
    let stall = only(runtime.poll(0, 40));
    assert_eq!((stall.phase, stall.kind), (StallPhase::Over, StallKind::Poll));
    assert_eq!(runtime.metrics.snapshot().queue_stall_count(), Some(1));
    runtime.set_timer(millis(100));
    let stall = only(runtime.scan());
    assert_eq!((stall.kind, stall.lasted), (StallKind::Queue, millis(109)));
}

#[test]
fn polls_after_a_time_without_polls_count_from_then_on() {
    let mut runtime = Runtime::new(1);
    runtime.set_timer(Duration::ZERO);
    // No thread drives the runtime.
    for _ in 0..10 {
        runtime.clock.advance(millis(10));
        assert!(runtime.scan().is_empty());
    }
    assert!(runtime.poll(0, 15).is_empty(), "the driver is turned soon after");
}

#[test]
fn a_late_timer_without_polls_is_no_stall() {
    let mut runtime = Runtime::new(2);
    runtime.workers[1].end_processing_scheduled_tasks();
    runtime.workers[1].park();
    runtime.set_timer(Duration::ZERO);
    for _ in 0..10 {
        runtime.clock.advance(millis(10));
        assert!(runtime.scan().is_empty(), "the system gave the threads no time");
    }
}

#[test]
fn polls_on_several_workers_are_one_stall_of_no_single_worker() {
    let mut runtime = Runtime::new(2);
    runtime.set_timer(Duration::ZERO);
    let mut stalls = Vec::new();
    for _ in 0..15 {
        stalls.extend(runtime.poll(0, 1));
        stalls.extend(runtime.poll(1, 1));
    }
    let stall = only(stalls);
    assert_eq!((stall.kind, stall.worker), (StallKind::Queue, None));
    assert!(
        stall.to_string().contains(": several workers: polls without"),
        "{stall}"
    );
}

#[test]
fn queue_stalls_are_absent_without_a_probe_of_timers() {
    let builder = Builder::new().measures(MetricSet::ALL).workers(1);
    let registry = builder.build(Arc::new(ManualClock::new())).unwrap();
    let metrics = RuntimeMetrics::new(registry);
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    scanner.scan(|_| {});
    let snapshot = metrics.snapshot();
    assert_eq!(
        (snapshot.poll_stall_count(), snapshot.queue_stall_count()),
        (Some(0), None)
    );
    assert!(snapshot.queue_stall_duration().is_none());
}
