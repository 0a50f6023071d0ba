//! Busy time of a runtime that the adapter built: the time during which a worker is not parked.

use super::{Measured, build, receive, settle, until};
use core::future::pending;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::tokio::TokioAdapter;
use metrics_std::{Clock, Probe, RuntimeMetrics, WorkerState};
use std::sync::{Arc, Mutex, mpsc};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, yield_now};

const SECOND: Duration = Duration::from_secs(1);

fn one_worker(clock: &Arc<ManualClock>) -> Measured {
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(clock)));
    let measured = build(adapter, Builder::new_multi_thread().worker_threads(1));
    settle(&measured.0);
    measured
}

/// Tasks outside any wrapper that keep the workers from parking, until this is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start(runtime: &Runtime) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (started, has_started) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        runtime.spawn(async move {
            started.send(()).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                yield_now().await;
            }
        });
        receive(&has_started);
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The busy time of worker 0, which the getter and a snapshot agree on.
fn busy(metrics: &RuntimeMetrics) -> Duration {
    let busy = metrics.worker_total_busy_duration(0).unwrap().unwrap();
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.worker(0).unwrap().busy_duration_total(), Some(busy));
    assert_eq!(snapshot.total().busy_duration_total(), Some(busy));
    busy
}

fn is_parked(metrics: &RuntimeMetrics) -> bool {
    let state = metrics.probe().worker_state(0);
    state.is_some_and(|state| state.parked == Some(true))
}

/// How much the busy time of worker 0 grows while the clock advances by a second.
fn busy_per_second(clock: &ManualClock, metrics: &RuntimeMetrics) -> Duration {
    let before = busy(metrics);
    clock.advance(SECOND);
    busy(metrics).checked_sub(before).unwrap()
}

#[test]
fn a_worker_that_never_parks_is_busy_all_the_time() {
    let clock = Arc::new(ManualClock::new());
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    // The worker finds work when it starts, so that it never parks.
    let adapter = TokioAdapter::builder()
        .clock(Clock::custom(Arc::clone(&clock)))
        .on_thread_start(move || {
            let _ = opened.lock().unwrap().recv();
        });
    let (runtime, metrics, _) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    // Dropped before the runtime, whose worker waits for it.
    let gate = gate;
    let load = std::thread::scope(|scope| {
        let load = scope.spawn(|| Load::start(&runtime));
        gate.send(()).unwrap();
        load.join().unwrap()
    });
    assert_eq!(busy_per_second(&clock, &metrics), SECOND);
    assert_eq!(busy_per_second(&clock, &metrics), SECOND);
    drop(load);
}

#[test]
fn a_worker_that_has_parked_before_is_busy_from_its_unpark() {
    let clock = Arc::new(ManualClock::new());
    let (runtime, metrics, _) = one_worker(&clock);
    until(|| is_parked(&metrics));
    assert_eq!(busy_per_second(&clock, &metrics), Duration::ZERO);
    let load = Load::start(&runtime);
    assert_eq!(busy_per_second(&clock, &metrics), SECOND);
    drop(load);
    until(|| is_parked(&metrics));
    assert_eq!(busy_per_second(&clock, &metrics), Duration::ZERO);
}

/// Blocks in `block_in_place` inside a task until the returned sender is used or dropped.
fn hand_over(measured: bool, (runtime, _, spawner): &Measured) -> mpsc::Sender<()> {
    let (inside, is_inside) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let blocks = async move {
        block_in_place(|| {
            inside.send(()).unwrap();
            let _ = may_leave.recv();
        });
        pending::<()>().await;
    };
    if measured {
        spawner.spawn(blocks);
    } else {
        runtime.spawn(blocks);
    }
    receive(&is_inside);
    leave
}

#[test]
fn the_time_of_a_thread_that_gave_its_worker_away_is_not_the_workers() {
    for measured in [false, true] {
        let clock = Arc::new(ManualClock::new());
        let all = one_worker(&clock);
        let (runtime, metrics, _) = &all;
        until(|| is_parked(metrics));
        let leave = hand_over(measured, &all);
        until(|| is_parked(metrics));
        assert_eq!(busy_per_second(&clock, metrics), Duration::ZERO, "it is parked");
        let load = Load::start(runtime);
        assert_eq!(busy_per_second(&clock, metrics), SECOND, "one thread runs it");
        let before = busy(metrics);
        leave.send(()).unwrap();
        drop(load);
        until(|| is_parked(metrics));
        assert_eq!(busy(metrics), before, "no time passed since");
    }
}

#[test]
fn busy_time_goes_on_where_a_worker_changes_threads() {
    let clock = Arc::new(ManualClock::new());
    let all = one_worker(&clock);
    let (runtime, metrics, _) = &all;
    until(|| is_parked(metrics));
    let before = busy(metrics);
    let load = Load::start(runtime);
    clock.advance(SECOND);
    let leave = hand_over(false, &all);
    // The thread that took the worker over finds the load in the queue and never parks.
    clock.advance(SECOND);
    assert_eq!(busy(metrics).checked_sub(before).unwrap(), 2 * SECOND);
    drop(leave);
    drop(load);
    until(|| is_parked(metrics));
    assert_eq!(busy(metrics).checked_sub(before).unwrap(), 2 * SECOND);
}

#[test]
fn busy_time_ends_with_the_runtime() {
    let clock = Arc::new(ManualClock::new());
    let (runtime, metrics, _) = one_worker(&clock);
    let load = Load::start(&runtime);
    clock.advance(SECOND);
    drop(load);
    drop(runtime);
    let before = busy(&metrics);
    assert!(before >= SECOND);
    assert_eq!(busy_per_second(&clock, &metrics), Duration::ZERO);
}

#[test]
fn a_current_thread_runtime_on_a_custom_clock_has_no_busy_time() {
    // Tokio measures it by the clock of the operating system.
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let (runtime, metrics, spawner) = build(adapter, &mut Builder::new_current_thread());
    runtime
        .block_on(spawner.spawn(async move { clock.advance(Duration::from_millis(40)) }))
        .unwrap();
    runtime.block_on(async { tokio::time::sleep(Duration::from_nanos(1)).await });
    let snapshot = metrics.snapshot();
    let polls = snapshot.total().poll_time().unwrap().histogram().sum();
    assert_eq!(polls, 40_000_000);
    assert_eq!(metrics.busy_duration_total().unwrap(), None);
    assert_eq!(metrics.worker_total_busy_duration(0).unwrap(), None);
    assert_eq!(snapshot.total().busy_duration_total(), None);
    assert_eq!(snapshot.worker(0).unwrap().busy_duration_total(), None);
}

#[test]
fn a_worker_that_runs_tasks_is_never_idle() {
    let clock = Arc::new(ManualClock::new());
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    // It finds work when it starts, so that no hook is called and its thread has no slot.
    let adapter = TokioAdapter::builder()
        .clock(Clock::custom(clock))
        .on_thread_start(move || {
            let _ = opened.lock().unwrap().recv();
        });
    let (runtime, metrics, _) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let state = || metrics.snapshot().worker(0).unwrap().state();
    // Dropped before the runtime, whose worker waits for it.
    let gate = gate;
    let load = std::thread::scope(|scope| {
        let load = scope.spawn(|| Load::start(&runtime));
        gate.send(()).unwrap();
        load.join().unwrap()
    });
    if cfg!(tokio_unstable) {
        // The task hooks see the polls of the load.
        assert!(matches!(state(), None | Some(WorkerState::Polling)));
    } else {
        assert_eq!(state(), None, "Tokio does not tell a search from running");
    }
    drop(load);
    until(|| state() == Some(WorkerState::Parked));
    drop(runtime);
    assert_eq!(state(), Some(WorkerState::Idle));
}
