//! Exports metrics to Prometheus and to scrapers that read OpenMetrics.
//!
//! Register a [`RuntimeCollector`] with a `prometheus-client` registry, which may also contain the application's own metrics. A
//! [`Format`] writes the registry as text. With the feature `axum`, `endpoint` returns a handler that chooses the format and writes the
//! registry.

mod collector;
mod encode;
#[cfg(feature = "axum")]
mod endpoint;
mod format;

pub use collector::RuntimeCollector;
#[cfg(feature = "axum")]
pub use endpoint::endpoint;
pub use format::Format;
