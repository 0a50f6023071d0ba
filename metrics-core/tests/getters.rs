//! The getters of a reader: one source per metric, and reads that no submit disturbs.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::cell::Cell;
use core::time::Duration;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, NoClock, PollStart, Probe, Registry, RuntimeMetrics, RuntimeNumber,
    SlotBusy, Snapshot, StaticRegistryConfig, StaticStorage, TaskEnd, WorkerNumber,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};

const CONFIG: StaticRegistryConfig<2, 8> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("two workers fit"),
};

/// Reports every metric itself, each with a different value.
struct Everything;

impl Probe for Everything {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        Some(1_000 + number as u64)
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::ALL
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        Some(100 * worker as u64 + number as u64)
    }
}

#[test]
fn getters_and_snapshot_agree_on_reported_metrics() {
    static REGISTRY: Registry<StaticStorage<2, 8>, NoClock> = Registry::new(&CONFIG, NoClock);
    let worker = REGISTRY.worker(0).unwrap();
    worker.inc_budget_forced_yield_count();
    worker.task_spawned();
    let metrics = RuntimeMetrics::with_probe(&REGISTRY, Everything);
    let mut snapshot = Snapshot::EMPTY;
    metrics.snapshot_into(&mut snapshot);
    for &number in RuntimeNumber::ALL {
        let reported = Everything.runtime(number);
        assert_eq!(metrics.runtime_number(number), reported, "{}", number.name());
        assert_eq!(snapshot.runtime_number(number), reported, "{}", number.name());
    }
    for &number in WorkerNumber::ALL {
        let total = Some(100 + 2 * number as u64);
        assert_eq!(metrics.counter(number), Ok(total), "{}", number.name());
        assert_eq!(snapshot.total().counter(number), total, "{}", number.name());
        for index in 0..2 {
            let reported = Everything.worker(index, number);
            let of_worker = snapshot.worker(index).unwrap().counter(number);
            assert_eq!(metrics.worker_counter(index, number), Ok(reported));
            assert_eq!(of_worker, reported, "{}", number.name());
        }
    }
    assert_eq!(
        metrics.budget_forced_yield_count(),
        Ok(snapshot.total().budget_forced_yield_count())
    );
}

#[test]
fn getters_and_snapshot_agree_on_counted_metrics() {
    static REGISTRY: Registry<StaticStorage<2, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());
    let worker = REGISTRY.worker(1).unwrap();
    worker.task_spawned();
    worker.task_spawned();
    worker.task_ended(TaskEnd::Cancelled);
    worker.start_poll(PollStart::default());
    worker.end_poll();
    worker.park();
    let metrics = RuntimeMetrics::new(&REGISTRY);
    let mut snapshot = Snapshot::EMPTY;
    metrics.snapshot_into(&mut snapshot);
    for &number in RuntimeNumber::ALL {
        let counted = metrics.runtime_number(number);
        assert_eq!(snapshot.runtime_number(number), counted, "{}", number.name());
    }
    assert_eq!(metrics.num_alive_tasks(), Some(1));
    for &number in WorkerNumber::ALL {
        assert_eq!(metrics.counter(number), Ok(snapshot.total().counter(number)));
        for index in 0..2 {
            let of_worker = snapshot.worker(index).unwrap().counter(number);
            assert_eq!(metrics.worker_counter(index, number), Ok(of_worker));
        }
    }
    assert_eq!(metrics.worker_poll_count(1), Ok(Some(1)));
    assert_eq!(metrics.worker_poll_count(2), Ok(None), "there is no third worker");
}

static BUSY: Registry<StaticStorage<2, 8>, TestClock> = Registry::new(&CONFIG, TestClock::new());

std::thread_local! {
    static READ: Cell<Option<Result<Option<u64>, SlotBusy>>> = const { Cell::new(None) };
}

/// A static worker reads its clock inside its write, where this runs as an interrupt would.
#[test]
fn a_counter_that_is_being_written_is_read_or_busy_but_never_unmeasured() {
    let worker = BUSY.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart::default());
    BUSY.clock().interrupt_at(0, || {
        READ.set(Some(RuntimeMetrics::new(&BUSY).worker_park_count(0)));
    });
    worker.end_poll();
    let expected = if cfg!(all(target_has_atomic = "64", not(metrics_core_halves))) {
        Ok(Some(0))
    } else {
        Err(SlotBusy)
    };
    assert_eq!(READ.get(), Some(expected));
}
