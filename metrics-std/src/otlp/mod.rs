//! Exports metrics to OpenTelemetry, in its protocol OTLP over HTTP with protobuf.
//!
//! An [`OtlpExporter`] makes a request of the metrics of one or more runtimes, as a message or as bytes for a transport of your own. A
//! [`PeriodicExporter`] sends such requests from a thread of its own.
//!
//! ```no_run
//! use metrics_std::otlp::PeriodicExporter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
//! // Posts to the endpoint that the variables `OTEL_*` set, until it is dropped.
//! let _exporter = PeriodicExporter::from_env(metrics, |error| eprintln!("{error}"))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Names
//! A metric's name is derived from its [exported name](metrics_core::Metric::exported): `async_runtime_worker_busy_seconds_total` becomes
//! `async_runtime.worker.busy` with the unit `s`. A backend that translates names to those of Prometheus gives it the exported name again.
//! The attributes are `async_runtime.name`, and for some metrics `async_runtime.worker.index`, `async_runtime.state`,
//! `async_runtime.location` or `async_runtime.group`.
//!
//! # Values
//! Counters are cumulative sums and histograms have explicit bounds, both since the runtime's start time. The bounds are those that were
//! [recorded](crate::export::Edges::recorded), unless you choose others. Durations are in seconds.

mod error;
mod exporter;
mod periodic;
mod settings;
mod translate;
mod transport;

pub use error::{FlushError, StartError};
pub use exporter::OtlpExporter;
pub use periodic::PeriodicExporter;
pub use settings::{Settings, SettingsError};
pub use transport::{HttpTransport, SendError, Transport};

/// The message that an [`OtlpExporter`] makes.
pub use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
