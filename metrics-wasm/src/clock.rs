//! Time from `performance.now()`.

use crate::host::{PERFORMANCE, Performance};
use core::error::Error;
use core::fmt;
use core::time::Duration;
use metrics_core::{TimeSource, Timestamp};

/// Different readings to see before the resolution counts as known.
const STEPS: u32 = 8;
/// Readings to take at most: two to ten milliseconds, once, on a clock so coarse that it hardly moves.
const READINGS: u32 = 1 << 16;
/// What a clock that did not move during all of them is taken for: the coarsest that browsers offer (Firefox's
/// `privacy.resistFingerprinting`).
const COARSEST: Duration = Duration::from_millis(100);

const NANOS_PER_MILLI: f64 = 1e6;

/// `performance.now()`, as windows, workers and Node have it.
///
/// Browsers make it coarse on purpose: steps of 100 us in an ordinary Chrome page, 5 us in one that is [cross-origin
/// isolated], up to 1 ms elsewhere. The constructor measures that step and [`resolution`](TimeSource::resolution) reports
/// it. A reading costs 20 to 100 ns, most of it the call out of WebAssembly.
///
/// Ticks are nanoseconds since the Unix epoch as the host saw it when this global was created. They never go back, and
/// they are no wall clock: the host's later corrections don't reach them.
///
/// [cross-origin isolated]: https://developer.mozilla.org/en-US/docs/Web/API/Window/crossOriginIsolated
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerformanceClock {
    /// `None` where there is no clock.
    resolution: Option<Duration>,
}

/// This global has no `performance.now()`: an `AudioWorklet`, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPerformance;

impl fmt::Display for NoPerformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this global object has no performance.now(), so nothing can be timed here: use PerformanceClock::ABSENT to count all the same")
    }
}

impl Error for NoPerformance {}

impl PerformanceClock {
    /// No clock: durations and histograms are `None`, counters work.
    pub const ABSENT: Self = Self { resolution: None };

    /// Finds the clock of this global and measures its resolution, which takes until it has moved eight times: a
    /// millisecond in an ordinary Chrome page, and never more than 65 536 readings.
    ///
    /// # Errors
    ///
    /// [`NoPerformance`] where there is no `performance.now()`.
    pub fn new() -> Result<Self, NoPerformance> {
        PERFORMANCE.with(|performance| match performance {
            Some(performance) => Ok(Self {
                resolution: Some(resolution(|| performance.now())),
            }),
            None => Err(NoPerformance),
        })
    }

    /// The reading of zero milliseconds, in ticks.
    pub(crate) fn origin() -> u64 {
        ORIGIN.with(|origin| *origin)
    }

    /// The clock of this global, or [`ABSENT`](Self::ABSENT).
    pub fn find() -> Self {
        Self::new().unwrap_or(Self::ABSENT)
    }
}

thread_local! {
    /// Each thread of a shared module has a global, and so a time origin, of its own.
    static ORIGIN: u64 =
        PERFORMANCE.with(|performance| performance.as_ref().and_then(Performance::time_origin).map_or(0, nanos));
}

impl TimeSource for PerformanceClock {
    fn now(&self) -> Timestamp {
        if self.resolution.is_none() {
            return Timestamp::from_ticks(0);
        }
        let since = PERFORMANCE.with(|performance| {
            performance
                .as_ref()
                .map_or(0, |performance| nanos(performance.now()))
        });
        Timestamp::from_ticks(Self::origin().saturating_add(since))
    }

    fn ticks_per_second(&self) -> u64 {
        if self.available() { 1_000_000_000 } else { 0 }
    }

    fn resolution(&self) -> Duration {
        self.resolution.unwrap_or_default()
    }

    fn available(&self) -> bool {
        self.resolution.is_some()
    }
}

/// Saturating, and 0 for anything that is no number.
#[allow(clippy::cast_sign_loss, reason = "a float-to-integer cast saturates")]
pub(crate) fn nanos(millis: f64) -> u64 {
    (millis * NANOS_PER_MILLI).round() as u64
}

/// The smallest step that a clock in milliseconds makes.
fn resolution(mut now: impl FnMut() -> f64) -> Duration {
    let mut before = now();
    let mut smallest = None;
    let mut steps = 0;
    for _ in 0..READINGS {
        let here = now();
        if here > before {
            let step = nanos(here - before).max(1);
            smallest = Some(smallest.map_or(step, |smallest: u64| smallest.min(step)));
            before = here;
            steps += 1;
            if steps == STEPS {
                break;
            }
        }
    }
    smallest.map_or(COARSEST, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that takes `cost` ms a reading and shows only multiples of `step`.
    fn coarse(step: f64, cost: f64) -> impl FnMut() -> f64 {
        let mut time = 0.0;
        move || {
            time += cost;
            (time / step).floor() * step
        }
    }

    #[test]
    fn the_step_is_found_whatever_a_reading_costs() {
        for (step, nanos) in [(0.1, 100_000), (0.005, 5_000), (1.0, 1_000_000)] {
            for cost in [0.000_03, 0.000_1, 0.000_7] {
                let found = resolution(coarse(step, cost)).as_nanos();
                assert_eq!(found, nanos, "a step of {step} ms, {cost} ms a reading");
            }
        }
    }

    #[test]
    fn a_clock_finer_than_its_readings_has_the_resolution_of_a_reading() {
        assert_eq!(resolution(coarse(0.000_001, 0.000_05)).as_nanos(), 50);
    }

    #[test]
    fn a_clock_that_stands_still_is_taken_for_the_coarsest() {
        assert_eq!(resolution(|| 7.0), COARSEST);
        assert_eq!(resolution(|| f64::NAN), COARSEST);
    }

    #[test]
    fn no_reading_is_out_of_range() {
        assert_eq!(nanos(-1.0), 0);
        assert_eq!(nanos(f64::NAN), 0);
        assert_eq!(nanos(f64::INFINITY), u64::MAX);
        assert_eq!(nanos(1.000_001), 1_000_001);
    }
}
