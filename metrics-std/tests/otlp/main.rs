//! The OpenTelemetry exporter against the messages as `prost` and Google's Python library decode them.

#![allow(
    clippy::float_cmp,
    reason = "what is written as a double reads back as the same number"
)]

mod decoded;
#[expect(dead_code, reason = "the tests of the exporter for Prometheus use all of it")]
#[path = "../prometheus/fixture.rs"]
mod fixture;
mod load;
mod periodic;
