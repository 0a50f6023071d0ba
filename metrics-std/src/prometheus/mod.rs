//! Export to Prometheus and to whatever reads OpenMetrics.
//!
//! A [`RuntimeCollector`] is registered with a `prometheus-client` registry, beside what the application exports of its own.
//! A page is written in the [`Format`] that the scraper asked for; with feature `axum`, `endpoint` is a handler that does
//! both.

mod collector;
mod encode;
#[cfg(feature = "axum")]
mod endpoint;
mod format;
mod reading;
mod text;

pub use collector::{DuplicateName, RuntimeCollector};
#[cfg(feature = "axum")]
pub use endpoint::endpoint;
pub use format::Format;
