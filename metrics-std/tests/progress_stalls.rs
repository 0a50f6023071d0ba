//! Stalls of workers whose runtime reports their progress, found by explicit scans with a clock that only the test advances.
#![allow(missing_docs)]

use core::time::Duration;
use metrics_core::ProbedState;
use metrics_mock::ManualClock;
use metrics_std::watchdog::{Stall, StallKind, StallPhase, StallScanner};
use metrics_std::{
    Builder, Clock, HistogramConfig, MetricSet, PollStart, Probe, ProcessProbe, Registry, RuntimeHandles,
    Worker, build,
};
use portable_atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

/// A runtime of two workers, of which only one reports its progress.
#[derive(Clone, Default)]
struct Progress(Arc<State>);

#[derive(Default)]
struct State {
    worker: AtomicU64,
    progress: AtomicU64,
    panics: AtomicBool,
}

impl Progress {
    fn of_worker(worker: u64) -> Self {
        let progress = Self::default();
        progress.0.worker.store(worker, Ordering::Relaxed);
        progress
    }

    fn advance(&self) {
        self.0.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Probe for Progress {
    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        if self.0.panics.load(Ordering::Relaxed) {
            // Without the panic hook, which would print.
            std::panic::resume_unwind(Box::new("the probe's own panic"));
        }
        (worker as u64 == self.0.worker.load(Ordering::Relaxed)).then(|| ProbedState {
            parked: Some(false),
            progress: Some(self.0.progress.load(Ordering::Relaxed)),
            ..ProbedState::default()
        })
    }
}

struct Fixture {
    clock: Arc<ManualClock>,
    progress: Progress,
    workers: Vec<Worker>,
    scanner: StallScanner<Arc<Registry>, ProcessProbe>,
}

impl Fixture {
    /// Creates a runtime of which this worker reports its progress.
    fn new(worker: u64) -> Self {
        let clock = Arc::new(ManualClock::new());
        let progress = Progress::of_worker(worker);
        let builder = Builder::new()
            .measures(MetricSet::ALL)
            .workers(2)
            .poll_time(HistogramConfig::DEFAULT);
        let RuntimeHandles { metrics, workers } =
            build(builder, Clock::custom(Arc::clone(&clock)), progress.clone()).unwrap();
        Self {
            scanner: StallScanner::new(&metrics, Duration::from_millis(20)),
            clock,
            progress,
            workers,
        }
    }

    fn start_poll(&self) {
        self.workers[0].start_poll(PollStart::default());
    }

    /// Scans after this time. Returns the worker, kind, phase and duration in milliseconds of each report.
    fn scan_after(&mut self, millis: u64) -> Vec<(usize, StallKind, StallPhase, u128)> {
        self.clock.advance(Duration::from_millis(millis));
        let mut stalls = Vec::new();
        self.scanner.scan(|stall: &Stall| {
            let worker = stall.worker.unwrap();
            stalls.push((worker, stall.kind, stall.phase, stall.lasted.as_millis()));
        });
        stalls
    }
}

#[test]
fn a_worker_that_makes_progress_during_a_poll_was_handed_over() {
    let mut fixture = Fixture::new(0);
    fixture.start_poll();
    assert_eq!(fixture.scan_after(0), []);
    fixture.progress.advance();
    for _ in 0..3 {
        assert_eq!(fixture.scan_after(30), []);
    }
    fixture.workers[0].end_poll();
    fixture.start_poll();
    assert_eq!(
        fixture.scan_after(30),
        [(0, StallKind::Poll, StallPhase::Ongoing, 30)]
    );
}

#[test]
fn a_stall_goes_on_when_the_progress_becomes_unknown() {
    let mut fixture = Fixture::new(0);
    fixture.start_poll();
    assert_eq!(fixture.scan_after(0), []);
    assert_eq!(
        fixture.scan_after(30),
        [(0, StallKind::Poll, StallPhase::Ongoing, 30)]
    );
    fixture.progress.0.panics.store(true, Ordering::Relaxed);
    assert_eq!(fixture.scan_after(30), []);
    fixture.workers[0].end_poll();
    assert_eq!(
        fixture.scan_after(0),
        [(0, StallKind::Poll, StallPhase::Over, 60)]
    );
}

#[test]
fn every_worker_is_watched_whatever_the_others_do() {
    let mut fixture = Fixture::new(1);
    fixture.workers[1].start_processing_scheduled_tasks();
    fixture.start_poll();
    assert_eq!(fixture.scan_after(0), []);
    assert_eq!(
        fixture.scan_after(30),
        [
            (0, StallKind::Poll, StallPhase::Ongoing, 30),
            (1, StallKind::NoProgress, StallPhase::Ongoing, 30),
        ]
    );
}
