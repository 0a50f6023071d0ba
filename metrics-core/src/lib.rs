//! The `no_std` core of async runtime metrics.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod histogram;
#[cfg(feature = "serde")]
mod serde_u64;

pub use histogram::{HistogramConfig, HistogramError, HistogramInterval, HistogramSnapshot, Quantile};
