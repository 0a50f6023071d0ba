//! Export to Prometheus: a runtime has nothing to export.
//!
//! A registry holds what others register too, and that is still written: [`Format`] and the endpoint are metrics-std's own.

mod collector;
#[cfg(feature = "axum")]
mod endpoint;
mod format;
mod text;

pub use collector::{DuplicateName, RuntimeCollector};
#[cfg(feature = "axum")]
pub use endpoint::endpoint;
pub use format::Format;
