//! A clock that only the test moves.

use core::time::Duration;
use metrics_core::{TimeScale, TimeSource, Timestamp};
use portable_atomic::{AtomicU64, Ordering};

/// A clock driven by hand, owned by whoever made it: parallel tests don't meet.
///
/// Share it by reference or in an `Arc`; both are [`TimeSource`]s. Durations come out exact, because time stands still until
/// [`advance`](Self::advance) moves it.
///
/// ```
/// use core::time::Duration;
/// use metrics_core::TimeSource;
/// use metrics_mock::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_millis(3));
/// assert_eq!(clock.now().ticks() - before.ticks(), 3_000_000);
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

    /// A clock of any rate, standing at zero: 32 768 for a watch crystal, say. A rate of zero is no clock.
    pub const fn with_rate(ticks_per_second: u64) -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second,
            available: ticks_per_second != 0,
        }
    }

    /// A clock that says it is not there, as a browser without `performance` would.
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

    /// Moves time on by so many ticks, and stays at the end of time.
    pub fn advance_ticks(&self, ticks: u64) {
        // Ordering: relaxed, here and below: the ticks are the only thing that is shared.
        let _ = self
            .ticks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                Some(now.saturating_add(ticks))
            });
    }

    /// Sets the reading, backwards too: what a clock must not do, and recording has to survive.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_by_what_it_is_told() {
        let clock = ManualClock::with_rate(32_768);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now().ticks(), 65_536);
        clock.advance_ticks(u64::MAX);
        assert_eq!(clock.now().ticks(), u64::MAX);
        clock.set_ticks(7);
        assert_eq!(clock.now().ticks(), 7);
    }

    #[test]
    fn it_can_say_that_it_is_not_there() {
        assert!(!ManualClock::unavailable().available());
        assert!(!ManualClock::with_rate(0).available());
        assert!(ManualClock::new().available());
    }
}
