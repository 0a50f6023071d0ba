//! The user's own callbacks, which the adapter chains.

use super::{build, until};
use core::sync::atomic::{AtomicUsize, Ordering};
use metrics_std::tokio::TokioAdapter;
use std::sync::{Arc, Mutex};
use tokio::runtime::Builder;

#[test]
fn every_callback_is_called_in_order() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let push = |name: &'static str| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push(name)
    };
    let adapter = TokioAdapter::builder()
        .on_thread_start(push("start"))
        .on_thread_start(push("start again"))
        .on_thread_park(push("park"))
        .on_thread_unpark(push("unpark"))
        .on_thread_stop(push("stop"));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    runtime.block_on(spawner.spawn(async {})).unwrap();
    drop(runtime);

    let calls = calls.lock().unwrap();
    assert_eq!(calls[..2], ["start", "start again"]);
    assert_eq!(calls.last(), Some(&"stop"));
    let count = |name| calls.iter().filter(|&&call| call == name).count();
    assert!(count("park") >= 1);
    assert_eq!(count("park"), count("unpark"));
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
}

#[test]
fn a_callback_may_use_the_runtime_and_the_metrics() {
    let parks = Arc::new(AtomicUsize::new(0));
    let adapter = TokioAdapter::builder().on_thread_park({
        let parks = Arc::clone(&parks);
        move || {
            // Tokio counts a park just after this.
            let tokio = tokio::runtime::Handle::current().metrics();
            assert_eq!(tokio.num_workers(), 1);
            parks.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (runtime, metrics, _) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    until(|| {
        metrics
            .worker_park_count(0)
            .unwrap()
            .is_some_and(|count| count > 0)
    });
    assert!(parks.load(Ordering::Relaxed) >= 1);
    drop(runtime);
}
