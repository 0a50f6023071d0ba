//! Stalls on real workers, found by explicit scans with a clock that only the test advances.

use super::{LIMIT, build, receive, until};
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use metrics_core::{HeapStorage, RegistryRef};
use metrics_mock::ManualClock;
use metrics_std::tokio::{TokioAdapter, watch_loop_lag};
use metrics_std::watchdog::{Stall, StallKind, StallPhase, StallScanner};
use metrics_std::{Clock, Probe, RuntimeMetrics, WorkerState};
use std::sync::{Arc, mpsc};
use tokio::runtime::Builder;

fn scan<R: RegistryRef<Storage = HeapStorage>, P: Probe>(
    scanner: &mut StallScanner<R, P>,
) -> Vec<(StallPhase, StallKind, Option<u32>)> {
    let line = |location: &str| location.rsplit(':').next().unwrap().parse().unwrap();
    let mut stalls = Vec::new();
    scanner.scan(|stall: &Stall| {
        let line = stall.spawn_location.as_deref().map(line);
        stalls.push((stall.phase, stall.kind, line));
    });
    stalls
}

/// Runs a task that blocks its worker, spawned by `spawn`, and scans before, during and after the stall.
fn stall(measured: bool) -> (Vec<(StallPhase, StallKind, Option<u32>)>, u32) {
    let clock = Arc::new(ManualClock::new());
    clock.advance(Duration::from_secs(1));
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let parked = || {
        metrics
            .live(0)
            .is_some_and(|live| live.state == WorkerState::Parked)
    };
    until(parked);
    let mut scanner = StallScanner::new(&metrics, Duration::from_millis(20));
    assert_eq!(scan(&mut scanner), []);

    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let blocks = async move {
        begun.send(()).unwrap();
        may_end.recv().unwrap();
    };
    let (task, line) = if measured {
        (spawner.spawn(blocks), line!())
    } else {
        (runtime.spawn(blocks), line!())
    };
    receive(&has_begun);
    let mut stalls = scan(&mut scanner);
    clock.advance(Duration::from_millis(60));
    stalls.extend(scan(&mut scanner));
    end.send(()).unwrap();
    runtime.block_on(task).unwrap();
    until(parked);
    stalls.extend(scan(&mut scanner));
    (stalls, line)
}

#[test]
fn a_measured_task_that_blocks_its_worker_is_told_with_its_spawn_site() {
    let (stalls, line) = stall(true);
    let phases = [StallPhase::Ongoing, StallPhase::Over];
    assert_eq!(stalls, phases.map(|phase| (phase, StallKind::Poll, Some(line))));
}

#[test]
fn a_task_that_no_wrapper_sees_shows_as_no_progress() {
    let (stalls, line) = stall(false);
    let phases = [StallPhase::Ongoing, StallPhase::Over];
    if cfg!(tokio_unstable) {
        assert_eq!(
            stalls,
            phases.map(|phase| (phase, StallKind::Poll, Some(line))),
            "the hooks see it"
        );
    } else if cfg!(target_has_atomic = "64") {
        assert_eq!(stalls, phases.map(|phase| (phase, StallKind::NoProgress, None)));
    } else {
        assert_eq!(stalls, [], "Tokio keeps no numbers there that could stand still");
    }
}

/// Wakes itself in each poll until a scan reports a stall of this kind. `yield_now` would turn the driver.
async fn polls_until(metrics: &RuntimeMetrics, kind: StallKind) {
    let mut scanner = StallScanner::new(metrics, Duration::from_millis(20));
    let mut found = false;
    let began = std::time::Instant::now();
    poll_fn(|cx| {
        assert!(began.elapsed() < LIMIT, "it is not found");
        scanner.scan(|stall| found |= stall.kind == kind);
        cx.waker().wake_by_ref();
        if found { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn short_polls_that_keep_the_driver_waiting_are_a_queue_stall() {
    let mut builder = Builder::new_current_thread();
    // The number of polls between two turns of the driver.
    builder.event_interval(u32::MAX);
    let (runtime, metrics, spawner) = build(TokioAdapter::builder(), &mut builder);
    let _probe = watch_loop_lag(&spawner, Duration::from_millis(1));
    let task = spawner.spawn({
        let metrics = metrics.clone();
        async move { polls_until(&metrics, StallKind::Queue).await }
    });
    runtime.block_on(task).unwrap();
    assert!(metrics.queue_stall_count() >= Some(1));
}
