//! Runtimes that were built elsewhere and attached to.

use super::{receive, settle, until, whole_snapshot, yields};
use core::future::pending;
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::tokio::{AttachError, MeasuredRuntime, TokioAdapter, attach, attach_current};
use metrics_std::watchdog::{StallKind, StallScanner};
use metrics_std::{Clock, HistogramConfig, RuntimeMetrics, WorkerSnapshot, WorkerState};
use std::sync::{Arc, mpsc};
use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime of each flavour that this crate did not build.
fn runtimes() -> [Runtime; 2] {
    [multi_thread(2), Builder::new_current_thread().build().unwrap()]
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .build()
        .unwrap()
}

fn states(metrics: &RuntimeMetrics) -> Vec<Option<WorkerState>> {
    metrics
        .snapshot()
        .workers()
        .iter()
        .map(WorkerSnapshot::state)
        .collect()
}

#[test]
fn spawned_tasks_are_measured_in_the_rows_of_their_workers() {
    for runtime in runtimes() {
        let MeasuredRuntime { metrics, spawner, .. } = attach(runtime.handle()).unwrap();
        runtime.block_on(async {
            let tasks = [(); 8].map(|()| spawner.spawn(yields(10)));
            for task in tasks {
                task.await.unwrap();
            }
        });
        until(|| metrics.completed_tasks_count() == Some(8));
        let mut snapshot = whole_snapshot(&metrics);
        // A task may be counted before its last poll is submitted.
        until(|| {
            snapshot = whole_snapshot(&metrics);
            snapshot.total().poll_count() == Some(88)
        });
        let workers = runtime.metrics().num_workers();
        assert_eq!(snapshot.num_workers(), Some(workers));
        assert_eq!(snapshot.total().poll_time().unwrap().histogram().count(), 88);
        let polls = |worker| {
            snapshot
                .worker(worker)
                .map_or(0, |worker| worker.poll_count().unwrap())
        };
        let of_workers: u64 = (0..workers).map(polls).sum();
        assert_eq!(of_workers, 88, "none is external");
        assert_eq!(snapshot.spawned_tasks_count(), Some(8));
    }
}

#[test]
fn numbers_of_tokio_are_those_of_the_whole_runtime() {
    let runtime = multi_thread(2);
    let task = runtime.spawn(pending::<()>());
    let MeasuredRuntime { metrics, spawner, .. } = attach(runtime.handle()).unwrap();
    assert_eq!(
        metrics.num_alive_tasks(),
        Some(1),
        "the task that watches for the end does not count"
    );
    assert_eq!(metrics.covered_tasks(), Some(0));
    drop(spawner.spawn(pending::<()>()));
    assert_eq!(metrics.num_alive_tasks(), Some(2));
    assert_eq!(metrics.covered_tasks(), Some(1));
    until(|| metrics.global_queue_depth() == Some(0));
    #[cfg(target_has_atomic = "64")]
    {
        let busy = |worker| Some(runtime.metrics().worker_total_busy_duration(worker));
        // A worker that was notified while it searched may run once more after both have parked, so each pair is compared until it agrees.
        until(|| metrics.worker_total_busy_duration(0) == Ok(busy(0)));
        until(|| metrics.snapshot().worker(1).unwrap().busy_duration_total() == busy(1));
        until(|| metrics.worker_park_count(1) == Ok(Some(runtime.metrics().worker_park_count(1))));
    }
    task.abort();
}

#[cfg(target_has_atomic = "64")]
#[test]
fn an_idle_worker_is_parked_whether_or_not_its_thread_has_a_slot() {
    let runtime = multi_thread(2);
    let MeasuredRuntime { metrics, spawner, .. } = attach(runtime.handle()).unwrap();
    // The task that watches for the runtime's end may wake a worker again after both have parked.
    let all_parked = || {
        let snapshot = metrics.snapshot();
        let states: Vec<_> = snapshot.workers().iter().map(WorkerSnapshot::state).collect();
        states == [Some(WorkerState::Parked); 2] && snapshot.num_parked_workers() == Some(2)
    };
    until(all_parked);
    runtime.block_on(spawner.spawn(yields(10))).unwrap();
    until(all_parked);
}

#[cfg(target_has_atomic = "64")]
#[test]
fn a_worker_that_runs_tasks_of_others_is_neither_parked_nor_idle() {
    let runtime = multi_thread(1);
    let metrics = attach(runtime.handle()).unwrap().metrics;
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    runtime.spawn(async move {
        begun.send(()).unwrap();
        may_end.recv().unwrap();
    });
    receive(&has_begun);
    assert_eq!(
        states(&metrics),
        [None],
        "Tokio does not tell a search from running"
    );
    assert_eq!(metrics.snapshot().num_parked_workers(), Some(0));
    end.send(()).unwrap();
}

#[test]
fn a_current_thread_runtime_that_no_thread_drives_is_not_running() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let MeasuredRuntime { metrics, spawner, .. } = attach(runtime.handle()).unwrap();
    runtime.block_on(spawner.spawn(yields(3))).unwrap();
    let state = metrics.snapshot().worker(0).unwrap().state();
    assert!(!matches!(
        state,
        Some(WorkerState::Polling | WorkerState::Running | WorkerState::Searching)
    ));
    assert_eq!(metrics.poll_count(), Ok(Some(4)));
}

#[test]
fn the_end_of_the_runtime_is_noticed() {
    for runtime in runtimes() {
        let handle = runtime.handle().clone();
        let MeasuredRuntime { metrics, spawner, .. } = attach(&handle).unwrap();
        runtime.block_on(spawner.spawn(yields(3))).unwrap();
        drop(spawner.spawn(pending::<()>()));
        let is_multi_thread = metrics.num_workers() == Some(2);
        drop(runtime);
        assert_eq!(metrics.num_alive_tasks(), Some(0));
        assert_eq!(metrics.cancelled_tasks_count(), Some(1));
        assert_eq!(metrics.global_queue_depth(), Some(0));
        if is_multi_thread {
            until(|| states(&metrics) == [Some(WorkerState::Idle); 2]);
        }
        let before = metrics.snapshot();
        let after = metrics.snapshot();
        let busy = |snapshot: &metrics_std::Snapshot| snapshot.total().busy_duration_total();
        assert_eq!(busy(&before), busy(&after));
        assert_eq!(attach(&handle).unwrap_err(), AttachError::RuntimeEnded);
    }
}

#[test]
fn nothing_stays_of_a_runtime_that_has_shut_down() {
    for runtime in runtimes() {
        let attached = attach(runtime.handle()).unwrap();
        runtime.block_on(attached.spawner.spawn(yields(3))).unwrap();
        let registry = Arc::downgrade(attached.metrics.registry());
        drop(attached);
        assert!(registry.upgrade().is_some(), "it is measured until it ends");
        runtime.shutdown_background();
        // The slot of this thread, which may have driven the runtime, is given back when it next polls a measured task.
        let other = Builder::new_current_thread().build().unwrap();
        let other = (attach(other.handle()).unwrap().spawner, other);
        other.1.block_on(other.0.spawn(async {})).unwrap();
        until(|| registry.upgrade().is_none());
    }
}

#[test]
fn attaching_twice_gives_the_same_metrics() {
    for runtime in runtimes() {
        let first = attach(runtime.handle()).unwrap();
        runtime.block_on(first.spawner.spawn(async {})).unwrap();
        drop(first);
        let _inside = runtime.enter();
        let second = attach_current().unwrap().metrics;
        assert_eq!(second.completed_tasks_count(), Some(1));
        let third = TokioAdapter::builder().attach(runtime.handle()).unwrap().metrics;
        assert!(Arc::ptr_eq(second.registry(), third.registry()));
    }
}

#[test]
fn attaching_to_a_runtime_that_the_adapter_built_gives_its_metrics() {
    let built = TokioAdapter::builder()
        .build(&mut Builder::new_current_thread())
        .unwrap();
    let attached = attach(built.runtime.handle()).unwrap();
    assert!(Arc::ptr_eq(built.metrics.registry(), attached.metrics.registry()));
}

#[test]
fn attaching_with_other_options_is_an_error() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let clock = Clock::custom(ManualClock::new());
    let adapter = || {
        let adapter = TokioAdapter::builder().name("api").clock(clock.clone());
        adapter.configure(|builder| builder.locations(4))
    };
    let attached = adapter().attach(runtime.handle()).unwrap();
    let linear = HistogramConfig::linear(50_000, 20).unwrap();
    let others = [
        TokioAdapter::builder().clock(clock.clone()),
        adapter().clock(Clock::custom(ManualClock::new())),
        adapter().configure(|builder| builder.poll_time(linear)),
        adapter().configure(|builder| builder.locations(8)),
        adapter().configure(metrics_std::Builder::census),
        adapter().configure(|builder| builder.flight_recorder(64)),
        adapter().configure(|builder| builder.submit_interval(Duration::from_secs(1))),
        adapter().configure(|builder| builder.poll_time_sampling(metrics_std::Sampling::Off)),
    ];
    for other in others {
        let error = other.attach(runtime.handle()).unwrap_err();
        let name = "api".to_owned();
        assert_eq!(error, AttachError::OtherOptions { name });
        assert!(error.to_string().contains("\"api\""));
    }
    let again = adapter().attach(runtime.handle()).unwrap();
    assert!(Arc::ptr_eq(attached.metrics.registry(), again.metrics.registry()));
}

#[test]
fn attaching_needs_a_runtime_and_takes_no_callbacks() {
    assert_eq!(attach_current().unwrap_err(), AttachError::NoRuntime);
    let runtime = Builder::new_current_thread().build().unwrap();
    let adapter = TokioAdapter::builder().on_thread_park(|| ());
    assert_eq!(
        adapter.attach(runtime.handle()).unwrap_err(),
        AttachError::Callbacks
    );
}

#[test]
fn threads_that_attach_at_once_get_one_registry() {
    let runtime = multi_thread(1);
    let attach = |_| {
        let handle: Handle = runtime.handle().clone();
        std::thread::spawn(move || attach(&handle).unwrap().metrics)
    };
    let all: Vec<_> = (0..4).map(attach).collect();
    let all: Vec<_> = all.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(
        all.iter()
            .all(|metrics| Arc::ptr_eq(metrics.registry(), all[0].registry()))
    );
    assert_eq!(all[0].num_alive_tasks(), Some(0));
}

/// Scans before, during and after a task blocks the only worker of an attached runtime.
#[cfg(target_has_atomic = "64")]
fn stalls(
    block: impl FnOnce(&MeasuredRuntime<Handle>, mpsc::Receiver<()>, mpsc::Sender<()>),
) -> Vec<StallKind> {
    let clock = Arc::new(ManualClock::new());
    clock.advance(Duration::from_secs(1));
    let runtime = multi_thread(1);
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let attached = adapter.attach(runtime.handle()).unwrap();
    settle(&runtime);
    until(|| states(&attached.metrics) == [Some(WorkerState::Parked)]);
    let mut scanner = StallScanner::new(&attached.metrics, Duration::from_millis(20));
    let mut stalls = Vec::new();
    let mut scan = |scanner: &mut StallScanner<_, _>| scanner.scan(|stall| stalls.push(stall.kind));
    scan(&mut scanner);
    clock.advance(Duration::from_millis(60));
    scan(&mut scanner);
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel();
    block(&attached, may_end, begun);
    receive(&has_begun);
    scan(&mut scanner);
    clock.advance(Duration::from_millis(60));
    scan(&mut scanner);
    drop(end);
    until(|| states(&attached.metrics) == [Some(WorkerState::Parked)]);
    scan(&mut scanner);
    stalls
}

#[cfg(target_has_atomic = "64")]
#[test]
fn a_block_is_reported_and_an_idle_worker_is_not() {
    let measured = stalls(|attached, may_end, begun| {
        drop(attached.spawner.spawn(async move {
            begun.send(()).unwrap();
            let _ = may_end.recv();
        }));
    });
    assert_eq!(measured, [StallKind::Poll; 2]);
    let unmeasured = stalls(|attached, may_end, begun| {
        drop(attached.runtime.spawn(async move {
            begun.send(()).unwrap();
            let _ = may_end.recv();
        }));
    });
    assert_eq!(unmeasured, [StallKind::NoProgress; 2]);
}

#[cfg(target_has_atomic = "64")]
#[test]
fn a_poll_that_handed_its_worker_over_is_no_stall() {
    let stalls = stalls(|attached, may_end, begun| {
        let metrics = attached.metrics.clone();
        drop(attached.spawner.spawn(async move {
            tokio::task::block_in_place(|| {
                // Another thread runs the worker, and parks.
                until(|| metrics.snapshot().num_parked_workers() == Some(1));
                begun.send(()).unwrap();
                let _ = may_end.recv();
            });
        }));
    });
    assert_eq!(stalls, []);
}
