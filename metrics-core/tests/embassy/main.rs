//! The embassy hooks, replayed on the host by a clock that stands still until it is told to move.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

mod lives;
mod nesting;
mod replay;
