//! Clocks and their timestamps.

use core::time::Duration;

/// A timestamp of one [`TimeSource`] in raw ticks. Compare it only with timestamps of the same source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates a timestamp from raw ticks.
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }

    /// Returns the raw ticks.
    pub const fn ticks(self) -> u64 {
        self.0
    }
}

/// A monotonic clock.
///
/// An implementation:
///
/// - MUST NOT panic, block or allocate in [`now`](Self::now): workers call it on every poll, and firmware calls it in
///   interrupts;
/// - MUST NOT go back within one thread. If it does, for example after a virtual machine is moved, durations that
///   include the step are not recorded. Timestamps from two cores may disagree by up to a millisecond, which counts as
///   zero;
/// - MUST NOT wrap. Extend a 32-bit counter to 64 bits;
/// - MUST return the same [`ticks_per_second`](Self::ticks_per_second), [`resolution`](Self::resolution) and
///   [`available`](Self::available) for its whole life: a registry reads them once, at construction.
///
/// ```
/// use core::time::Duration;
/// use metrics_core::{TimeSource, Timestamp};
/// use std::time::Instant;
///
/// /// Nanoseconds since it was made.
/// struct Elapsed(Instant);
///
/// impl TimeSource for Elapsed {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_ticks(self.0.elapsed().as_nanos() as u64)
///     }
///
///     fn ticks_per_second(&self) -> u64 {
///         1_000_000_000
///     }
///
///     fn resolution(&self) -> Duration {
///         Duration::from_nanos(1)
///     }
/// }
///
/// let clock = Elapsed(Instant::now());
/// assert!(clock.now() <= clock.now());
/// ```
pub trait TimeSource {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns the number of ticks per second. Zero means that there is no clock, as if [`available`](Self::available)
    /// returned `false`.
    fn ticks_per_second(&self) -> u64;

    /// Returns the smallest step between two different timestamps.
    fn resolution(&self) -> Duration;

    /// Returns `true` if the clock works on this machine. Otherwise durations and histograms are `None`, and counters
    /// still work.
    fn available(&self) -> bool {
        true
    }
}

impl<T: TimeSource + ?Sized> TimeSource for &T {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn ticks_per_second(&self) -> u64 {
        (**self).ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        (**self).resolution()
    }

    fn available(&self) -> bool {
        (**self).available()
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<T: TimeSource + ?Sized> TimeSource for alloc::sync::Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn ticks_per_second(&self) -> u64 {
        (**self).ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        (**self).resolution()
    }

    fn available(&self) -> bool {
        (**self).available()
    }
}

/// A clock that is never available. Counters work; every duration and histogram is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoClock;

impl TimeSource for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn ticks_per_second(&self) -> u64 {
        0
    }

    fn resolution(&self) -> Duration {
        Duration::ZERO
    }

    fn available(&self) -> bool {
        false
    }
}
