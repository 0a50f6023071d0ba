//! The times that the operating system gave to the threads of workers.

use super::{build, current_thread, multi_thread, until};
use core::time::Duration;
use metrics_std::tokio::{TokioAdapter, attach};
use metrics_std::{RuntimeMetrics, WorkerNumber};
use std::fs;
#[cfg(target_os = "linux")]
use std::path::Path;
use tokio::runtime::Builder;

/// The times of the calling thread, on processor and waiting for one; `None` where the operating system does not report them.
fn times_here() -> Option<[Duration; 2]> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut fields = text
        .split(' ')
        .map(|field| Some(Duration::from_nanos(field.trim().parse().ok()?)));
    let times = [fields.next()??, fields.next()??];
    (!fields.next()??.is_zero()).then_some(times)
}

/// Computes until the operating system has given the thread more time.
fn compute() -> Option<[Duration; 2]> {
    let [began, _] = times_here()?;
    let mut times = [began; 2];
    until(|| {
        times = times_here().expect("it was there before");
        times[0] > began + Duration::from_millis(20)
    });
    Some(times)
}

fn times_of(metrics: &RuntimeMetrics) -> Option<[Duration; 2]> {
    let snapshot = metrics.snapshot();
    let worker = snapshot.worker(0)?;
    Some([
        worker.on_cpu_duration_total()?,
        worker.runnable_wait_duration_total()?,
    ])
}

#[test]
fn a_workers_times_are_those_of_its_thread() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let before = runtime.block_on(spawner.spawn(async { compute() })).unwrap();
    let read = times_of(&metrics);
    let after = runtime.block_on(spawner.spawn(async { times_here() })).unwrap();
    assert_eq!(read.is_some(), before.is_some());
    if let (Some(before), Some(read), Some(after)) = (before, read, after) {
        for ((before, read), after) in before.into_iter().zip(read).zip(after) {
            assert!(before <= read && read <= after, "{before:?} {read:?} {after:?}");
        }
    }
    drop(runtime);
    let last = metrics.worker_on_cpu_duration_total(0).unwrap();
    assert_eq!(last.is_some(), read.is_some(), "the last values stay");
    assert!(last >= read.map(|[on_cpu, _]| on_cpu));
}

#[test]
fn a_worker_without_a_known_thread_has_no_times() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let attached = attach(runtime.handle()).unwrap();
    assert_eq!(times_of(&attached.metrics), None, "no measured task was polled");
    let here = runtime
        .block_on(attached.spawner.spawn(async { times_here() }))
        .unwrap();
    assert_eq!(times_of(&attached.metrics).is_some(), here.is_some());
}

#[test]
fn what_a_thread_does_after_its_runtime_has_ended_is_not_the_workers_time() {
    let (runtime, metrics, spawner) = current_thread();
    runtime.block_on(spawner.spawn(async { compute() })).unwrap();
    let read = times_of(&metrics);
    assert_eq!(read.is_some(), times_here().is_some());
    drop(runtime);
    // The thread that called `block_on` goes on.
    compute();
    assert_eq!(times_of(&metrics), read);
}

/// The time of the thread that a task blocks with `block_in_place` is not the worker's any more.
#[test]
fn the_time_of_a_worker_never_decreases_when_threads_take_it_over() {
    let (runtime, metrics, spawner) = build(
        TokioAdapter::builder(),
        Builder::new_multi_thread().worker_threads(1),
    );
    let mut last = None;
    for _ in 0..5 {
        let blocking = spawner.spawn(async { tokio::task::block_in_place(compute) });
        runtime.block_on(blocking).unwrap();
        runtime.block_on(spawner.spawn(async { compute() })).unwrap();
        let now = metrics
            .worker_counter(0, WorkerNumber::OnCpuDurationTotal)
            .unwrap();
        assert!(now >= last, "{last:?} {now:?}");
        last = now;
    }
}

#[test]
#[cfg(target_os = "linux")]
fn throttling_is_read_below_the_given_root() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("throttling");
    let write = |file: &str, text: &str| {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/cpu.stat", "nr_throttled 3\nthrottled_usec 4500\n");
    let throttling = |metrics: &RuntimeMetrics| {
        let snapshot = metrics.snapshot();
        (
            snapshot.cpu_throttled_count(),
            snapshot.cpu_throttled_duration_total(),
        )
    };
    let expected = (Some(3), Some(Duration::from_micros(4_500)));
    let (_runtime, metrics, _) = build(
        TokioAdapter::builder().os_root(&root),
        &mut Builder::new_current_thread(),
    );
    assert_eq!(throttling(&metrics), expected);
    let runtime = Builder::new_current_thread().build().unwrap();
    let attached = TokioAdapter::builder().os_root(&root).attach(runtime.handle());
    assert_eq!(throttling(&attached.unwrap().metrics), expected);
}

/// Quotas differ between machines, but both numbers come from one file.
#[test]
fn throttling_is_reported_with_both_numbers_or_not_at_all() {
    let (_runtime, metrics, _) = multi_thread(1);
    let snapshot = metrics.snapshot();
    assert_eq!(
        snapshot.cpu_throttled_duration_total().is_some(),
        snapshot.cpu_throttled_count().is_some()
    );
}
