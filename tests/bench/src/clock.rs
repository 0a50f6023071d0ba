//! The lower limit: the cost of a reading of each clock.

use crate::harness::{Build, Measured, Named, side, timed};
use std::hint::black_box;

/// Every clock's side.
pub(crate) const SIDES: &[Named] = &[side("clock/tsc", TSC), side("clock/instant", INSTANT)];

/// quanta's raw reading: an `rdtsc` if the time-stamp counter is invariant.
const TSC: Build = || {
    let clock = quanta::Clock::new();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for _ in 0..ops {
                black_box(black_box(&clock).raw());
            }
        })
    })
};

const INSTANT: Build = || {
    Box::new(|ops: u64| -> Measured {
        timed(ops, || {
            for _ in 0..ops {
                black_box(std::time::Instant::now());
            }
        })
    })
};
