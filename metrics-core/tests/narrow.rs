//! 32-bit bucket counts: the same histogram in less RAM, which reports a full bucket.
#![cfg(not(metrics_core_loom))]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::time::Duration;

use metrics_core::{
    Buckets32, Builder, HistogramConfig, MetricSet, NoClock, PollStart, Registry, RuntimeMetrics, Snapshot,
    StaticRegistryConfig, StaticStorage,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The smallest useful layout.
const BUCKETS: usize = 8;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};

const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("a histogram of 8 buckets fits"),
};

static METRICS: Registry<StaticStorage<1, BUCKETS, Buckets32>, TestClock> =
    Registry::new(&CONFIG, TestClock::new());

#[test]
fn narrow_buckets_count_as_wide_ones_do() {
    let worker = METRICS.worker(0).unwrap();
    worker.start_processing_scheduled_tasks();
    for _ in 0..300 {
        worker.start_poll(PollStart::default());
        worker.end_poll();
    }
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    let worker = snapshot.worker(0).unwrap();
    let reading = worker.poll_time().unwrap();
    assert_eq!(worker.poll_count(), Some(300));
    assert_eq!((reading.samples(), reading.polls()), (300, 300));
    assert_eq!(reading.histogram().buckets()[0], 300);
    assert!(!reading.is_saturated());
}

#[test]
fn narrow_buckets_take_half_the_memory() {
    type Wide = Registry<StaticStorage<1, 64>, NoClock>;
    type Narrow = Registry<StaticStorage<1, 64, Buckets32>, NoClock>;
    let saved = size_of::<Wide>() - size_of::<Narrow>();
    // Two histograms of 64 buckets with 4 bytes less per bucket. A server's slot is rounded up to pairs of cache
    // lines.
    assert!(saved.abs_diff(2 * 64 * 4) < 128, "{saved}");
}
