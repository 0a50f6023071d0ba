//! What proves the workspace: testbed runtime, conformance suite, models and oracles.

pub use metrics_core as metrics;

pub mod testbed;
