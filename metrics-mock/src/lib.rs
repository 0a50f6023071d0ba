#![doc = include_str!("../README.md")]
#![no_std]

mod clock;

pub use clock::ManualClock;
