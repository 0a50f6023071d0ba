//! The operating system's monotonic clock.

use core::time::Duration;

use metrics_core::{TimeSource, Timestamp};

/// `std::time::Instant` as nanoseconds since this clock was made.
///
/// Clones share the starting point, so their readings compare; two clocks made apart do not.
#[derive(Clone, Copy, Debug)]
pub struct InstantClock {
    base: Base,
}

/// On `wasm32-unknown-unknown` the standard library has no clock and `Instant::now()` panics.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
type Base = std::time::Instant;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
type Base = ();

impl InstantClock {
    /// A clock that starts now.
    #[allow(clippy::let_unit_value)]
    pub fn new() -> Self {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        let base = std::time::Instant::now();
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        let base = ();
        Self { base }
    }
}

impl Default for InstantClock {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for InstantClock {
    #[inline]
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn now(&self) -> Timestamp {
        // 584 years fit. One is added because a stamp of zero means "not stamped".
        Timestamp::from_ticks(self.base.elapsed().as_nanos() as u64 + 1)
    }

    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(0)
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn available(&self) -> bool {
        cfg!(not(all(target_family = "wasm", target_os = "unknown")))
    }
}
