//! For tests: [`ManualClock`], a clock driven by hand.
#![no_std]

mod clock;

pub use clock::ManualClock;
