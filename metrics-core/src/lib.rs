//! The `no_std` core of async runtime metrics.
#![no_std]
