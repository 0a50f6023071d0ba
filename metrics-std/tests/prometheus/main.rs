//! The Prometheus exporter against the programs that read it: `promtool`, the reference client for Python, a real server.

#![allow(
    clippy::float_cmp,
    reason = "what is written as a decimal reads back as the same number"
)]

mod churn;
mod every_metric;
mod fixture;
mod pages;
mod reentry;
mod rows;
mod scrapes;
