//! [`ManualClock`]: a clock that only the test advances.

use core::time::Duration;
use metrics_core::{TimeScale, TimeSource, Timestamp};
use portable_atomic::{AtomicU64, Ordering};

/// A clock that advances only when the test advances it. Each test creates its own, so parallel tests do not affect each other.
///
/// Share it by reference or in an `Arc`. Both implement [`TimeSource`].
///
/// ```
/// use core::time::Duration;
/// use metrics_core::TimeSource;
/// use metrics_mock::ManualClock;
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_millis(3));
/// assert_eq!(clock.now().ticks(), 3_000_000);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    ticks: AtomicU64,
    ticks_per_second: u64,
    available: bool,
}

const NANOS: u64 = 1_000_000_000;

impl ManualClock {
    /// Creates a clock of nanosecond ticks that reads zero.
    pub const fn new() -> Self {
        Self::with_rate(NANOS)
    }

    /// Creates a clock of any rate that reads zero, such as 32,768 for a watch crystal. With a rate of zero it is unavailable.
    pub const fn with_rate(ticks_per_second: u64) -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second,
            available: ticks_per_second != 0,
        }
    }

    /// Creates a clock that reports that it is unavailable, as in a browser without `performance`.
    pub const fn unavailable() -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second: NANOS,
            available: false,
        }
    }

    /// Advances the clock by a duration, rounded down to ticks.
    pub fn advance(&self, duration: Duration) {
        self.advance_ticks(TimeScale::new(self.ticks_per_second).ticks_of(duration));
    }

    /// Advances the clock by this many ticks, at most to `u64::MAX`.
    pub fn advance_ticks(&self, ticks: u64) {
        // Ordering: relaxed, here and below: no other data depends on the ticks.
        let _ = self
            .ticks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                Some(now.saturating_add(ticks))
            });
    }

    /// Sets the reading. It may be earlier than the last one, although a real clock must never step back.
    pub fn set_ticks(&self, ticks: u64) {
        self.ticks.store(ticks, Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.ticks.load(Ordering::Relaxed))
    }

    fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second
    }

    /// Returns the length of one tick.
    fn resolution(&self) -> Duration {
        Duration::from_nanos(NANOS.checked_div(self.ticks_per_second).unwrap_or(0))
    }

    fn available(&self) -> bool {
        self.available
    }
}
