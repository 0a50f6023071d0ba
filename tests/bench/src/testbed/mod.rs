//! The testbed runtime twice, compiled alike: with its metrics, and without any.
//!
//! Both are sources of this package, so that the compiler may inline as much in the one as in the other.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::pedantic,
    clippy::duplicate_mod,
    reason = "sources of another package, not all of which is used here"
)]

pub mod bare;
pub mod metered;
