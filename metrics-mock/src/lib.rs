#![doc = include_str!("../README.md")]
#![no_std]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unnecessary_literal_bound,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "a signature is that of the crate whose place this takes"
)]

#[cfg(any(feature = "std", feature = "wasm"))]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "std", feature = "wasm"))]
#[cfg_attr(
    not(feature = "wasm"),
    allow(unreachable_pub, reason = "metrics-std's aliases stand before some of it")
)]
mod base;
mod clock;
#[cfg(feature = "std")]
mod server;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use clock::ManualClock;
#[cfg(feature = "std")]
pub use server::*;
#[cfg(all(feature = "wasm", not(feature = "std")))]
pub use wasm::*;
