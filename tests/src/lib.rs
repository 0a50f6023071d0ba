//! What proves the workspace: testbed runtime, conformance suite, models and oracles.

// The suite and the testbed name these here, where another package can put something else.
pub use metrics_mock::ManualClock as HandClock;
pub use metrics_std as metrics;

pub mod conformance;
pub mod testbed;
