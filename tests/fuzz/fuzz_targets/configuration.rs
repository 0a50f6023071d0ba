//! Any configuration is a typed error or works for every value; none panics.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use metrics_core::{Builder, HistogramConfig, MetricSet, PollStart, RuntimeMetrics, Worker};
use metrics_mock::ManualClock;

#[derive(Arbitrary, Debug)]
enum Layout {
    H2 { min: u64, max: u64, precision: u32 },
    Linear { width: u64, buckets: usize },
    PowerOfTwo { first: u64, buckets: usize },
}

#[derive(Arbitrary, Debug)]
struct Input {
    layout: Layout,
    workers: u8,
    interval: Duration,
    rate: u64,
    values: Vec<u64>,
}

/// More buckets than this are a memory test, not a test of arithmetic.
const MANY: usize = 1 << 16;

fuzz_target!(|input: Input| {
    let config = match input.layout {
        Layout::H2 { min, max, precision } => HistogramConfig::h2(min, max, precision),
        Layout::Linear { width, buckets } => HistogramConfig::linear(width, buckets),
        Layout::PowerOfTwo { first, buckets } => HistogramConfig::power_of_two(first, buckets),
    };
    let Ok(config) = config else { return };
    assert!(config.num_buckets() > 0);
    for &value in &input.values {
        let bucket = config.index(value);
        let range = config
            .bucket_range(bucket)
            .expect("the index of a value is one of a bucket");
        assert!(range.contains(value), "{config:?}: {value} in {range:?}");
    }

    if config.num_buckets() > MANY {
        return;
    }
    let builder = Builder::new()
        .measures(MetricSet::ALL)
        .workers(usize::from(input.workers))
        .poll_time(config)
        .schedule_latency(config)
        .submit_interval(input.interval);
    let Ok(registry) = builder.build(ManualClock::with_rate(input.rate)) else {
        return;
    };
    let worker = Worker::lease(registry.clone(), 0).expect("a fresh registry has a slot");
    for &ticks in &input.values {
        worker.start_poll(PollStart {
            scheduled_at: Some(worker.now()),
            ..PollStart::default()
        });
        registry.clock().set_ticks(ticks);
        worker.end_poll();
    }
    // A poll over a step of the clock back has no duration.
    let clock_steps = worker.clock_steps();
    drop(worker);
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_count(), Some(input.values.len() as u64));
    if let Some(reading) = total.poll_time() {
        assert_eq!(reading.samples() + clock_steps, input.values.len() as u64);
        for tenth in 0..=10 {
            let _ = reading.histogram().quantile(f64::from(tenth) / 10.0);
        }
    }
});
