//! Async runtime metrics for browser executors.
