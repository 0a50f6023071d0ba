//! Measures async runtimes on servers: polls, schedule latency, busy time, parks, tasks and stalls.
//!
//! Where to begin:
//! - A service on Tokio calls `tokio::attach_current`, spawns with `tokio::spawn` and serves its metrics with `serve::start` (features
//!   `tokio` and `serve`). If it builds its runtime with `tokio::TokioAdapter` instead, more is measured.
//! - A program on smol or async-executor runs its tasks on `smol::Executor` (feature `smol`).
//! - A program on any other executor calls [`build_wrapped`] and wraps its futures in [`Measured`].
//! - A runtime calls [`build`] and the hooks of one [`Worker`] per thread. It also calls [`enter`] on threads that poll wrapped futures.
//!
//! [`build_wrapped`] returns a [`RuntimeMetrics`], the handle through which metrics are read. The others return it in the field `metrics`.
//! This crate re-exports `metrics-core`, so one dependency is enough.
//!
//! # Features
//! - `record` (default): the hooks record. Without it, the types and methods are unchanged and record nothing: see [`RECORDING`].
//! - `tsc` (default): uses the CPU's cycle counter as the clock if it is invariant.
//! - `tokio`: adds the adapter for Tokio. `--cfg tokio_unstable` adds the metrics that Tokio reports only under that flag.
//! - `hyper`: implements hyper's executor for the adapter's spawner. It enables `tokio`.
//! - `axum`: serves axum routers and measures their connections, and the requests of each route. It enables `hyper` and `tokio`.
//! - `prometheus`: writes Prometheus and OpenMetrics text, and adds an endpoint for axum if `axum` is enabled.
//! - `metrics`: publishes metrics through the facade of the crate `metrics`.
//! - `otlp`: sends metrics to OpenTelemetry, or makes the requests for a transport of your own.
//! - `tracing`: emits stalls and overload as events of the crate `tracing`.
//! - `serde`: serializes snapshots and intervals.
//! - `serve`: serves `/metrics`, `/snapshot`, `/trace` and a dashboard from a thread of its own. It enables `axum`, `prometheus` and `serde`.
//! - `smol`: adds an executor for smol and async-executor that measures its tasks and workers.
//! - `decode`: adds the program `metrics-decode`, which prints what firmware sends over a serial line. It enables `serde`.
//! - `tower`: adds a tower layer that rejects requests under overload.
//! - `top`: adds the program `metrics-top`, and its view of a runtime in a terminal. It enables `serde`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod background;
mod build;
mod clock;
#[cfg(feature = "tracing")]
mod event_limit;
mod flush;
pub mod location;
#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "no adapter reads the times")
)]
mod os;
pub mod overload;
mod process_probe;
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "no adapter plugs in"))]
mod record;
mod runtimes;

pub mod watchdog;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "metrics", feature = "otlp", feature = "prometheus"))]
pub mod export;
#[cfg(feature = "metrics")]
pub mod facade;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "smol")]
pub mod smol;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "top")]
pub mod top;

pub use background::ShutdownTimeout;
pub use build::{
    BuildError, Registry, RuntimeHandles, RuntimeMetrics, Snapshot, Worker, build, build_wrapped,
};
pub use clock::{Clock, InstantClock, TscClock};
pub use flush::{FlushError, flush};
/// The core crate. Runtimes and exporters find the less common types there.
pub use metrics_core;
pub use metrics_core::{
    BlockingStart, Builder, ConfigError, HeapStorage, HistogramConfig, HistogramError, HistogramInterval,
    HistogramReading, HistogramSnapshot, Interval, LeaseError, LocationId, Measurements, MetricSet, NoProbe,
    PollStart, Probe, Quantile, RECORDING, RuntimeNumber, Sampling, SinceError, Staleness, Switches,
    TaskCounts, TaskEnd, TimeSource, Timestamp, WakeStamp, Window, WindowError, WorkerInterval, WorkerNumber,
    WorkerSnapshot, WorkerState,
};
pub use process_probe::ProcessProbe;
pub use record::{EnterGuard, Measured, enter};
pub use runtimes::{NameTaken, Runtimes};

/// Compiles and runs the examples of the READMEs.
#[cfg(all(doctest, feature = "otlp", feature = "serve"))]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Crate;
    #[doc = include_str!("../../README.md")]
    struct Workspace;
}
