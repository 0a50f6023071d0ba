//! With every hook counting.

pub use metrics_std as metrics;

#[path = "../../../src/testbed/mod.rs"]
pub mod testbed;
