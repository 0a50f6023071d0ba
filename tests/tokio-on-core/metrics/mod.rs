//! Tokio's runtime metrics, recorded and read by `metrics-core`.
//!
//! These files replace Tokio's `src/runtime/metrics/`. They keep the names by which the rest of Tokio calls it, so that
//! the patch of the schedulers stays short. They need `--cfg tokio_unstable` and the feature `schedule-latency`.
#![allow(missing_docs, reason = "the documentation of the public items is Tokio's")]

mod batch;
mod histogram;
mod io;
mod registry;
mod runtime;
mod schedule_latency;
mod scheduler;
mod worker;

pub(crate) use batch::MetricsBatch;
pub(crate) use histogram::HistogramBuilder;
pub use histogram::{
    HistogramConfiguration, HistogramScale, InvalidHistogramConfiguration, LogHistogram, LogHistogramBuilder,
};
pub(crate) use io::IoDriverMetrics;
pub(crate) use registry::{registry, Registry};
pub use runtime::RuntimeMetrics;
pub(crate) use schedule_latency::{ScheduleLatencyContext, ScheduleLatencyInstant};
pub(crate) use scheduler::SchedulerMetrics;
pub(crate) use worker::WorkerMetrics;
