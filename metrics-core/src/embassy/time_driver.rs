//! embassy-time's driver as a clock.

use crate::time::{TimeSource, Timestamp};
use core::time::Duration;

/// The program's embassy-time driver as a clock.
///
/// The driver itself extends its hardware counter to 64 bits, as [`embassy_time_driver::Driver::now`] requires,
/// without help from this type. embassy's `tick-hz-*` features choose the rate for the whole program. A call of `now`
/// before the driver is started returns zero.
///
/// With a coarse rate, such as 32 768 Hz, a poll shorter than a tick counts as zero or one tick: totals are right on
/// average, but single polls are not. [`resolution`](TimeSource::resolution) returns the tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbassyClock;

impl EmbassyClock {
    /// The number of ticks per second, for [`Builder::describe`](crate::Builder::describe).
    pub const TICKS_PER_SECOND: u64 = embassy_time_driver::TICK_HZ;
    /// The length of a tick, rounded up to a nanosecond.
    pub const RESOLUTION: Duration = Duration::from_nanos(1_000_000_000_u64.div_ceil(Self::TICKS_PER_SECOND));
}

impl TimeSource for EmbassyClock {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(embassy_time_driver::now())
    }

    fn ticks_per_second(&self) -> u64 {
        Self::TICKS_PER_SECOND
    }

    fn resolution(&self) -> Duration {
        Self::RESOLUTION
    }
}
