//! A Tokio builder that is used again after the adapter has built a runtime from it.

use super::{settle, until};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::{Clock, RuntimeMetrics, WorkerState};
use std::panic::catch_unwind;
use std::sync::Arc;
use tokio::runtime::{Builder, LocalOptions};

fn is_parked(metrics: &RuntimeMetrics) -> bool {
    metrics
        .live(0)
        .is_some_and(|live| live.state == WorkerState::Parked)
}

#[test]
fn the_second_runtime_of_a_builder_is_not_counted_for_the_first() {
    let clock = Arc::new(ManualClock::new());
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1);
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let MeasuredRuntime { runtime, metrics, .. } = adapter.build(&mut builder).unwrap();
    settle(&runtime);
    until(|| is_parked(&metrics));
    let before = metrics.snapshot();
    let busy = metrics.busy_duration_total();

    let second = builder.build().unwrap();
    // Its worker calls what callbacks the builder still has.
    let parks = second.metrics();
    until(|| parks.worker_park_unpark_count(0) % 2 == 1);
    second
        .block_on(second.spawn(async move { clock.advance(Duration::from_secs(1)) }))
        .unwrap();
    drop(second);
    let after = metrics.snapshot();
    assert_eq!(metrics.busy_duration_total(), busy);
    assert_eq!(
        after.total().busy_duration_total(),
        before.total().busy_duration_total()
    );
    assert_eq!(
        after.worker(0).unwrap().thread(),
        before.worker(0).unwrap().thread()
    );
    assert_eq!(
        metrics.live_threads().count(),
        1,
        "no thread of the other runtime"
    );
    drop(runtime);
}

#[test]
fn a_build_that_panics_leaves_no_callback_on_the_builder() {
    let starts = Arc::new(AtomicUsize::new(0));
    let adapter = TokioAdapter::builder().on_thread_start({
        let starts = Arc::clone(&starts);
        move || {
            starts.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1);
    // A local runtime has no worker threads.
    let build = AssertUnwindSafe(|| adapter.build_local(&mut builder, LocalOptions::default()));
    assert!(catch_unwind(build).is_err());
    let runtime = builder.build().unwrap();
    runtime.block_on(runtime.spawn(async {})).unwrap();
    drop(runtime);
    assert_eq!(starts.load(Ordering::Relaxed), 0);
}
