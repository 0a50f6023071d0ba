//! The testbed runtime, compiled as a source of this package so that the compiler may inline as much as in the peers.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::pedantic,
    reason = "sources of another package, not all of which is used here"
)]

pub use metrics_std as metrics;

#[allow(clippy::module_inception, reason = "the sources name themselves by this path")]
#[path = "../../src/testbed/mod.rs"]
pub mod testbed;
