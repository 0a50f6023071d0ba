//! Windows over the last minutes, on a clock that only the test advances.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared, poll, registry};
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, NoClock, RuntimeMetrics, SinceError, Window, WindowError, Worker,
    WorkerNumber,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: u64 = 1_000_000_000;

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// A runtime whose worker polls once per push, and the window that its snapshots are pushed to.
struct Run {
    clock: Hand,
    registry: Shared,
    worker: Worker<Shared>,
}

impl Run {
    fn start(clock: &Hand) -> Self {
        let registry = registry(clock);
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        Self {
            clock: clock.clone(),
            registry,
            worker,
        }
    }

    /// Advances by the given seconds in all, with one poll of this many nanoseconds, and pushes a snapshot.
    fn push(&self, window: &mut Window, seconds: u64, nanos: u64) {
        self.clock.advance(seconds * SECOND - nanos);
        poll(&self.worker, &self.clock, nanos);
        self.worker.submit();
        window
            .push(RuntimeMetrics::new(self.registry.clone()).snapshot())
            .unwrap();
    }
}

/// Returns the length, the number of polls and the bounds of the 99th percentile in nanoseconds.
fn last(window: &Window) -> (Duration, u64, (u64, u64)) {
    let interval = window.interval().unwrap();
    let polls = interval.total().counter(WorkerNumber::PollCount).unwrap();
    let p99 = interval.total().poll_time().unwrap().quantile(0.99).unwrap();
    (interval.wall().unwrap(), polls, (p99.lower, p99.upper))
}

#[test]
fn a_window_forgets_what_is_older_than_its_length() {
    let run = Run::start(&Hand::default());
    let mut window = Window::new(minutes(5), 30).unwrap();
    // One slow poll, then one fast poll every ten seconds.
    run.push(&mut window, 10, 50_000_000);
    for push in 2..=30 {
        run.push(&mut window, 10, 1_000);
        let (wall, polls, (lower, upper)) = last(&window);
        assert_eq!(
            (wall, polls),
            (Duration::from_secs(10 * push), push),
            "since the start"
        );
        assert!(lower <= 50_000_000 && 50_000_000 <= upper);
    }
    for _ in 0..100 {
        run.push(&mut window, 10, 1_000);
        let (wall, polls, (lower, upper)) = last(&window);
        assert_eq!((wall, polls), (minutes(5), 30));
        assert!(lower <= 1_000 && 1_000 <= upper, "{lower} to {upper}");
        assert!(window.len() <= 32);
    }
}

#[test]
fn memory_is_bounded_however_often_a_snapshot_is_pushed() {
    for (parts, period) in [(1, 7), (3, 1), (30, 1), (30, 60), (7, 11)] {
        let run = Run::start(&Hand::default());
        let mut window = Window::new(minutes(5), parts).unwrap();
        for push in 1..=400 {
            run.push(&mut window, period, 1_000);
            assert!(
                window.len() <= parts + 2,
                "{parts} parts, {} snapshots",
                window.len()
            );
            let (wall, polls, _) = last(&window);
            assert_eq!(polls, wall.as_secs() / period, "one poll per push");
            let longest = 300 + 300_u64.div_ceil(parts as u64) + period;
            assert!(
                (300.min(push * period)..longest).contains(&wall.as_secs()),
                "{wall:?}"
            );
        }
    }
}

#[test]
fn a_restart_starts_the_window_anew() {
    let clock = Hand::default();
    let run = Run::start(&clock);
    let mut window = Window::new(minutes(5), 30).unwrap();
    for _ in 0..100 {
        run.push(&mut window, 10, 50_000_000);
    }
    let again = Run::start(&clock);
    again.push(&mut window, 10, 1_000);
    let (wall, polls, (_, upper)) = last(&window);
    assert_eq!((wall, polls, window.len()), (Duration::from_secs(10), 1, 1));
    assert!(upper < 2_000, "{upper}");
    assert_eq!(
        window.push(RuntimeMetrics::new(run.registry.clone()).snapshot()),
        Ok(()),
        "another run"
    );
    assert_eq!(window.interval().unwrap_err(), WindowError::TooFewSnapshots);
}

/// A run whose epoch is that of the run before, as of a registry in a `static` after a reboot.
fn reboot(clock: &Hand, started_at: Option<u64>) -> Run {
    let mut builder = Builder::new().measures(MetricSet::ALL).workers(2).epoch(7);
    builder = builder.poll_time(HistogramConfig::DEFAULT);
    if let Some(started_at) = started_at {
        builder = builder.started_at(started_at);
    }
    let registry = builder.build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    Run {
        clock: clock.clone(),
        registry,
        worker,
    }
}

#[test]
fn a_shorter_uptime_starts_the_window_anew_if_the_epoch_is_the_same() {
    let clock = Hand::default();
    let before = reboot(&clock, None);
    let mut window = Window::new(minutes(5), 30).unwrap();
    before.clock.advance(600 * SECOND);
    for _ in 0..10 {
        before.push(&mut window, 1, 1_000);
    }
    let after = reboot(&clock, None);
    for push in 1..=25 {
        after.push(&mut window, 30, 1_000);
        let (wall, polls, _) = last(&window);
        let expected = push.min(10);
        assert_eq!((wall, polls), (Duration::from_secs(30 * expected), expected));
    }
}

#[test]
fn another_start_time_starts_the_window_anew_if_the_epoch_is_the_same() {
    let clock = Hand::default();
    let before = reboot(&clock, Some(1));
    let mut window = Window::new(minutes(5), 30).unwrap();
    before.push(&mut window, 10, 1_000);
    let earlier = RuntimeMetrics::new(before.registry.clone()).snapshot();
    let after = reboot(&clock, Some(2));
    for push in 1..=10 {
        after.push(&mut window, 60, 1_000);
        let (wall, polls, _) = last(&window);
        let expected = push.min(5);
        assert_eq!((wall, polls), (Duration::from_secs(60 * expected), expected));
    }
    let later = RuntimeMetrics::new(after.registry.clone()).snapshot();
    assert_eq!(later.since(&earlier).unwrap_err(), SinceError::OtherEpoch);
}

#[test]
fn a_window_that_starts_late_is_short_at_first() {
    let run = Run::start(&Hand::default());
    run.clock.advance(3_600 * SECOND);
    let mut window = Window::new(minutes(5), 30).unwrap();
    assert_eq!(window.interval().unwrap_err(), WindowError::TooFewSnapshots);
    run.push(&mut window, 10, 1_000);
    assert_eq!(window.interval().unwrap_err(), WindowError::TooFewSnapshots);
    run.push(&mut window, 10, 1_000);
    let (wall, polls, _) = last(&window);
    assert_eq!((wall, polls), (Duration::from_secs(10), 1));
}

#[test]
fn a_snapshot_at_the_start_has_an_interval() {
    let run = Run::start(&Hand::default());
    let mut window = Window::new(minutes(5), 30).unwrap();
    for _ in 0..3 {
        window
            .push(RuntimeMetrics::new(run.registry.clone()).snapshot())
            .unwrap();
        assert_eq!(window.interval().unwrap().wall(), Some(Duration::ZERO));
    }
}

#[test]
fn a_misuse_is_an_error_that_changes_nothing() {
    assert_eq!(Window::new(Duration::ZERO, 3).unwrap_err(), WindowError::Empty);
    assert_eq!(Window::new(minutes(1), 0).unwrap_err(), WindowError::Empty);
    Window::new(Duration::MAX, usize::MAX).unwrap();

    let run = Run::start(&Hand::default());
    let mut window = Window::new(minutes(5), 30).unwrap();
    run.push(&mut window, 10, 1_000);
    let untimed = Builder::new().build(NoClock).unwrap();
    assert_eq!(
        window.push(RuntimeMetrics::new(untimed).snapshot()),
        Err(WindowError::NoClock)
    );
    assert_eq!(last(&window).1, 1);
}

#[test]
fn an_interval_since_zero_has_everything() {
    let run = Run::start(&Hand::default());
    let mut window = Window::new(minutes(5), 1).unwrap();
    run.push(&mut window, 10, 1_000);
    let snapshot = RuntimeMetrics::new(run.registry.clone()).snapshot();
    let interval = snapshot.since_start();
    assert_eq!(interval.wall(), Some(Duration::from_secs(10)));
    assert_eq!(interval.total().counter(WorkerNumber::PollCount), Some(1));
    assert_eq!(interval.total().poll_time().unwrap().sum(), 1_000);
}
