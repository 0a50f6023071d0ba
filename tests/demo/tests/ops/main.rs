//! The dashboard, the rules and the runbooks of `metrics-std/ops`, with a real Prometheus.

#![allow(
    clippy::std_instead_of_core,
    reason = "tests are programs with std; one import of `time` from both would be noise"
)]

mod alerts;
mod panels;
#[path = "../command/prometheus.rs"]
mod prometheus;
mod restarts;
mod rules;
mod served;
