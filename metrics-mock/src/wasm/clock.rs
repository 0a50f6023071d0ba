//! A clock that is never read.

use core::error::Error;
use core::fmt;
use core::time::Duration;

use metrics_core::{NoClock, TimeSource, Timestamp};

/// The host's clock: not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerformanceClock(());

/// The host has no `performance.now()`. Not given: nobody looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPerformance;

impl fmt::Display for NoPerformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this global object has no performance.now()")
    }
}

impl Error for NoPerformance {}

impl PerformanceClock {
    /// No clock.
    pub const ABSENT: Self = Self(());

    /// No clock.
    ///
    /// # Errors
    /// Never.
    pub fn new() -> Result<Self, NoPerformance> {
        Ok(Self(()))
    }

    /// No clock.
    pub fn find() -> Self {
        Self(())
    }
}

/// As [`NoClock`].
impl TimeSource for PerformanceClock {
    fn now(&self) -> Timestamp {
        NoClock.now()
    }

    fn ticks_per_second(&self) -> u64 {
        NoClock.ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        NoClock.resolution()
    }

    fn available(&self) -> bool {
        NoClock.available()
    }
}
