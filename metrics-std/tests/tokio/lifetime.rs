//! Nothing keeps a runtime alive, and its numbers outlive it.

use super::{current_thread, multi_thread, read, until, yields};
use std::sync::Arc;

#[test]
fn numbers_stay_when_the_runtime_is_gone() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        runtime.block_on(spawner.spawn(yields(10))).unwrap();
        drop(runtime);
        let before = metrics.snapshot();
        let after = metrics.snapshot();
        assert_eq!(before.total().poll_count(), Some(11));
        assert_eq!(after.total().poll_count(), Some(11));
        assert_eq!(
            before.total().busy_duration_total(),
            after.total().busy_duration_total()
        );
        assert_eq!(after.num_workers(), before.num_workers());
    }
}

#[test]
fn dropping_runtime_and_reader_frees_the_registry() {
    let (runtime, metrics, spawner) = multi_thread(2);
    runtime.block_on(spawner.spawn(yields(10))).unwrap();
    // A task that never ends holds the registry until the runtime drops it.
    drop(spawner.spawn(core::future::pending::<()>()));
    let registry = Arc::downgrade(metrics.registry());
    drop(runtime);
    drop(spawner);
    assert_eq!(Arc::strong_count(metrics.registry()), registry.strong_count());
    drop(metrics);
    assert!(
        registry.upgrade().is_none(),
        "the hooks hold no handle that would hold them"
    );
}

#[test]
fn a_reader_does_not_hold_the_runtime() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let (ended, wait) = std::sync::mpsc::channel::<()>();
    drop(spawner.spawn(async move {
        let _ended = ended;
        core::future::pending::<()>().await;
    }));
    drop(runtime);
    assert!(wait.recv().is_err(), "its tasks went with it");
    assert_eq!(metrics.cancelled_tasks_count(), Some(1));
}

#[test]
fn a_thread_that_drove_many_runtimes_forgets_those_that_are_gone() {
    let mut registries = Vec::new();
    for _ in 0..5 {
        let (runtime, metrics, spawner) = current_thread();
        runtime.block_on(spawner.spawn(yields(1))).unwrap();
        registries.push(Arc::downgrade(metrics.registry()));
    }
    let alive = registries
        .iter()
        .filter(|registry| registry.strong_count() > 0)
        .count();
    assert!(
        alive <= 1,
        "{alive} of 5: all but the last were given back when the next one came"
    );
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "under an emulator a program can't start itself"
)]
fn readers_of_runtimes_that_have_shut_down_keep_no_descriptor() {
    use metrics_std::tokio::{MeasuredRuntime, TokioAdapter, watch_loop_lag, watch_wake_latency};
    use tokio::runtime::Builder;

    // Other tests of this process open descriptors too, so the test runs alone in a process of its own.
    const ALONE: &str = "METRICS_STD_COUNT_DESCRIPTORS";
    if std::env::var_os(ALONE).is_none() {
        let test = "lifetime::readers_of_runtimes_that_have_shut_down_keep_no_descriptor";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(ALONE, "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let list = metrics_std::Runtimes::new();
    let mut probes = Vec::new();
    let before = descriptors();
    for n in 0..20 {
        let name = format!("job-{n}");
        let adapter = TokioAdapter::builder().name(&name);
        let mut builder = if n % 2 == 0 {
            Builder::new_multi_thread()
        } else {
            Builder::new_current_thread()
        };
        let MeasuredRuntime {
            runtime,
            metrics,
            spawner,
        } = adapter.build(builder.enable_all()).unwrap();
        list.add(&metrics).unwrap();
        let minute = core::time::Duration::from_secs(60);
        probes.push(watch_loop_lag(&spawner, minute));
        probes.push(watch_wake_latency(&spawner, minute).unwrap());
        // Some are never driven, and some shut down in the background.
        if n % 4 < 2 {
            runtime.block_on(spawner.spawn(async {})).unwrap();
        }
        if n % 3 == 0 {
            runtime.shutdown_background();
        } else {
            drop(runtime);
        }
    }
    // Threads of a runtime that shuts down in the background may still be ending, and without drivers it has no descriptors.
    until(|| descriptors() <= before);
    for metrics in list.all() {
        until(|| (metrics.num_alive_tasks(), metrics.global_queue_depth()) == (Some(0), Some(0)));
    }
}

#[test]
fn the_adapters_own_task_is_not_counted() {
    for (_runtime, metrics, _) in [multi_thread(2), current_thread()] {
        assert_eq!(metrics.num_alive_tasks(), Some(0));
        until(|| metrics.global_queue_depth() == Some(0));
        assert_eq!(metrics.spawned_tasks_count(), Some(0));
        assert_eq!(read(|| metrics.poll_count()), Some(0));
    }
}

#[test]
fn counters_of_tokio_stay_when_the_runtime_is_gone() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        runtime.block_on(spawner.spawn(yields(10))).unwrap();
        let numbers = || {
            let worker = |worker| {
                (
                    read(|| metrics.worker_park_count(worker)),
                    read(|| metrics.worker_park_unpark_count(worker)),
                )
            };
            (worker(0), worker(metrics.num_workers().unwrap() - 1))
        };
        let (workers, running) = (metrics.num_workers(), numbers());
        drop((runtime, spawner));
        assert_eq!(metrics.num_workers(), workers);
        assert!(numbers() >= running, "{running:?} then {:?}", numbers());
    }
}
