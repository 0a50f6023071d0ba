#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(all(metrics_core_bench, feature = "alloc"))]
#[doc(hidden)]
pub mod bench;
mod builder;
mod catalog;
mod cell;
mod counters;
#[cfg(not(metrics_core_loom))]
mod direct;
#[cfg(all(
    any(target_has_atomic = "ptr", feature = "critical-section"),
    not(metrics_core_loom)
))]
pub mod embassy;
#[cfg(not(metrics_core_loom))]
pub mod extend;
pub mod histogram;
#[cfg_attr(not(any(feature = "record", metrics_core_loom)), path = "if_recording_off.rs")]
mod if_recording;
mod live;
#[cfg(all(test, metrics_core_loom))]
mod models;
mod options;
mod probe;
mod read;
mod reader;
mod record;
mod registry;
mod seq;
#[cfg(feature = "serde")]
mod serde_storage;
#[cfg(feature = "serde")]
mod serde_u64;
mod slot;
mod snapshot;
mod stamp;
mod storage;
mod sync;
mod table;
mod task_life;
mod tasks;
mod time;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod worker;

#[cfg(not(metrics_core_loom))]
pub use builder::in_a_static::Description;
pub use builder::{Builder, ConfigError, DEFAULT_SUBMIT_INTERVAL};
pub use catalog::{
    EVENT_LOOP_METRICS, Fact, HistogramName, METRICS, Metric, MetricKind, MetricScope, MetricSet,
    MetricSource, MetricUnit, RuntimeNumber, RuntimeNumbers, WorkerNumber,
};
#[cfg(not(metrics_core_loom))]
pub use direct::DirectWorker;
pub use histogram::{HistogramConfig, HistogramError, HistogramInterval, HistogramSnapshot, Quantile};
pub use if_recording::IfRecording;
pub use live::{LiveRecord, LiveThread, Site, Transition, WorkerState};
pub use options::{Options, Sampling};
pub use probe::{NoProbe, Probe, ProbedState};
pub use read::ReadStorage;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use read::SnapshotReader;
pub use reader::RuntimeMetrics;
pub use record::{PollStart, Recorded, StallKind};
pub use registry::{BlockingStart, Registry, RegistryRef, SharedCounters};
pub use slot::SlotBusy;
pub use snapshot::{
    HistogramReading, Interval, Measurements, Sample, SampleValue, SinceError, Snapshot, Staleness,
    WorkerInterval, WorkerLabel, WorkerSinceError, WorkerSnapshot,
};
#[cfg(feature = "serde")]
pub use snapshot::{SNAPSHOT_SCHEMA, SnapshotSeed};
pub use stamp::WakeStamp;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use storage::Heap;
#[cfg(not(metrics_core_loom))]
pub use storage::{BucketWidth, Buckets32, Buckets64, Fixed};
pub use storage::{Rows, Storage, Text};
pub use sync::RECORDING;
pub use table::Table;
pub use task_life::TaskLife;
pub use tasks::{TaskCounts, TaskEnd};
pub use time::{NoClock, TimeScale, TimeSource, Timestamp};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use worker::{LeaseError, Worker};
