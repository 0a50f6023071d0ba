//! What a build without the feature `record` must hold: `cargo test --package tests --no-default-features`.
//!
//! With the feature these are compiled as well, so that a change of the API reaches them, but they are no tests.

#![cfg_attr(
    feature = "record",
    allow(dead_code, unused_imports, reason = "no tests with this feature")
)]

mod nothing;
mod service;
