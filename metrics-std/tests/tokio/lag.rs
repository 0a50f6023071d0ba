//! The lag probes: what they measure, and that nothing counts them.

use super::{LIMIT, current_thread, multi_thread, until, whole_snapshot};
use core::time::Duration;
use metrics_std::tokio::{LagProbe, TokioAdapter, watch_loop_lag, watch_wake_latency};
use metrics_std::{HistogramSnapshot, Probe as _, RuntimeMetrics};
use std::thread;
use tokio::runtime::Builder;

const PERIOD: Duration = Duration::from_millis(1);
const BLOCK: Duration = Duration::from_millis(50);

/// The numbers of samples of the two histograms.
fn samples(metrics: &RuntimeMetrics) -> [Option<u64>; 2] {
    let snapshot = metrics.snapshot();
    [snapshot.loop_lag(), snapshot.wake_latency()].map(|lag| lag.map(HistogramSnapshot::count))
}

fn have_samples(metrics: &RuntimeMetrics) -> bool {
    samples(metrics)
        .iter()
        .all(|count| count.is_some_and(|count| count > 0))
}

/// Drives the current-thread runtime until it is done.
async fn until_done(done: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "it never came");
        tokio::time::sleep(PERIOD).await;
    }
}

#[test]
fn a_blocked_runtime_has_a_loop_lag_of_at_least_the_block() {
    let (runtime, metrics, spawner) = current_thread();
    assert_eq!(samples(&metrics), [None, None]);
    let _probe = watch_loop_lag(&spawner, PERIOD);
    runtime.block_on(async {
        let count = || samples(&metrics)[0].unwrap_or(0);
        until_done(|| count() > 0).await;
        // The timer is due one period after the last sample, so it becomes due during the block.
        let before = count();
        thread::sleep(BLOCK);
        until_done(|| count() > before).await;
    });
    let snapshot = metrics.snapshot();
    let longest = Duration::from_nanos(snapshot.loop_lag().unwrap().max().unwrap());
    // The deadline of the timer is rounded up to the next millisecond.
    assert!(longest + 2 * PERIOD >= BLOCK, "{longest:?}");
    assert!(snapshot.wake_latency().is_none(), "that probe does not run");
}

#[test]
fn a_blocked_runtime_has_a_wake_latency_of_nearly_the_block() {
    let (runtime, metrics, spawner) = current_thread();
    let _probe = watch_wake_latency(&spawner, PERIOD).unwrap();
    let longest = || metrics.snapshot().wake_latency().and_then(HistogramSnapshot::max);
    runtime.block_on(until_done(|| {
        // The thread of the probe wakes the task meanwhile, on a loaded machine in one of the next rounds.
        thread::sleep(BLOCK);
        longest().map(Duration::from_nanos) >= Some(BLOCK / 2)
    }));
    assert_eq!(samples(&metrics)[0], None, "that probe does not run");
}

#[test]
fn probes_are_not_counted_as_tasks_and_polls() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        let probes = [
            watch_loop_lag(&spawner, PERIOD),
            watch_wake_latency(&spawner, PERIOD).unwrap(),
        ];
        runtime.block_on(until_done(|| have_samples(&metrics)));
        assert_eq!(metrics.num_alive_tasks(), Some(0));
        // Under the unstable flag these include all tasks of the runtime.
        assert_eq!(metrics.covered_tasks(), Some(0));
        let snapshot = whole_snapshot(&metrics);
        let latency = snapshot.total().schedule_latency().unwrap();
        assert_eq!((snapshot.total().poll_count(), latency.samples()), (Some(0), 0));
        drop(probes);
        // The adapter has one task of its own.
        runtime.block_on(until_done(|| spawner.handle().metrics().num_alive_tasks() == 1));
        let task = spawner.spawn(core::future::pending::<()>());
        assert_eq!(metrics.num_alive_tasks(), Some(1));
        drop(task);
    }
}

#[test]
fn a_probe_that_is_shut_down_leaves_its_histogram() {
    let (_runtime, metrics, spawner) = multi_thread(2);
    let probes = [
        watch_loop_lag(&spawner, PERIOD),
        watch_wake_latency(&spawner, PERIOD).unwrap(),
    ];
    until(|| have_samples(&metrics));
    for probe in probes {
        probe.shutdown(LIMIT).unwrap();
    }
    let last = samples(&metrics);
    thread::sleep(4 * PERIOD);
    assert_eq!(samples(&metrics), last);
}

#[test]
fn a_shutdown_of_a_runtime_that_no_thread_drives_gives_up() {
    let (runtime, metrics, spawner) = current_thread();
    let probe = watch_loop_lag(&spawner, PERIOD);
    runtime.block_on(until_done(|| samples(&metrics)[0] > Some(0)));
    let error = probe.shutdown(PERIOD).unwrap_err();
    assert_eq!(error.timeout, PERIOD);
}

#[test]
fn a_watchdog_sees_the_timer_of_a_loop_probe_although_other_probes_end() {
    let (_runtime, metrics, spawner) = multi_thread(1);
    let overdue = || metrics.probe().timer_overdue();
    let hour = Duration::from_secs(3_600);
    let probe = watch_loop_lag(&spawner, hour);
    until(|| overdue() == Some(Duration::ZERO));
    let wakes = watch_wake_latency(&spawner, PERIOD).unwrap();
    let second = watch_loop_lag(&spawner, PERIOD);
    until(|| have_samples(&metrics));
    for other in [wakes, second] {
        other.shutdown(LIMIT).unwrap();
        assert_eq!(overdue(), Some(Duration::ZERO));
    }
    probe.shutdown(LIMIT).unwrap();
    assert_eq!(overdue(), None, "no probe runs");
}

#[test]
fn a_dropped_probe_ends_although_its_period_has_just_begun() {
    let (_runtime, metrics, spawner) = multi_thread(1);
    let hour = Duration::from_secs(3_600);
    let probes = [
        watch_loop_lag(&spawner, hour),
        watch_wake_latency(&spawner, hour).unwrap(),
    ];
    let measured = |expected| samples(&metrics).iter().all(|count| *count == expected);
    until(|| measured(Some(0)));
    drop(probes);
    // The adapter has one task of its own.
    until(|| spawner.handle().metrics().num_alive_tasks() == 1);
    assert!(measured(Some(0)));
}

#[test]
fn the_end_of_the_runtime_ends_its_probes() {
    for (runtime, metrics, spawner) in [multi_thread(2), current_thread()] {
        let probes: [LagProbe; 2] = [
            watch_loop_lag(&spawner, PERIOD),
            watch_wake_latency(&spawner, PERIOD).unwrap(),
        ];
        runtime.block_on(until_done(|| have_samples(&metrics)));
        drop(runtime);
        for probe in probes {
            probe.shutdown(LIMIT).unwrap();
        }
        assert!(have_samples(&metrics), "the samples remain");
        // A runtime that has shut down drops the task at once.
        watch_loop_lag(&spawner, PERIOD).shutdown(LIMIT).unwrap();
        watch_wake_latency(&spawner, PERIOD)
            .unwrap()
            .shutdown(LIMIT)
            .unwrap();
    }
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn a_runtime_without_timers_is_refused_as_tokio_refuses_it() {
    let measured = TokioAdapter::builder()
        .build(&mut Builder::new_current_thread())
        .unwrap();
    let _probe = watch_loop_lag(&measured.spawner, PERIOD);
}

#[cfg(tokio_unstable)]
#[test]
fn callbacks_of_the_user_are_not_called_for_probes() {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = || {
        let calls = Arc::clone(&calls);
        move |_: &tokio::runtime::TaskMeta<'_>| drop(calls.fetch_add(1, Ordering::Relaxed))
    };
    let adapter = TokioAdapter::builder()
        .on_task_spawn(count())
        .on_before_task_poll(count())
        .on_after_task_poll(count())
        .on_task_terminate(count());
    let (runtime, metrics, spawner) = super::build(adapter, &mut Builder::new_current_thread());
    let probe = watch_loop_lag(&spawner, PERIOD);
    runtime.block_on(until_done(|| samples(&metrics)[0] > Some(0)));
    drop(probe);
    drop(runtime);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}
