//! The embassy hooks, replayed on the host with a clock that only the test moves.
#![cfg(not(metrics_core_loom))]
#![allow(missing_docs)]

mod lives;
mod nesting;
mod replay;
mod times;
