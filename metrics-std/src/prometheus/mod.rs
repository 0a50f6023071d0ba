//! Export to Prometheus and to whatever reads OpenMetrics.

#[cfg(feature = "axum")]
mod endpoint;
mod format;
mod text;

#[cfg(feature = "axum")]
pub use endpoint::endpoint;
pub use format::Format;
