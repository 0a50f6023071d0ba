//! The testbed runtime once more, against an API that does nothing: the bare loop.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::pedantic,
    clippy::duplicate_mod,
    reason = "sources of another package, not all of which is used here"
)]

pub mod bare;
pub mod bare_metrics;
