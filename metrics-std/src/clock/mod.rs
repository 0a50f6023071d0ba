//! The clocks of this crate: the CPU's cycle counter if it is invariant, else the operating system's clock.
//!
//! | clock | cost of a reading | resolution | rate |
//! |---|---|---|---|
//! | [`TscClock`] | one `rdtsc` (about 10 ns on a 2.6 GHz virtual machine) | a tick | calibrated once per process against the OS clock |
//! | [`InstantClock`] | one `clock_gettime` (about 25 ns on that machine) | a nanosecond at best | exact |
//!
//! # What is not promised
//!
//! - **Order between threads.** A reading is not ordered against memory accesses, nor against readings of other cores: on x86-64 an
//!   unfenced `rdtsc` was measured up to 2 us behind an earlier one on another core. [`TimeScale`](metrics_core::TimeScale) computes all
//!   differences and saturates at zero, so a wake on one core and a poll on another within that time give a latency of zero, not a huge
//!   one. Within one thread, readings never decrease.
//! - **Wall-clock rate.** The counter's rate is calibrated once (to about 20 parts per million) and not corrected afterwards. It is meant
//!   for durations, not for dates.

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

/// The clock of a registry: the best clock of the machine, or a custom [`TimeSource`].
///
/// ```
/// use metrics_std::{Clock, TimeSource};
///
/// let clock = Clock::new();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
///
/// Every registry of this crate uses this type, so that runtimes, wrappers and readers need no type parameter for the clock. This costs
/// one predicted branch per reading.
#[derive(Clone)]
pub struct Clock(IfRecording<Source>);

impl Clock {
    /// Creates the best clock of this machine: a [`TscClock`] if the CPU's counter is invariant, else an [`InstantClock`].
    ///
    /// The first call in a process calibrates the counter, which takes between 0.5 and 200 ms.
    pub fn new() -> Self {
        Self(IfRecording::new(Source::best))
    }

    /// Creates a clock that reads the operating system's monotonic clock on every machine.
    pub fn instant() -> Self {
        InstantClock::new().into()
    }

    /// Creates a clock from any time source, such as a manual clock in a test.
    pub fn custom(source: impl TimeSource + Send + Sync + 'static) -> Self {
        Self(IfRecording::new(|| Source::Custom(Arc::new(source))))
    }

    /// Returns whether durations of this clock are comparable with those of the operating system's clock.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_real_time(&self) -> bool {
        self.0
            .get()
            .is_some_and(|source| !matches!(source, Source::Custom(_)))
    }

    /// Returns whether both clocks read the same source. Clones of one custom clock do, and two custom clocks do not.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self.0.get(), other.0.get()) {
            (Some(source), Some(other)) => source.is_same(other),
            _ => true,
        }
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
    fn a_clock_names_its_source_and_rate() {
        let instant = r#"Clock { source: "instant", ticks_per_second: 1000000000 }"#;
        assert_eq!(format!("{:?}", Clock::instant()), instant);
        assert_eq!(format!("{:?}", Clock::from(InstantClock::new())), instant);
        let custom = Clock::custom(ManualClock::with_rate(32_768));
        assert_eq!(
            format!("{custom:?}"),
            r#"Clock { source: "custom", ticks_per_second: 32768 }"#
        );
        let Some(tsc) = TscClock::new() else { return };
        let rate = tsc.ticks_per_second();
        assert_eq!(
            format!("{:?}", Clock::from(tsc)),
            format!(r#"Clock {{ source: "tsc", ticks_per_second: {rate} }}"#)
        );
    }

    #[test]
    fn no_reading_is_zero() {
        // Zero means "not stamped".
        assert_ne!(Clock::instant().now().ticks(), 0);
        assert_ne!(Clock::new().now().ticks(), 0);
    }
}
