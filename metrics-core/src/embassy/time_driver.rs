//! embassy-time's driver as a clock.

use crate::time::{TimeSource, Timestamp};
use core::time::Duration;

/// The program's embassy-time driver.
///
/// That driver extends its hardware counter to 64 bits by itself, as
/// [`embassy_time_driver::Driver::now`] demands; when and where it does so is the driver's affair, and no reading here
/// is needed for it. The rate is the one that embassy's `tick-hz-*` features chose for the whole program. Calling `now` before the
/// driver was started gives zero.
///
/// With a coarse rate, such as 32 768 Hz, a poll shorter than a tick counts as zero or one tick: totals are right on
/// average, single polls are not. [`resolution`](TimeSource::resolution) says what to expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbassyClock;

impl EmbassyClock {
    /// Ticks in one second, for [`Builder::describe`](crate::Builder::describe).
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
