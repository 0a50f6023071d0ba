//! The runtimes under test.

pub mod testbed;
pub mod tokio;
pub mod wrapped;
