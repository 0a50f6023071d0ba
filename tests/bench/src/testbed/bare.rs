//! With everything compiled away: the mock is what a user would swap in.

pub use metrics_mock as metrics;

#[path = "../../../src/testbed/mod.rs"]
pub mod testbed;
