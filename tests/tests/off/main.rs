//! The guarantees of a build without the feature `record`: `cargo test --package tests --no-default-features`.
//!
//! With the feature, these functions are also compiled, so that API changes affect them, but they are not tests.

#![cfg_attr(
    feature = "record",
    allow(dead_code, unused_imports, reason = "no tests with this feature")
)]

mod nothing;
mod service;
