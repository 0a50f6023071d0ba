//! The future of `block_on`: counted apart from tasks, and shown while it is polled.

use super::{read, settle, until, yields};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::watchdog::{Stall, StallPhase, StallScanner};
use metrics_std::{Clock, Measured, RuntimeMetrics, WorkerState};
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle, LocalOptions, Runtime, RuntimeFlavor};

fn builders() -> [Builder; 2] {
    let mut multi_thread = Builder::new_multi_thread();
    multi_thread.worker_threads(1);
    [multi_thread, Builder::new_current_thread()]
}

/// The state of the row in which the polls of this thread are recorded, and the location that it shows.
fn shown(metrics: &RuntimeMetrics, is_worker: bool) -> (Option<WorkerState>, String) {
    let snapshot = metrics.snapshot();
    let row = if is_worker {
        snapshot.worker(0)
    } else {
        snapshot.external()
    };
    row.map_or((None, String::new()), |row| {
        (row.state(), row.spawn_location_name().replace('\\', "/"))
    })
}

fn root_at(line: u32) -> (Option<WorkerState>, String) {
    let place = format!("root future at metrics-std/tests/tokio/root_future.rs:{line}");
    (Some(WorkerState::Polling), place)
}

#[test]
fn a_root_future_is_shown_while_it_is_polled_and_counts_only_root_polls() {
    for mut builder in builders() {
        let measured = TokioAdapter::builder().build(&mut builder).unwrap();
        let metrics = measured.metrics.clone();
        let is_worker = measured.runtime.handle().runtime_flavor() == RuntimeFlavor::CurrentThread;
        // `Rc` is not `Send`.
        let held = Rc::new(());
        let line = line!() + 1;
        measured.block_on(async {
            assert_eq!(shown(&metrics, is_worker), root_at(line));
            yields(2).await;
            assert_eq!(shown(&metrics, is_worker), root_at(line));
            drop(held);
        });
        assert_eq!(read(|| metrics.root_polls()), Some(3));
        assert_eq!(read(|| metrics.poll_count()), Some(0));
        assert_eq!(
            metrics
                .snapshot()
                .total()
                .poll_time()
                .unwrap()
                .histogram()
                .count(),
            0
        );
        assert_ne!(shown(&metrics, is_worker), root_at(line));
    }
}

#[test]
fn a_root_future_is_shown_again_after_a_task_inside_it() {
    for mut builder in builders() {
        let measured = TokioAdapter::builder().build(&mut builder).unwrap();
        let metrics = measured.metrics.clone();
        let is_worker = measured.runtime.handle().runtime_flavor() == RuntimeFlavor::CurrentThread;
        let line = line!() + 1;
        measured.block_on(async {
            // Polled here, within one poll of the root future.
            let task = measured.spawner.measure(async { shown(&metrics, is_worker) });
            let inside = task.await;
            assert!(
                inside.0 == Some(WorkerState::Polling) && !inside.1.starts_with("root"),
                "{inside:?}"
            );
            assert_eq!(shown(&metrics, is_worker), root_at(line));
        });
        assert_eq!(read(|| metrics.root_polls()), Some(1));
        assert_eq!(read(|| metrics.poll_count()), Some(1));
    }
}

/// The reports of a scan during a root future's poll of 300 ms and of one after it.
fn stalls(measured: &MeasuredRuntime, clock: &ManualClock) -> (Vec<Stall>, u32) {
    let is_parked = || shown(&measured.metrics, true).0 == Some(WorkerState::Parked);
    if measured.runtime.handle().runtime_flavor() != RuntimeFlavor::CurrentThread {
        settle(&measured.runtime);
        until(is_parked);
    }
    let mut scanner = StallScanner::new(&measured.metrics, Duration::from_millis(100));
    let mut reports = Vec::new();
    let mut scan = |scanner: &mut StallScanner<_, _>| scanner.scan(|stall| reports.push(stall.clone()));
    let line = line!() + 1;
    measured.block_on(async {
        scan(&mut scanner);
        clock.advance(Duration::from_millis(300));
        scan(&mut scanner);
    });
    scan(&mut scanner);
    (reports, line)
}

#[test]
fn a_root_future_that_blocks_is_reported_with_its_line() {
    for mut builder in builders() {
        let clock = Arc::new(ManualClock::new());
        clock.advance(Duration::from_secs(1));
        let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
        let (stalls, line) = stalls(&adapter.build(&mut builder).unwrap(), &clock);
        let phases: Vec<_> = stalls.iter().map(|stall| stall.phase).collect();
        assert_eq!(phases, [StallPhase::Ongoing, StallPhase::Over]);
        for stall in stalls {
            assert!(stall.is_root);
            assert_eq!(stall.lasted, Duration::from_millis(300));
            let text = stall.to_string().replace('\\', "/");
            let place = format!(", of the root future at metrics-std/tests/tokio/root_future.rs:{line}");
            assert!(text.ends_with(&place), "{text}");
        }
    }
}

#[test]
fn an_attached_runtime_measures_a_root_future_in_place() {
    let runtime: Runtime = Builder::new_current_thread().build().unwrap();
    let MeasuredRuntime { metrics, .. } = metrics_std::tokio::attach(runtime.handle()).unwrap();
    // As in a function with `#[tokio::main]`.
    runtime.block_on(async {
        let line = line!() + 1;
        let root = Measured::root(&metrics, async {
            assert_eq!(shown(&metrics, true), root_at(line));
        });
        root.await;
    });
    assert_eq!(metrics.root_polls(), Ok(Some(1)));
    let handle: MeasuredRuntime<Handle> = metrics_std::tokio::attach(runtime.handle()).unwrap();
    handle.block_on(yields(1));
    assert_eq!(metrics.root_polls(), Ok(Some(3)));
}

#[test]
fn a_local_runtime_measures_its_root_future() {
    let mut builder = Builder::new_current_thread();
    let measured = TokioAdapter::builder()
        .build_local(&mut builder, LocalOptions::default())
        .unwrap();
    measured.block_on(yields(1));
    assert_eq!(measured.metrics.root_polls(), Ok(Some(2)));
}
