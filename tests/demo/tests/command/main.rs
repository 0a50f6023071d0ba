//! Runs the demo as a user does: `cargo xtask demo`.

#![allow(
    clippy::std_instead_of_core,
    reason = "tests are programs with std; one import of `time` from both would be noise"
)]

mod child;
mod command_line;
mod document;
mod prometheus;
mod scraped;
mod served;
