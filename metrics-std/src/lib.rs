//! Async runtime metrics for server runtimes.
