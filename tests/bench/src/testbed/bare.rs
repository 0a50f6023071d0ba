//! With everything compiled away.

pub use super::bare_metrics as metrics;

#[path = "../../../src/testbed/mod.rs"]
pub mod testbed;
