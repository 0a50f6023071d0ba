//! Spawning on the current runtime with this crate's functions, where it is measured and where it is not.

use super::{LIMIT, until, yields};
use core::cell::Cell;
use core::future::{pending, poll_fn};
use core::panic::AssertUnwindSafe;
use metrics_std::tokio::{
    JoinSet, MeasuredRuntime, TokioAdapter, attach, spawn, spawn_blocking, spawn_local,
};
use metrics_std::{RuntimeMetrics, WorkerState};
use std::panic::catch_unwind;
use std::sync::Once;
use std::time::Instant;
use tokio::runtime::{Builder, Handle, LocalOptions, Runtime};
use tokio::task::{LocalSet, yield_now};

fn unmeasured() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Runtimes of both flavours, built by the adapter and attached to.
fn measured() -> Vec<(Runtime, RuntimeMetrics)> {
    let builders = [Builder::new_multi_thread, Builder::new_current_thread];
    let built = builders.map(|new| {
        let MeasuredRuntime { runtime, metrics, .. } =
            TokioAdapter::builder().build(new().enable_time()).unwrap();
        (runtime, metrics)
    });
    let attached = builders.map(|new| {
        let runtime = new().enable_time().build().unwrap();
        let metrics = attach(runtime.handle()).unwrap().metrics;
        (runtime, metrics)
    });
    built.into_iter().chain(attached).collect()
}

/// Tasks spawned and completed so far.
fn tasks(metrics: &RuntimeMetrics) -> (u64, u64) {
    let spawned = metrics.spawned_tasks_count().unwrap();
    until(|| metrics.completed_tasks_count().unwrap() >= spawned);
    (spawned, metrics.completed_tasks_count().unwrap())
}

fn blocking_waits(metrics: &RuntimeMetrics) -> u64 {
    metrics.snapshot().blocking_queue_wait().unwrap().count()
}

#[test]
fn tasks_are_measured_from_inside_and_outside_a_task() {
    for (runtime, metrics) in measured() {
        // The thread of `block_on` may be no worker, and the outer task's is one.
        runtime.block_on(async {
            spawn(async { spawn(yields(3)).await.unwrap() }).await.unwrap();
        });
        assert_eq!(tasks(&metrics), (2, 2));
        // A busy worker submits within the interval.
        until(|| metrics.poll_count().is_ok_and(|polls| polls >= Some(5)));
    }
}

#[test]
fn closures_are_measured_and_can_spawn() {
    for (runtime, metrics) in measured() {
        runtime.block_on(async {
            let task = spawn_blocking(|| spawn(async { 7 })).await.unwrap();
            assert_eq!(task.await.unwrap(), 7);
        });
        assert_eq!(blocking_waits(&metrics), 1);
        assert_eq!(tasks(&metrics), (1, 1));
    }
}

#[test]
fn local_tasks_are_measured() {
    for (runtime, metrics) in measured() {
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            spawn_local(yields(2)).await.unwrap();
            drop(spawn_local(pending::<()>()));
        });
        assert_eq!(metrics.completed_tasks_count(), Some(1));
        assert_eq!(metrics.num_alive_tasks(), Some(1));
    }
    let mut builder = Builder::new_current_thread();
    let built = TokioAdapter::builder()
        .build_local(&mut builder, LocalOptions::default())
        .unwrap();
    built
        .runtime
        .block_on(async { spawn_local(yields(2)).await.unwrap() });
    assert_eq!(tasks(&built.metrics), (1, 1));
}

#[test]
fn an_unmeasured_runtime_runs_the_tasks() {
    let runtime = unmeasured();
    let sum = runtime.block_on(async {
        let mut set: JoinSet<u32> = (0..3).map(|n| async move { n }).collect();
        set.spawn(async { 10 });
        set.spawn_on(async { 20 }, &Handle::current());
        set.spawn_blocking(|| 30);
        set.spawn_blocking_on(|| 40, &Handle::current());
        let first = spawn(async { 50 }).await.unwrap() + spawn_blocking(|| 60).await.unwrap();
        first + set.join_all().await.into_iter().sum::<u32>()
    });
    assert_eq!(sum, 3 + 10 + 20 + 30 + 40 + 50 + 60);
    let sum = LocalSet::new().block_on(&runtime, async {
        let local = LocalSet::new();
        let mut set = JoinSet::new();
        set.spawn_local(async { 1 });
        set.spawn_local_on(async { 2 }, &local);
        local.await;
        set.join_all().await.into_iter().sum::<u32>() + spawn_local(async { 4 }).await.unwrap()
    });
    assert_eq!(sum, 7);
}

#[test]
fn every_way_to_spawn_in_a_join_set_is_measured() {
    for (runtime, metrics) in measured() {
        let other = unmeasured();
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let inner = LocalSet::new();
            let mut set: JoinSet<u32> = (0..2).map(|n| async move { n }).collect();
            set.extend([async { 2 }]);
            set.spawn(async { 3 });
            set.spawn_on(async { 4 }, runtime.handle());
            set.spawn_local(async { 5 });
            set.spawn_local_on(async { 6 }, &inner);
            set.spawn_on(async { 7 }, other.handle());
            inner.await;
            set.spawn_blocking(|| 8);
            set.spawn_blocking_on(|| 9, runtime.handle());
            set.spawn_blocking_on(|| 10, other.handle());
            assert_eq!(set.join_all().await.into_iter().sum::<u32>(), 55);
        });
        assert_eq!(tasks(&metrics), (7, 7), "all but those of the other runtime");
        assert_eq!(blocking_waits(&metrics), 2);
    }
}

#[test]
fn a_join_set_joins_aborts_and_detaches_as_tokios_does() {
    for (runtime, metrics) in measured() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            assert!(set.is_empty() && set.try_join_next().is_none());
            assert_eq!(set.len(), 0);
            let id = set.spawn(async { 1 }).id();
            assert!(!set.is_empty());
            assert_eq!(set.join_next_with_id().await.unwrap().unwrap(), (id, 1));
            let task = set.spawn(pending());
            assert_eq!(set.len(), 1);
            task.abort();
            assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
            set.spawn(pending());
            set.abort_all();
            assert_eq!(set.len(), 1);
            assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
            set.spawn(pending());
            set.shutdown().await;
            set.spawn(pending());
            set.detach_all();
            assert!(set.is_empty());
            set.spawn(async { 4 });
            let mut tokios = tokio::task::JoinSet::from(set);
            tokios.spawn(async { 5 });
            let mut outputs = JoinSet::from(tokios).join_all().await;
            outputs.sort_unstable();
            assert_eq!(outputs, [4, 5]);
        });
        assert_eq!(metrics.cancelled_tasks_count(), Some(3));
        if !cfg!(tokio_unstable) {
            // The detached one. Tokio counts a task's end after it has woken the task that waits for it.
            until(|| metrics.covered_tasks() == Some(1));
        }
    }
}

#[test]
fn a_join_set_returns_an_output_as_soon_as_a_task_has_ended() {
    for (runtime, _) in measured() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let ids: Vec<_> = (0..4).map(|n| set.spawn(async move { n }).id()).collect();
            let first = poll_fn(|cx| set.poll_join_next(cx)).await;
            let mut outputs = vec![first.unwrap().unwrap()];
            let mut with_id = vec![poll_fn(|cx| set.poll_join_next_with_id(cx)).await.unwrap()];
            let began = Instant::now();
            while !set.is_empty() {
                assert!(began.elapsed() < LIMIT, "it never came");
                yield_now().await;
                if with_id.len() < 2 {
                    with_id.extend(set.try_join_next_with_id());
                } else {
                    outputs.extend(set.try_join_next().map(Result::unwrap));
                }
            }
            for ended in with_id {
                let (id, output) = ended.unwrap();
                assert_eq!(id, ids[output]);
                outputs.push(output);
            }
            outputs.sort_unstable();
            assert_eq!(outputs, [0, 1, 2, 3]);
        });
    }
}

#[test]
fn a_task_of_a_nested_runtime_is_recorded_in_its_own() {
    let (outer, outer_metrics) = measured().swap_remove(2);
    let (inner, inner_metrics) = measured().swap_remove(3);
    outer.block_on(async {
        let nested = spawn_blocking(move || inner.block_on(async { spawn(yields(2)).await.unwrap() }));
        nested.await.unwrap();
        spawn(async {}).await.unwrap();
    });
    assert_eq!(tasks(&inner_metrics), (1, 1));
    assert_eq!(tasks(&outer_metrics), (1, 1));
}

#[test]
fn the_spawn_location_is_the_callers() {
    for (runtime, metrics) in measured() {
        let polled = metrics.clone();
        let location = move || {
            let mut threads = polled.live_threads();
            let live = threads
                .find(|thread| thread.live.state == WorkerState::Polling)?
                .live;
            Some(metrics_std::location::resolve(live.spawn_location)?.line())
        };
        runtime.block_on(async {
            let (task, line) = (spawn(async move { location() }), line!());
            assert_eq!(task.await.unwrap(), Some(line));
        });
    }
}

thread_local! {
    static PANICS: Cell<Option<(String, Option<u32>)>> = const { Cell::new(None) };
}

/// Returns the message of the panic of `f`, and its line if it is in this file.
fn panic_of(f: impl FnOnce()) -> (String, Option<u32>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().unwrap();
            let line = location
                .file()
                .ends_with("current_runtime.rs")
                .then(|| location.line());
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let message = text.unwrap_or_default().to_owned();
            let _ = PANICS.try_with(|panics| panics.set(Some((message, line))));
            default(info);
        }));
    });
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
    PANICS.take().unwrap()
}

#[test]
fn outside_a_runtime_they_panic_as_tokio_does_at_the_callers_line() {
    let pairs: [[fn(); 2]; 5] = [
        [|| drop(spawn(async {})), || drop(tokio::spawn(async {}))],
        [
            || drop(spawn_local(async {})),
            || drop(tokio::task::spawn_local(async {})),
        ],
        [
            || drop(spawn_blocking(|| ())),
            || drop(tokio::task::spawn_blocking(|| ())),
        ],
        [
            || drop(JoinSet::new().spawn(async {})),
            || drop(tokio::task::JoinSet::new().spawn(async {})),
        ],
        [
            || drop(JoinSet::new().spawn_blocking(|| ())),
            || drop(tokio::task::JoinSet::new().spawn_blocking(|| ())),
        ],
    ];
    for [ours, tokios] in pairs {
        let (ours, tokios) = (panic_of(ours), panic_of(tokios));
        assert_eq!(ours.0, tokios.0);
        assert_eq!(ours.1.is_some(), tokios.1.is_some(), "{}", ours.0);
    }
}

#[test]
fn outside_a_local_set_a_measured_runtime_panics_at_the_callers_line() {
    let (runtime, metrics) = measured().swap_remove(2);
    let _inside = runtime.enter();
    let ours = panic_of(|| drop(spawn_local(async {})));
    let tokios = panic_of(|| drop(tokio::task::spawn_local(async {})));
    assert_eq!(ours.0, tokios.0);
    assert_eq!(ours.1.is_some(), tokios.1.is_some());
    assert_eq!(metrics.spawned_tasks_count(), Some(0));
}
