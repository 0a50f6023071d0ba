//! metrics-core's API: what records and reads does nothing, plain data are metrics-core's own.

mod builder;
mod direct;
mod getters;
mod options;
mod reader;
mod registry;
mod shared;
mod snapshot;
mod stamp;
mod worker;

pub use builder::{Builder, Description};
pub use direct::DirectWorker;
#[cfg(feature = "serde")]
pub use metrics_core::SNAPSHOT_SCHEMA;
pub use metrics_core::embassy;
pub use metrics_core::{
    BucketWidth, Buckets32, Buckets64, ConfigError, Counter, CounterSet, DEFAULT_SUBMIT_INTERVAL,
    EVENT_LOOP_METRICS, Fixed, HistogramConfig, HistogramError, HistogramInterval, HistogramReading,
    HistogramSnapshot, LiveRecord, LiveThread, METRICS, Metric, MetricKind, MetricScope, MetricUnit, NoClock,
    NoProbe, PollStart, Probe, Quantile, Rows, Sampling, SinceError, Site, Staleness, Storage, Supplies,
    TaskCounts, TaskEnd, Text, TimeScale, TimeSource, Timestamp, WorkerState, embassy_trace, extend,
    histogram,
};
pub use metrics_core::{Heap, LeaseError};
pub use options::Options;
pub use reader::RuntimeMetrics;
pub use registry::{Registry, RegistryRef};
pub use shared::SharedCounters;
pub use snapshot::{Interval, Measurements, Snapshot, Table, WorkerInterval, WorkerSnapshot};
pub use stamp::WakeStamp;
pub use worker::Worker;
