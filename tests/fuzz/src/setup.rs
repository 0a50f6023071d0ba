//! The configuration of a runtime.

use core::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use metrics_core::{Builder, HistogramConfig, MetricSet};
use metrics_mock::ManualClock;

use crate::ops::Metrics;

/// The configuration of a runtime.
#[derive(Arbitrary, Debug)]
pub struct Setup {
    pub poll_time: Layout,
    pub schedule_latency: Layout,
    /// Zero if the number is not known.
    workers: u8,
    locations: u8,
    events: u8,
    threshold_us: u8,
    interval_us: u16,
    rate: u8,
    started_at: Option<u64>,
}

/// The layout of a histogram. The target `configuration` tries all others.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Layout {
    H2(u8),
    /// More buckets than have their bits in one word.
    Many,
    /// A layout without a quick index.
    Linear,
    /// Edges up to the largest number.
    Wide,
    None,
}

impl Layout {
    pub fn config(self) -> Option<HistogramConfig> {
        let config = match self {
            Self::H2(precision) => HistogramConfig::h2(16, 1 << 30, u32::from(precision % 4)),
            Self::Many => HistogramConfig::h2(16, 1 << 14, 6),
            Self::Linear => HistogramConfig::linear(1 << 10, 600),
            Self::Wide => HistogramConfig::h2(1 << 20, u64::MAX, 2),
            Self::None => return None,
        };
        Some(config.expect("the layout is valid"))
    }
}

impl Setup {
    /// Builds the registry.
    pub fn build(&self, name: &str) -> Metrics {
        let mut builder = Builder::new()
            .name(name)
            .measures(MetricSet::ALL)
            .flight_recorder(usize::from(self.events % 32))
            .flight_recorder_threshold(Duration::from_micros(self.threshold_us.into()))
            .submit_interval(Duration::from_micros(self.interval_us.into()));
        builder = match usize::from(self.workers % 4) {
            0 => builder.dynamic_workers(),
            workers => builder.workers(workers),
        };
        let locations = usize::from(self.locations % 20);
        if locations > 0 {
            builder = builder.locations(locations).census();
        }
        if let Some(config) = self.poll_time.config() {
            builder = builder.poll_time(config).blocking_queue_wait(config);
        }
        if let Some(config) = self.schedule_latency.config() {
            builder = builder.schedule_latency(config);
        }
        if let Some(started_at) = self.started_at {
            builder = builder.started_at(started_at);
        }
        const RATES: [u64; 6] = [1_000_000_000, 1_000_000_000, 1_000_000_000, 32_768, 1, 0];
        let clock = ManualClock::with_rate(RATES[usize::from(self.rate) % RATES.len()]);
        builder.build(clock).expect("the configuration is valid")
    }
}
