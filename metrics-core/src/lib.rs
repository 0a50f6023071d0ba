#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(all(metrics_core_bench, feature = "alloc"))]
#[doc(hidden)]
pub mod bench;
mod builder;
mod catalog;
mod cell;
mod config_error;
mod counters;
#[cfg(all(
    any(target_has_atomic = "ptr", feature = "require-cas"),
    not(metrics_core_loom)
))]
pub mod embassy;
#[cfg(not(metrics_core_loom))]
pub mod extend;
mod flight;
pub mod histogram;
mod host_cells;
#[cfg_attr(not(any(feature = "record", metrics_core_loom)), path = "if_recording_off.rs")]
mod if_recording;
mod live;
mod locations;
#[cfg(all(test, metrics_core_loom))]
mod models;
mod probe;
mod read;
mod reader;
mod record;
mod registry;
mod registry_info;
mod seq;
#[cfg(feature = "serde")]
mod serde_storage;
#[cfg(feature = "serde")]
mod serde_u64;
mod shared_counters;
mod slot;
mod snapshot;
mod stamp;
#[cfg(not(metrics_core_loom))]
mod static_details;
#[cfg(not(metrics_core_loom))]
mod static_worker;
mod storage;
mod switches;
mod sync;
mod table;
mod task_life;
mod tasks;
mod time;
mod time_scale;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod worker;

#[cfg(not(metrics_core_loom))]
pub use builder::in_a_static::StaticRegistryConfig;
pub use builder::{Builder, DEFAULT_SUBMIT_INTERVAL};
pub use catalog::{
    EVENT_LOOP_METRICS, GROUP_METRICS, HistogramName, InfoMetric, LOCATION_METRICS, LocationColumn, METRICS,
    Metric, MetricKind, MetricScope, MetricSet, MetricSource, MetricUnit, RuntimeNumber, RuntimeNumbers,
    WorkerNumber,
};
pub use config_error::ConfigError;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use flight::{
    Blame, BlameReport, BlameReportRow, BlameRow, Culprit, FlightRecording, NamedCulprit, ThreadRecording,
};
pub use flight::{DEFAULT_FLIGHT_RECORDER_THRESHOLD, FlightEvent, FlightEventKind};
pub use histogram::{HistogramConfig, HistogramError, HistogramInterval, HistogramSnapshot, Quantile};
pub use if_recording::IfRecording;
pub use live::{LiveRecord, LiveThread, LocationId, Transition, WorkerState};
pub use locations::{GroupId, LocationCensus, TaskActivity, short_path};
pub use probe::{NoProbe, Probe, ProbedState};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use read::SnapshotReader;
pub use reader::RuntimeMetrics;
pub use record::{LagKind, LoadState, PollStart, Recorded, StallKind};
pub use registry::{Registry, RegistryRef};
pub use shared_counters::{BlockingStart, SharedCounters};
pub use slot::SlotBusy;
pub use snapshot::{
    HistogramReading, Interval, LocationKind, LocationSnapshot, Measurements, Sample, SampleValue,
    SinceError, Snapshot, Staleness, WorkerInterval, WorkerLabel, WorkerSinceError, WorkerSnapshot,
};
#[cfg(feature = "serde")]
pub use snapshot::{SNAPSHOT_SCHEMA, SnapshotSeed};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use snapshot::{Window, WindowError};
pub use stamp::WakeStamp;
#[cfg(not(metrics_core_loom))]
pub use static_details::{DetailedWorker, StaticDetails, StaticLocation};
#[cfg(not(metrics_core_loom))]
pub use static_worker::StaticWorker;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use storage::HeapStorage;
#[cfg(not(metrics_core_loom))]
pub use storage::{BucketWidth, Buckets32, Buckets64, StaticStorage};
pub use storage::{Rows, Storage, Text};
pub use switches::{Sampling, Switches};
pub use sync::RECORDING;
pub use table::Table;
pub use task_life::TaskLife;
pub use tasks::{TaskCounts, TaskEnd};
pub use time::{NoClock, TimeSource, Timestamp};
pub use time_scale::TimeScale;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use worker::{GroupPoll, LeaseError, Worker};
