//! The count and the duration of stalls in the snapshots of a runtime, on a clock that only the test advances.
#![allow(missing_docs)]

use core::time::Duration;
use metrics_core::{HeapStorage, RegistryRef, TimeSource};
use metrics_mock::ManualClock;
use metrics_std::watchdog::{Stall, StallKind, StallScanner};
use metrics_std::{
    Builder, Clock, HistogramConfig, HistogramSnapshot, MetricSet, NoProbe, PollStart, Probe, RuntimeHandles,
    RuntimeMetrics, Worker, build,
};
use std::sync::Arc;

const THRESHOLD: Duration = Duration::from_millis(20);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn runtime() -> (Arc<ManualClock>, RuntimeMetrics, Vec<Worker>) {
    let clock = Arc::new(ManualClock::new());
    let builder = Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(HistogramConfig::DEFAULT);
    let RuntimeHandles { metrics, workers } =
        build(builder, Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
    (clock, metrics, workers)
}

/// Scans once, which reports one stall.
fn scan_one<R: RegistryRef<Storage = HeapStorage>, P: Probe>(scanner: &mut StallScanner<R, P>) -> Stall {
    let mut stalls = Vec::new();
    scanner.scan(|stall| stalls.push(stall.clone()));
    let [stall] = <[_; 1]>::try_from(stalls).expect("one stall");
    stall
}

#[test]
fn stalls_are_counted_in_the_snapshot_that_everyone_reads() {
    let (clock, metrics, workers) = runtime();
    assert_eq!(metrics.snapshot().poll_stall_count(), None, "no watchdog looks");
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    assert_eq!(metrics.snapshot().poll_stall_count(), Some(0));
    assert_eq!(
        metrics.snapshot().no_progress_stall_count(),
        None,
        "this runtime has no sign of progress"
    );
    // A second watchdog reports the same stalls, and counts none.
    let mut second = StallScanner::new(&metrics, THRESHOLD);
    for n in 1..=3 {
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(30));
        scan_one(&mut scanner);
        scan_one(&mut second);
        assert_eq!(metrics.poll_stall_count(), Some(n), "while it lasts");
        workers[0].end_poll();
        scan_one(&mut scanner);
        scan_one(&mut second);
        assert_eq!(metrics.snapshot().poll_stall_count(), Some(n), "counted once");
    }
    drop((scanner, second));
    assert_eq!(metrics.snapshot().poll_stall_count(), Some(3));
    let mut next = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(30));
    scan_one(&mut next);
    assert_eq!(metrics.snapshot().poll_stall_count(), Some(4));
}

#[test]
fn a_refused_watchdog_adds_no_durations() {
    let (_clock, metrics, _workers) = runtime();
    let _scanner = StallScanner::new(&metrics, THRESHOLD);
    let kinds = [StallKind::Poll, StallKind::NoProgress];
    assert!(!metrics.registry().shared().begin_stall_watch(&kinds));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.poll_stall_duration().unwrap().count(), 0);
    assert!(snapshot.no_progress_stall_duration().is_none());
}

#[test]
fn durations_of_stalls_are_recorded_when_they_are_over() {
    let (clock, metrics, workers) = runtime();
    let recorded = || {
        metrics
            .snapshot()
            .poll_stall_duration()
            .map(HistogramSnapshot::sum)
    };
    assert_eq!(recorded(), None, "no watchdog looks");
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    let mut stall = |lasted: u64, steps_back| {
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(30));
        let before = recorded();
        scan_one(&mut scanner);
        assert_eq!(recorded(), before, "it is not over");
        clock.advance(millis(lasted - 30));
        if steps_back {
            clock.set_ticks(clock.now().ticks() - 10_000_000);
        }
        workers[0].end_poll();
        scan_one(&mut scanner);
        recorded()
    };
    assert_eq!(stall(30, false), Some(30_000_000));
    assert_eq!(stall(70, false), Some(100_000_000));
    assert_eq!(stall(30, true), Some(100_000_000), "not known across a step");
    assert!(metrics.snapshot().no_progress_stall_duration().is_none());
}
