//! Async runtime metrics for server runtimes.

#[cfg(feature = "prometheus")]
pub mod prometheus;
