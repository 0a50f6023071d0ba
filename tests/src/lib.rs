//! What proves the workspace: testbed runtime, conformance suite, models and oracles.

pub use metrics_std as metrics;

pub mod conformance;
pub mod outside;
pub mod testbed;
