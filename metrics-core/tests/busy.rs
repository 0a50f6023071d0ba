//! A reader that interrupts a write, as an interrupt handler may: it gets the last good values, marked stale, and a
//! later read succeeds. The interruption is a clock that runs the reader, because a static worker reads its clock
//! inside the write.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::cell::RefCell;
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, HistogramReading, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot,
    Staleness, StaticRegistryConfig, StaticStorage,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

std::thread_local! {
    static SEEN: RefCell<Snapshot<StaticStorage<1, 8>>> = RefCell::default();
}

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};

const CONFIG: StaticRegistryConfig<1, 8> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("a histogram of 8 buckets fits"),
};

static METRICS: Registry<StaticStorage<1, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());

fn read() {
    SEEN.with_borrow_mut(|snapshot| RuntimeMetrics::new(&METRICS).snapshot_into(snapshot));
}

fn seen() -> (Option<u64>, Option<u64>, Option<Staleness>) {
    SEEN.with_borrow(|snapshot| {
        let worker = snapshot.worker(0).unwrap();
        (
            worker.poll_count(),
            worker.poll_time().map(HistogramReading::samples),
            worker.staleness(),
        )
    })
}

#[test]
fn a_reader_inside_a_write_keeps_its_last_values() {
    let worker = METRICS.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    // Before the first successful read.
    worker.start_poll(PollStart::default());
    METRICS.clock().interrupt_at(0, read);
    worker.end_poll();
    assert_eq!(seen(), (None, None, Some(Staleness { age: None })));
    let unread = SEEN.with_borrow(Clone::clone);
    let total = unread.total();
    assert_eq!(total.poll_count(), None, "an unknown value is not zero");
    assert!(total.poll_time().is_none());
    assert_eq!(total.mean_poll_time(), None);
    assert_eq!(unread.worker(0).unwrap().busy_in_progress(), None);
    read();
    let since = SEEN.with_borrow(|snapshot| snapshot.since(&unread)).unwrap();
    for interval in [since.total(), since.worker(0).unwrap()] {
        assert_eq!(interval.poll_count(), None, "it may have been polled before");
        assert!(interval.poll_time().is_none());
    }
    let back = unread.since(&SEEN.with_borrow(Clone::clone)).unwrap();
    assert_eq!(back.total().poll_count(), None);
    assert_eq!(seen(), (Some(1), Some(1), None));

    METRICS.clock().set(500);
    worker.start_poll(PollStart::default());
    METRICS.clock().interrupt_at(0, read);
    worker.end_poll();
    let age = Some(Duration::from_nanos(500));
    assert_eq!(
        seen(),
        (Some(1), Some(1), Some(Staleness { age })),
        "the poll that is being counted is not half there"
    );
    assert_eq!(RuntimeMetrics::new(&METRICS).poll_count().unwrap(), Some(2));
    read();
    assert_eq!(seen(), (Some(2), Some(2), None));
}

#[test]
fn the_age_of_stale_values_adds_up_over_snapshots() {
    static METRICS: Registry<StaticStorage<1, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let age = || {
        SEEN.with_borrow_mut(|snapshot| {
            METRICS.clock().advance(300);
            RuntimeMetrics::new(&METRICS).snapshot_into(snapshot);
            let stale = snapshot.worker(0).unwrap().staleness();
            stale.and_then(|stale| stale.age)
        })
    };
    let worker = METRICS.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    assert_eq!(age(), None, "the values are current");
    worker.start_poll(PollStart::default());
    METRICS.clock().interrupt_at(0, move || {
        assert_eq!(age(), Some(Duration::from_nanos(300)));
        assert_eq!(age(), Some(Duration::from_nanos(600)));
    });
    worker.end_poll();
    assert_eq!(age(), None);
}

#[test]
fn a_snapshot_of_another_registry_keeps_no_value() {
    static FIRST: Registry<StaticStorage<1, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    static SECOND: Registry<StaticStorage<1, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let read = |registry: &'static Registry<StaticStorage<1, 8>, TestClock>| {
        SEEN.with_borrow_mut(|snapshot| RuntimeMetrics::new(registry).snapshot_into(snapshot));
        seen()
    };
    let [first, second] = [&FIRST, &SECOND].map(|registry| registry.worker(0).unwrap());
    first.start_processing_scheduled_tasks();
    first.start_poll(PollStart::default());
    first.end_poll();
    assert_eq!(read(&FIRST), (Some(1), Some(1), None));
    // The second registry has the same name and can't be read.
    second.start_processing_scheduled_tasks();
    second.start_poll(PollStart::default());
    SECOND.clock().interrupt_at(0, move || {
        assert_eq!(read(&SECOND), (None, None, Some(Staleness { age: None })));
    });
    second.end_poll();
    assert_eq!(read(&SECOND), (Some(1), Some(1), None));
}
