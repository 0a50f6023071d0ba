//! The time that a poll of a worker in a `static` includes.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot, StaticRegistryConfig,
    StaticStorage, StaticWorker, TaskEnd,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BUCKETS: usize = 8;
const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};
const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("a histogram of 8 buckets fits"),
};

type Static = StaticWorker<TestClock, 1, BUCKETS>;

type Hook = fn(Static);

/// The hooks that an executor may call between two polls.
const BETWEEN: &[(&str, Hook)] = &[
    ("discard_last_timestamp", |worker| worker.discard_last_timestamp()),
    ("local schedule", |worker| worker.inc_local_schedule_count()),
    ("forced yield", |worker| worker.inc_budget_forced_yield_count()),
    ("task spawned", |worker| worker.task_spawned()),
    ("task ended", |worker| worker.task_ended(TaskEnd::Completed)),
    ("end and start processing", |worker| {
        worker.end_processing_scheduled_tasks();
        worker.start_processing_scheduled_tasks();
    }),
    ("park", |worker| {
        worker.park();
        worker.unpark();
        worker.start_processing_scheduled_tasks();
    }),
];

#[test]
fn every_hook_between_two_polls_makes_the_second_read_the_clock() {
    static METRICS: Registry<StaticStorage<1, BUCKETS>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    let clock = METRICS.clock();
    let sums = || {
        let mut snapshot = Snapshot::EMPTY;
        RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
        let worker = snapshot.worker(0).unwrap();
        let (poll_time, latency) = (worker.poll_time().unwrap(), worker.schedule_latency().unwrap());
        (poll_time.histogram().sum(), latency.histogram().sum())
    };
    worker.start_processing_scheduled_tasks();
    for (hook, between) in BETWEEN {
        let before = sums();
        worker.discard_last_timestamp();
        worker.start_poll(PollStart::default());
        clock.advance(10);
        worker.end_poll();
        between(worker);
        let scheduled_at = Some(worker.now());
        clock.advance(20_000_000);
        worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        clock.advance(10);
        worker.end_poll();
        assert_eq!(sums(), (before.0 + 20, before.1 + 20_000_000), "{hook}");
    }
}

#[test]
fn a_measured_future_records_each_of_its_polls() {
    use core::future::{Future, poll_fn};
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use metrics_core::LocationId;

    static METRICS: Registry<StaticStorage<1, BUCKETS>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    let mut polls = 0;
    let future = poll_fn(|_| {
        METRICS.clock().advance(10);
        polls += 1;
        if polls == 3 {
            Poll::Ready("done")
        } else {
            Poll::Pending
        }
    });
    let mut measured = pin!(worker.measure(LocationId::from_u32(7), future));
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert_eq!(measured.as_mut().poll(cx), Poll::Pending);
        // The worker does something else between two polls.
        METRICS.clock().advance(100);
        worker.discard_last_timestamp();
    }
    assert_eq!(measured.as_mut().poll(cx), Poll::Ready("done"));
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    let poll_time = snapshot.worker(0).unwrap().poll_time().unwrap();
    assert_eq!(
        (poll_time.histogram().count(), poll_time.histogram().sum()),
        (3, 30)
    );
}

#[test]
fn a_measured_future_within_a_poll_is_a_nested_poll() {
    use core::future::{Future, ready};
    use core::pin::pin;
    use core::task::{Context, Waker};
    use metrics_core::LocationId;

    static METRICS: Registry<StaticStorage<1, BUCKETS>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let worker = METRICS.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    let outer = async {
        METRICS.clock().advance(10);
        worker.measure(LocationId::from_u32(8), ready(())).await;
        METRICS.clock().advance(20);
    };
    let mut measured = pin!(worker.measure(LocationId::from_u32(7), outer));
    let poll = measured.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_ready());
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    let worker = snapshot.worker(0).unwrap();
    assert_eq!((worker.poll_count(), worker.nested_polls()), (Some(1), Some(1)));
    let poll_time = worker.poll_time().unwrap().histogram();
    assert_eq!((poll_time.count(), poll_time.sum()), (1, 30));
}
