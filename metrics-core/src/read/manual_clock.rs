//! The clock of the unit tests in this directory.

use crate::time::{TimeSource, Timestamp};
use core::cell::Cell;
use core::time::Duration;

/// A clock that only the test moves, in nanoseconds.
#[derive(Default)]
pub(super) struct ManualClock(Cell<u64>);

impl ManualClock {
    pub(super) fn advance(&self, nanos: u64) {
        self.0.set(self.0.get() + nanos);
    }
}

impl TimeSource for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0.get())
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}
