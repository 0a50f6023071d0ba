//! A clock that only the test moves.

use core::time::Duration;
use metrics_core::{TimeScale, TimeSource, Timestamp};
use portable_atomic::{AtomicU64, Ordering};

/// A clock that stands still until the test moves it. Each test owns its own, so parallel tests don't affect each other.
///
/// Share it by reference or in an `Arc`: both are [`TimeSource`]s.
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
    /// A clock of nanosecond ticks, standing at zero.
    pub const fn new() -> Self {
        Self::with_rate(NANOS)
    }

    /// A clock of any rate, standing at zero: 32 768 for a watch crystal, for example. With a rate of zero it is unavailable.
    pub const fn with_rate(ticks_per_second: u64) -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second,
            available: ticks_per_second != 0,
        }
    }

    /// A clock that reports that it is unavailable, as in a browser without `performance`.
    pub const fn unavailable() -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second: NANOS,
            available: false,
        }
    }

    /// Moves time on by a duration, rounded down to ticks.
    pub fn advance(&self, duration: Duration) {
        self.advance_ticks(TimeScale::new(self.ticks_per_second).ticks_of(duration));
    }

    /// Moves time on by this many ticks, at most to the last one.
    pub fn advance_ticks(&self, ticks: u64) {
        // Ordering: relaxed, here and below: the ticks are the only thing that is shared.
        let _ = self
            .ticks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                Some(now.saturating_add(ticks))
            });
    }

    /// Sets the reading, also to an earlier one, which a real clock must never give.
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

    /// One tick.
    fn resolution(&self) -> Duration {
        Duration::from_nanos(NANOS.checked_div(self.ticks_per_second).unwrap_or(0))
    }

    fn available(&self) -> bool {
        self.available
    }
}
