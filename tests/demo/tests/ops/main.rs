//! The dashboard, the rules and the runbooks of `metrics-std/ops`, with a real Prometheus.

#![allow(
    clippy::std_instead_of_core,
    reason = "tests are programs with std; one import of `time` from both would be noise"
)]
#![allow(
    clippy::float_cmp,
    reason = "a scraped value that did not change is the same text"
)]

mod alerts;
mod native;
mod panels;
#[path = "../command/prometheus.rs"]
mod prometheus;
mod restarts;
mod rules;
mod served;
