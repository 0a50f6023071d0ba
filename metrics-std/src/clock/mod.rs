//! Clocks of a server: the CPU's cycle counter where it can be trusted, the operating system's clock elsewhere.
//!
//! | clock | a reading costs | resolution | rate |
//! |---|---|---|---|
//! | [`TscClock`] | one `rdtsc` (about 10 ns on a 2.6 GHz virtual machine) | a tick | measured once a process against the OS clock |
//! | [`InstantClock`] | one `clock_gettime` (about 25 ns there) | a nanosecond at best | exact |
//!
//! # What is not promised
//!
//! **Order between threads.** A reading is not ordered against memory accesses, nor against the reading of another core: on
//! x86-64 an unfenced `rdtsc` was seen up to 2 us behind one already read on the other core. Every difference of two readings
//! goes through [`TimeScale`](metrics_core::TimeScale), which saturates at zero, so that a wake stamped on one core and polled
//! on another within that time reads as a latency of zero, never as a huge one. Within one thread readings never go back.
//!
//! **Wall-clock rate for ever.** The counter's rate is calibrated once (to about 20 parts in a million) and not corrected
//! afterwards, so it suits durations, not calendars.

mod instant;
mod source;
mod tsc;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use metrics_core::{IfRecording, NoClock, TimeSource, Timestamp};

use self::source::Source;

pub use self::instant::InstantClock;
pub use self::tsc::TscClock;

/// The clock of a registry: the best one here, or one of your own.
///
/// Every registry of this crate is over this one type, so that a runtime, its wrappers and its reader agree without a type
/// parameter. Choosing costs one predicted branch a reading.
///
/// ```
/// use metrics_std::{Clock, TimeSource};
///
/// let clock = Clock::new();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
#[derive(Clone)]
pub struct Clock(IfRecording<Source>);

impl Clock {
    /// The best clock of this machine: [`TscClock`] where the CPU's counter is invariant, else [`InstantClock`].
    ///
    /// The first call in a process calibrates the counter, which takes between half a millisecond and 200 ms.
    pub fn new() -> Self {
        Self(IfRecording::new(Source::best))
    }

    /// The operating system's monotonic clock, whatever the CPU could do.
    pub fn instant() -> Self {
        InstantClock::new().into()
    }

    /// Any other time source, such as a clock that a test moves by hand.
    pub fn custom(source: impl TimeSource + Send + Sync + 'static) -> Self {
        Self(IfRecording::new(|| Source::Custom(Arc::new(source))))
    }

    /// Whether durations by the operating system's clock can be compared with those by this one.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_real_time(&self) -> bool {
        self.0
            .get()
            .is_some_and(|source| !matches!(source, Source::Custom(_)))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl From<TscClock> for Clock {
    fn from(clock: TscClock) -> Self {
        Self(IfRecording::new(|| Source::Tsc(clock)))
    }
}

impl From<InstantClock> for Clock {
    fn from(clock: InstantClock) -> Self {
        Self(IfRecording::new(|| Source::Instant(clock)))
    }
}

impl TimeSource for Clock {
    #[inline]
    fn now(&self) -> Timestamp {
        self.0.get().map_or(NoClock.now(), Source::now)
    }

    fn ticks_per_second(&self) -> u64 {
        self.0
            .get()
            .map_or(NoClock.ticks_per_second(), Source::ticks_per_second)
    }

    fn resolution(&self) -> Duration {
        self.0.get().map_or(NoClock.resolution(), Source::resolution)
    }

    fn available(&self) -> bool {
        self.0.get().map_or(NoClock.available(), Source::available)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("source", &self.0.get().map_or("none", Source::name))
            .field("ticks_per_second", &self.ticks_per_second())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_core::TimeScale;
    use metrics_mock::ManualClock;

    #[test]
    fn a_custom_source_is_passed_through_whole() {
        let source = Arc::new(ManualClock::with_rate(32_768));
        let clock = Clock::custom(Arc::clone(&source));
        source.advance_ticks(7);
        assert_eq!(clock.now().ticks(), 7);
        assert_eq!(clock.ticks_per_second(), 32_768);
        assert_eq!(clock.resolution(), source.resolution());
        assert!(clock.available());
        assert!(!Clock::custom(ManualClock::unavailable()).available());
    }

    #[test]
    fn clones_share_one_time_base() {
        for clock in [Clock::new(), Clock::instant()] {
            let before = clock.now();
            let after = clock.clone().now();
            assert!(after >= before);
            let scale = TimeScale::new(clock.ticks_per_second());
            assert!(
                scale.nanos(after, before) < 1_000_000_000,
                "another time base would be further away"
            );
        }
    }

    #[test]
    fn no_reading_is_zero() {
        // Zero is the core's "not stamped".
        assert_ne!(Clock::instant().now().ticks(), 0);
        assert_ne!(Clock::new().now().ticks(), 0);
    }
}
