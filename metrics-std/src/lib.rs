//! Async runtime metrics for server runtimes.
//!
//! For whom, and where to begin:
//! - a service on Tokio: `tokio::TokioAdapter` builds the runtime, `tokio::Spawner` spawns on it, `axum::serve` serves
//!   through it (features `tokio`, `axum`);
//! - futures on any other executor: [`build_wrapped`] and [`Measured`];
//! - the author of a runtime: [`build`], one [`Worker`] per thread, and [`enter`] for wrapped futures polled there.
//!
//! Each gives a [`RuntimeMetrics`], the reader's handle. Everything of `metrics-core` is here too, so that one
//! dependency is enough.
//!
//! # Features
//! - `record` (default): the hooks record. Without it this crate has the same types and methods, which do nothing: see [`RECORDING`].
//! - `tsc` (default): the CPU's cycle counter as the clock, where it is invariant.
//! - `tokio`: the adapter for Tokio. `--cfg tokio_unstable` adds what Tokio shows only then.
//! - `hyper`: the adapter's spawner as hyper's executor.
//! - `axum`: an accept loop whose connections are measured.
//! - `prometheus`: Prometheus and OpenMetrics text, and with `axum` an endpoint for them.
//! - `serde`: snapshots and intervals as JSON or whatever else serde writes.

mod build;
mod clock;
mod flush;
pub mod location;
mod process_probe;
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "no adapter plugs in"))]
mod record;
mod runtimes;

pub mod watchdog;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use build::{BuildError, Registry, RuntimeMetrics, Snapshot, Worker, build, build_wrapped};
pub use clock::{Clock, InstantClock, TscClock};
pub use flush::{FlushError, flush};
/// The core, for what runtimes and exporters need beyond the names below.
pub use metrics_core;
pub use metrics_core::{
    BlockingStart, Builder, ConfigError, HeapStorage, HistogramConfig, HistogramError, HistogramInterval,
    HistogramReading, HistogramSnapshot, Interval, LeaseError, LocationId, Measurements, MetricSet, NoProbe,
    PollStart, Probe, Quantile, RECORDING, RuntimeNumber, Sampling, SinceError, Staleness, Switches,
    TaskCounts, TaskEnd, TimeSource, Timestamp, WakeStamp, WorkerInterval, WorkerNumber, WorkerSnapshot,
    WorkerState,
};
pub use process_probe::ProcessProbe;
pub use record::{EnterGuard, Measured, enter};
pub use runtimes::{NameTaken, Runtimes};

/// The snippets of the READMEs compile and run.
#[cfg(all(doctest, feature = "axum", feature = "prometheus"))]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Crate;
    #[doc = include_str!("../../README.md")]
    struct Workspace;
}
