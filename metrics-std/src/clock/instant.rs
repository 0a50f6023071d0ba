//! The operating system's monotonic clock.

use core::time::Duration;

use metrics_core::{TimeSource, Timestamp};

/// `std::time::Instant` as nanoseconds since this clock was made.
///
/// Clones share the starting point, so their readings compare; two clocks made apart do not. On
/// `wasm32-unknown-unknown` the standard library has no clock, and this one says that it is not available.
#[derive(Clone, Copy, Debug)]
pub struct InstantClock(base::Base);

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod base {
    pub(super) const AVAILABLE: bool = true;

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Base(std::time::Instant);

    impl Base {
        pub(super) fn new() -> Self {
            Self(std::time::Instant::now())
        }

        /// Nanoseconds since it was made; 584 years fit.
        #[inline]
        pub(super) fn elapsed(self) -> u64 {
            self.0.elapsed().as_nanos() as u64
        }
    }
}

/// `Instant::now()` would panic.
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
    /// A clock that starts now.
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
        // A stamp of zero means "not stamped".
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
