//! The adapter on real Tokio runtimes of both flavours, on stable and under `--cfg tokio_unstable`.
#![allow(missing_docs)]

mod attach;
// Tokio counts parks with 64-bit atomics only.
#[cfg(target_has_atomic = "64")]
mod builder_reuse;
mod busy_time;
mod counts;
mod current_runtime;
mod flush;
mod hand_over;
mod lag;
mod user_callbacks;
// Elsewhere tests run in an emulator, under which a process may be unable to start another.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod large_futures;
mod lifetime;
mod os_times;
mod places;
mod root_future;
mod stalls;
mod task_counts;
mod unmeasured;
#[cfg(tokio_unstable)]
mod unstable;

use core::time::Duration;
use metrics_core::SlotBusy;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{RuntimeMetrics, Snapshot};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// A runtime, its reader and its spawner.
type Measured = (Runtime, RuntimeMetrics, Spawner);

/// Idle threads of the pool stay, so that a test can't pass because one has ended.
fn build(adapter: TokioAdapter<'_>, builder: &mut Builder) -> Measured {
    builder.thread_keep_alive(Duration::from_secs(3_600));
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter.build(builder.enable_all()).unwrap();
    (runtime, metrics, spawner)
}

fn multi_thread(workers: usize) -> Measured {
    build(
        TokioAdapter::builder(),
        Builder::new_multi_thread().worker_threads(workers),
    )
}

fn current_thread() -> Measured {
    build(TokioAdapter::builder(), &mut Builder::new_current_thread())
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// How long a test waits for another thread before it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for what another thread is about to do.
#[track_caller]
fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "it never came");
        thread::yield_now();
    }
}

/// Reads a value, again while its worker writes it: targets without 64-bit atomics report that.
#[track_caller]
fn read<V>(getter: impl Fn() -> Result<V, SlotBusy>) -> V {
    let mut value = getter();
    until(|| {
        value = getter();
        value.is_ok()
    });
    value.unwrap()
}

/// Reads a snapshot, again while a worker is in a submit and so may be missing.
#[track_caller]
fn whole_snapshot(metrics: &RuntimeMetrics) -> Snapshot {
    let mut snapshot = metrics.snapshot();
    until(|| {
        snapshot = metrics.snapshot();
        snapshot.total().poll_time().is_some()
    });
    snapshot
}

/// Waits for what another thread is about to send.
#[track_caller]
fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(LIMIT).expect("it never came")
}

/// Waits until the workers have run the tasks that were spawned so far, that of the adapter among them.
fn settle(runtime: &Runtime) {
    runtime.block_on(runtime.spawn(async {})).unwrap();
}
