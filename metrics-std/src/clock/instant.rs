//! [`InstantClock`] reads the operating system's monotonic clock.

use core::time::Duration;

use metrics_core::{TimeSource, Timestamp};

/// Reads `std::time::Instant` as nanoseconds since the clock was created.
///
/// Clones share the starting point, so their timestamps are comparable. Timestamps of separately created clocks are not. On
/// `wasm32-unknown-unknown` the standard library has no clock, and [`available`](TimeSource::available) returns `false`.
#[derive(Clone, Copy, Debug)]
pub struct InstantClock(base::Base);

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod base {
    pub(super) const AVAILABLE: bool = true;

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Base(pub(super) std::time::Instant);

    impl Base {
        pub(super) fn new() -> Self {
            Self(std::time::Instant::now())
        }

        /// Returns the nanoseconds since the clock was created. 64 bits hold 584 years.
        #[inline]
        pub(super) fn elapsed(self) -> u64 {
            self.0.elapsed().as_nanos() as u64
        }
    }
}

/// `Instant::now()` panics on this target.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod base {
    pub(super) const AVAILABLE: bool = false;

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Base;

    impl Base {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn elapsed(self) -> u64 {
            0
        }
    }
}

impl InstantClock {
    /// Creates a clock that starts now.
    pub fn new() -> Self {
        Self(base::Base::new())
    }
}

impl Default for InstantClock {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for InstantClock {
    #[inline]
    fn now(&self) -> Timestamp {
        // Zero means "not stamped".
        Timestamp::from_ticks(self.0.elapsed() + 1)
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn available(&self) -> bool {
        base::AVAILABLE
    }
}

#[cfg(all(test, not(all(target_family = "wasm", target_os = "unknown"))))]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn readings_advance_in_nanoseconds() {
        let clock = InstantClock::new();
        assert_eq!(clock.resolution(), Duration::from_nanos(1));
        let (began, first) = (Instant::now(), clock.now());
        while clock.now() == first {
            assert!(began.elapsed() < Duration::from_secs(20), "it stands still");
        }
    }

    #[test]
    fn the_first_reading_is_not_zero() {
        let starts_later = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(InstantClock(base::Base(starts_later)).now().ticks(), 1);
    }
}
