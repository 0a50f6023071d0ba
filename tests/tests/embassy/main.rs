//! The embassy hooks, replayed on the host by a clock that stands still until it is told to move.

mod lives;
mod nesting;
mod replay;
