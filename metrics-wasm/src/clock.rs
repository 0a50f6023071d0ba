//! Time from `performance.now()`.

use crate::host::{PERFORMANCE, Performance};
use core::error::Error;
use core::fmt;
use core::time::Duration;
use metrics_core::{TimeSource, Timestamp};

/// Steps of the clock that [`resolution`] waits for.
const STEPS: u32 = 8;
/// The maximum number of readings that [`resolution`] takes: 2 to 10 ms in total, on a clock so coarse that it hardly moves.
const READINGS: u32 = 1 << 16;
/// The assumed resolution of a clock that does not advance during all of these readings: the coarsest in browsers (Firefox with
/// `privacy.resistFingerprinting`).
const COARSEST: Duration = Duration::from_millis(100);

const NANOS_PER_MILLI: f64 = 1e6;

/// The clock `performance.now()`, which windows, workers and Node provide.
///
/// Browsers make it coarse on purpose: its steps are 100 us in an ordinary Chrome page, 5 us in a page that is [cross-origin
/// isolated], and up to 1 ms elsewhere (100 ms in Firefox with `privacy.resistFingerprinting`). [`new`](Self::new) measures the
/// step and [`resolution`](TimeSource::resolution) returns it. A reading costs 20 to 100 ns, mostly for the call out of
/// WebAssembly.
///
/// A tick is one nanosecond since the Unix epoch, as the host knew it when this global object was created. The clock is
/// monotonic. It is not a wall clock: later corrections of the host's time don't affect it.
///
/// [cross-origin isolated]: https://developer.mozilla.org/en-US/docs/Web/API/Window/crossOriginIsolated
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerformanceClock {
    /// `None` if the clock is unavailable.
    resolution: Option<Duration>,
}

/// The error of [`PerformanceClock::new`]: this global object has no `performance.now()`. An `AudioWorklet` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockUnavailable;

impl fmt::Display for ClockUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this global object has no performance.now(): use PerformanceClock::UNAVAILABLE to count without measuring time",
        )
    }
}

impl Error for ClockUnavailable {}

impl PerformanceClock {
    /// No clock. Counters work; durations and histograms are `None`.
    pub const UNAVAILABLE: Self = Self { resolution: None };

    /// Looks up `performance.now()` and measures its resolution.
    ///
    /// The measurement waits until the clock has moved eight times, which takes about a millisecond in an ordinary Chrome page. It
    /// takes at most 65 536 readings.
    ///
    /// # Errors
    /// Returns [`ClockUnavailable`] if the global object has no `performance.now()`.
    pub fn new() -> Result<Self, ClockUnavailable> {
        PERFORMANCE.with(|performance| match performance {
            Some(performance) => Ok(Self {
                resolution: Some(resolution(|| performance.now())),
            }),
            None => Err(ClockUnavailable),
        })
    }

    /// Creates the clock as [`new`](Self::new) does, but returns [`UNAVAILABLE`](Self::UNAVAILABLE) instead of an error.
    pub fn detect() -> Self {
        Self::new().unwrap_or(Self::UNAVAILABLE)
    }

    /// Returns the tick at zero milliseconds of `performance.now()`.
    pub(crate) fn origin() -> u64 {
        ORIGIN.with(|origin| *origin)
    }
}

thread_local! {
    /// Each thread of a shared module has its own global object and its own time origin.
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

/// Converts milliseconds to nanoseconds. Saturates, and returns 0 for a number below 0 and for NaN.
#[allow(clippy::cast_sign_loss, reason = "a float-to-integer cast saturates")]
pub(crate) fn nanos(millis: f64) -> u64 {
    (millis * NANOS_PER_MILLI).round() as u64
}

/// Returns the smallest step of a clock whose readings are in milliseconds.
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

    /// A clock whose readings take `cost` ms each and are multiples of `step` ms.
    fn coarse(step: f64, cost: f64) -> impl FnMut() -> f64 {
        let mut time = 0.0;
        move || {
            time += cost;
            (time / step).floor() * step
        }
    }

    #[test]
    fn the_resolution_does_not_depend_on_the_cost_of_a_reading() {
        for (step, nanos) in [(0.1, 100_000), (0.005, 5_000), (1.0, 1_000_000)] {
            for cost in [0.000_03, 0.000_1, 0.000_7] {
                let found = resolution(coarse(step, cost)).as_nanos();
                assert_eq!(found, nanos, "a step of {step} ms, {cost} ms per reading");
            }
        }
    }

    #[test]
    fn the_resolution_is_at_least_the_cost_of_a_reading() {
        assert_eq!(resolution(coarse(0.000_001, 0.000_05)).as_nanos(), 50);
    }

    #[test]
    fn a_clock_that_does_not_move_has_the_coarsest_resolution() {
        assert_eq!(resolution(|| 7.0), COARSEST);
        assert_eq!(resolution(|| f64::NAN), COARSEST);
    }

    #[test]
    fn conversion_to_nanoseconds_saturates() {
        assert_eq!(nanos(-1.0), 0);
        assert_eq!(nanos(f64::NAN), 0);
        assert_eq!(nanos(f64::INFINITY), u64::MAX);
        assert_eq!(nanos(1.000_001), 1_000_001);
    }
}
