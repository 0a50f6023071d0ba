//! The metrics of each adapter: those that it does not measure are absent, never zero.

use super::{current_thread, multi_thread, yields};
use core::time::Duration;
use metrics_std::{Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, build_wrapped};
use std::collections::BTreeSet;
use std::time::Instant;

/// The names of the metrics that have a value, in the whole runtime or for a worker.
///
/// Those of the operating system are left out: they depend on the machine, and the module `os_times` compares them with it.
fn measured(metrics: &RuntimeMetrics) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    metrics.snapshot().visit(|sample| {
        names.insert(sample.metric.name);
    });
    for name in OS {
        names.remove(name);
    }
    names
}

/// Waits until the metrics with a value are the expected ones: a worker may be about to park, and some are known only then.
#[track_caller]
fn assert_measures(metrics: &RuntimeMetrics, expected: &[&[&'static str]]) {
    let expected: BTreeSet<_> = expected.iter().copied().flatten().copied().collect();
    let began = Instant::now();
    loop {
        let measured = measured(metrics);
        let missing: Vec<_> = expected.difference(&measured).collect();
        let unexpected: Vec<_> = measured.difference(&expected).collect();
        if missing.is_empty() && unexpected.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "missing: {missing:?}, unexpected: {unexpected:?}"
        );
        std::thread::yield_now();
    }
}

/// What the operating system reports.
const OS: &[&str] = &[
    "on_cpu_duration_total",
    "runnable_wait_duration_total",
    "cpu_throttled_duration_total",
    "cpu_throttled_count",
];

/// What a wrapper sees.
const WRAPPED: &[&str] = &[
    "poll_count",
    "nested_polls",
    "poll_time",
    "schedule_latency",
    "spawned_tasks_count",
    "covered_tasks",
    "completed_tasks_count",
    "cancelled_tasks_count",
    "panicked_tasks_count",
];

/// What every registry knows of itself.
const IDENTITY: &[&str] = &["started_at", "epoch"];

/// What there is once a task was polled.
const POLLED: &[&str] = &["mean_poll_time", "thread"];

/// What Tokio reports without its unstable features, and what the adapter's hooks add.
const TOKIO: &[&str] = &[
    "budget_forced_yield_count",
    "blocking_queue_wait",
    "num_alive_tasks",
    "global_queue_depth",
    "num_workers",
];

/// What Tokio counts with 64-bit atomics.
const WIDE: &[&str] = if cfg!(target_has_atomic = "64") {
    &["park_count", "park_unpark_count", "num_parked_workers"]
} else {
    &[]
};

/// Counted by the hooks of a runtime that the adapter builds, where Tokio does not count them.
const PARKS: &[&str] = if cfg!(target_has_atomic = "64") {
    &[]
} else {
    &["park_count", "park_unpark_count"]
};

const UNSTABLE: &[&str] = if cfg!(tokio_unstable) {
    &[
        "local_queue_depth",
        "num_blocking_threads",
        "num_idle_blocking_threads",
        "blocking_queue_depth",
    ]
} else {
    &[]
};

const UNSTABLE_AND_WIDE: &[&str] = if cfg!(all(tokio_unstable, target_has_atomic = "64")) {
    &[
        "noop_count",
        "steal_count",
        "steal_operations",
        "local_schedule_count",
        "overflow_count",
        "remote_schedule_count",
    ]
} else {
    &[]
};

#[test]
fn an_executor_that_is_only_wrapped_has_the_metrics_of_wrappers() {
    let builder = Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let metrics = build_wrapped(builder, Clock::instant()).unwrap();
    assert_measures(&metrics, &[WRAPPED, IDENTITY]);
    assert_eq!((metrics.num_workers(), metrics.root_polls()), (None, Ok(None)));

    // A pool of four threads.
    let polled = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                futures::executor::block_on(Measured::task(&metrics, async {}));
                polled.wait();
            });
        }
    });
    assert_eq!(metrics.num_workers(), None);
    futures::executor::block_on(Measured::task(&metrics, async {}));
    // The state of the rows of threads that have ended.
    let ended: &[_] = &["state", "since"];
    assert_measures(&metrics, &[WRAPPED, IDENTITY, POLLED, ended]);

    futures::executor::block_on(Measured::root(&metrics, async {}));
    assert_measures(&metrics, &[WRAPPED, IDENTITY, POLLED, ended, &["root_polls"]]);
    assert_eq!(metrics.root_polls(), Ok(Some(1)));
}

#[test]
fn a_multi_thread_runtime_has_what_tokio_and_the_hooks_report() {
    let (runtime, metrics, spawner) = multi_thread(2);
    // A root that no wrapper sees.
    runtime.block_on(async { spawner.spawn(yields(2)).await.unwrap() });
    let own = &["busy_duration_total", "state", "since"];
    let all = [
        WRAPPED,
        IDENTITY,
        POLLED,
        TOKIO,
        WIDE,
        UNSTABLE,
        UNSTABLE_AND_WIDE,
        PARKS,
        own,
    ];
    assert_measures(&metrics, &all);
    assert_eq!(metrics.root_polls(), Ok(None), "no wrapper sees the root");
    runtime.block_on(Measured::root(&metrics, async {}));
    assert_eq!(metrics.root_polls(), Ok(Some(1)));
}

#[test]
fn a_current_thread_runtime_has_what_tokio_and_the_hooks_report() {
    let (runtime, metrics, spawner) = current_thread();
    runtime.block_on(async { spawner.spawn(yields(2)).await.unwrap() });
    // Between two calls of `block_on` the state is not known.
    let own: &[_] = if cfg!(target_has_atomic = "64") {
        &["busy_duration_total"]
    } else {
        &[]
    };
    let all = [
        WRAPPED,
        IDENTITY,
        POLLED,
        TOKIO,
        WIDE,
        UNSTABLE,
        UNSTABLE_AND_WIDE,
        PARKS,
        own,
    ];
    assert_measures(&metrics, &all);
    assert_eq!(metrics.root_polls(), Ok(None), "no wrapper sees the root");
}

#[cfg(target_has_atomic = "64")]
#[test]
fn an_attached_runtime_has_what_tokio_and_the_wrappers_report() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let metrics_std::tokio::MeasuredRuntime { metrics, spawner, .. } =
        metrics_std::tokio::attach(runtime.handle()).unwrap();
    runtime.block_on(spawner.spawn(yields(2))).unwrap();
    let own: &[_] = &["busy_duration_total", "state"];
    let all = [
        WRAPPED,
        IDENTITY,
        POLLED,
        TOKIO,
        WIDE,
        UNSTABLE,
        UNSTABLE_AND_WIDE,
        own,
    ];
    assert_measures(&metrics, &all);
}
