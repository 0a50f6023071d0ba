//! Nothing keeps a runtime alive, and its numbers outlive it.

use super::{current_thread, multi_thread, yields};
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
