//! The buckets are those of Tokio's poll-time histogram with the same parameters. Tokio exposes them only if it is built
//! with `--cfg tokio_unstable`.
#![cfg(tokio_unstable)]

use core::time::Duration;

use metrics_core::HistogramConfig;
use tokio::runtime::{Builder, HistogramConfiguration, LogHistogram};

/// Returns every bucket of a runtime with this configuration, in nanoseconds. The end of Tokio's last bucket is `u64::MAX`.
fn tokios(configuration: HistogramConfiguration) -> Vec<(u64, u64)> {
    let runtime = Builder::new_current_thread()
        .enable_metrics_poll_time_histogram()
        .metrics_poll_time_histogram_configuration(configuration)
        .build()
        .unwrap();
    let metrics = runtime.metrics();
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap();
    (0..metrics.poll_time_histogram_num_buckets())
        .map(|bucket| metrics.poll_time_histogram_bucket_range(bucket))
        .map(|range| (nanos(range.start), nanos(range.end)))
        .collect()
}

fn ours(config: &HistogramConfig) -> Vec<(u64, u64)> {
    (0..config.num_buckets())
        .map(|bucket| config.bucket_range(bucket).unwrap())
        .map(|range| (range.start, range.end.unwrap_or(u64::MAX)))
        .collect()
}

#[test]
fn h2_buckets_are_those_of_a_log_histogram() {
    let mut compared = 0;
    for precision in 0..=10 {
        for min in [1, 2, 3, 7, 64, 100, 1_000, 1 << 17, 999_999] {
            for max in [
                2,
                5,
                100,
                1 << 20,
                1_000_000,
                (1 << 30) + 1,
                60_000_000_000,
                1 << 45,
            ] {
                if min >= max {
                    continue;
                }
                let log = LogHistogram::builder()
                    .precision_exact(precision)
                    .min_value(Duration::from_nanos(min))
                    .max_value(Duration::from_nanos(max))
                    .build();
                let config = HistogramConfig::h2(min, max, precision).unwrap();
                let what = format!("{min} to {max} ns, precision {precision}");
                assert_eq!(ours(&config), tokios(HistogramConfiguration::log(log)), "{what}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared} configurations");
}

/// Tokio panics if the value is an edge.
#[test]
fn the_minimum_may_be_the_maximum() {
    for value in [100, 1_000, 999_999] {
        let duration = Duration::from_nanos(value);
        let log = LogHistogram::builder()
            .min_value(duration)
            .max_value(duration)
            .build();
        let config = HistogramConfig::h2(value, value, 2).unwrap();
        assert_eq!(
            ours(&config),
            tokios(HistogramConfiguration::log(log)),
            "{value} ns"
        );
    }
}

#[test]
fn the_default_is_the_default() {
    let log = LogHistogram::default();
    assert_eq!(
        ours(&HistogramConfig::DEFAULT),
        tokios(HistogramConfiguration::log(log))
    );
}

#[test]
fn linear_buckets_are_those_of_a_linear_histogram() {
    for width in [1, 7, 1_000, 50_000_000] {
        for buckets in [2, 3, 10, 64] {
            let linear = HistogramConfiguration::linear(Duration::from_nanos(width), buckets);
            let config = HistogramConfig::linear(width, buckets).unwrap();
            assert_eq!(ours(&config), tokios(linear), "{buckets} buckets of {width} ns");
        }
    }
}
