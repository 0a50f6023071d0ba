//! The metrics of the embassy programs.

use metrics_core::embassy::{
    EmbassyClock, EmbassyConfig, EmbassyMetrics, EmbassyStorage, FixedTrace, InterruptHandler, MEASURED,
    TraceSnapshot,
};
use metrics_core::{Builder, HistogramConfig, StaticRegistryConfig, embassy_trace};

use crate::EXECUTORS;

const BUCKETS: usize = 20;
/// The rows for tasks and handlers.
const ROWS: usize = 8;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

pub struct Config;

impl EmbassyConfig<EXECUTORS, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<EXECUTORS, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .name("embassy")
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(EmbassyClock::TICKS_PER_SECOND, EmbassyClock::RESOLUTION)
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPTS
    }
}

pub static METRICS: EmbassyMetrics<Config, EmbassyClock, EXECUTORS, ROWS, BUCKETS> =
    EmbassyMetrics::new(EmbassyClock);

/// A handler that runs no executor.
static INTERRUPTS: [InterruptHandler; 1] = [InterruptHandler::new("uart")];

embassy_trace!(METRICS);

pub type Trace = TraceSnapshot<FixedTrace<EXECUTORS, ROWS>>;
pub type Snapshot = metrics_core::Snapshot<EmbassyStorage<Config, EXECUTORS, BUCKETS>>;
