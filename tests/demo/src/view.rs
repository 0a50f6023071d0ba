//! The values that the demo shows once per second, on the screen or as lines.

use crate::hot_spots::HotSpot;
use std::fmt;
use std::time::Duration;

/// One second of the runtime.
pub(crate) struct View {
    pub(crate) address: String,
    pub(crate) elapsed: Duration,
    pub(crate) requests_per_second: f64,
    pub(crate) requests: u64,
    pub(crate) workers: Vec<WorkerRow>,
    pub(crate) tasks: Tasks,
    pub(crate) histograms: Vec<HistogramRow>,
    /// The spawn locations of the last second, hottest first. `None` if the runtime keeps no metrics per location.
    pub(crate) hot_spots: Option<Vec<HotSpot>>,
    /// The number of stalls since the start, from the snapshot.
    pub(crate) stall_count: Option<u64>,
    /// The last stalls, newest first.
    pub(crate) stalls: Vec<String>,
}

/// A worker in the last second, and its current state.
pub(crate) struct WorkerRow {
    pub(crate) name: String,
    pub(crate) busy_ratio: Option<f64>,
    pub(crate) polls_per_second: Option<f64>,
    pub(crate) parks_per_second: Option<f64>,
    pub(crate) steals_per_second: Option<f64>,
    pub(crate) state: String,
}

/// The tasks and queues of the runtime now.
pub(crate) struct Tasks {
    pub(crate) alive: Option<u64>,
    pub(crate) covered: Option<u64>,
    pub(crate) spawned_per_second: Option<f64>,
    pub(crate) global_queue: Option<u64>,
    pub(crate) blocking_queue: Option<u64>,
}

/// A histogram in the last second and since the start.
pub(crate) struct HistogramRow {
    pub(crate) name: &'static str,
    pub(crate) last_second: Quantiles,
    pub(crate) since_start: Quantiles,
}

/// Quantiles in nanoseconds: the upper bounds of the buckets that they lie in. `None` where nothing was recorded.
#[derive(Clone, Copy, Default)]
pub(crate) struct Quantiles {
    pub(crate) p50: Option<u64>,
    pub(crate) p90: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) p999: Option<u64>,
    /// The smallest known upper bound of all samples.
    pub(crate) max: Option<u64>,
}

impl Quantiles {
    /// In the order of [`HEADINGS`](Self::HEADINGS).
    pub(crate) fn all(&self) -> [Option<u64>; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max]
    }

    pub(crate) const HEADINGS: [&'static str; 5] = ["p50", "p90", "p99", "p99.9", "max <="];
}

/// Formats a value that may not be measured: `None` is shown as a dash, not as 0.
pub(crate) struct Maybe<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
        }
    }
}

/// Returns the end of a spawn location's path, which distinguishes it from others. The screen has no room for the whole path.
pub(crate) fn short_location(spawn_location: &str) -> &str {
    let folder = spawn_location.rmatch_indices(['/', '\\']).nth(1);
    folder.map_or(spawn_location, |(at, _)| &spawn_location[at + 1..])
}

/// Formats a number with its digits in groups of three.
pub(crate) struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// Formats a rate, rounded to whole events per second.
pub(crate) fn rate(per_second: Option<f64>) -> Maybe<Grouped> {
    #[allow(clippy::cast_sign_loss, reason = "rates of counters are not negative")]
    Maybe(per_second.map(|rate| Grouped(rate.round() as u64)))
}

/// Formats a time with three significant digits.
pub(crate) struct Nanos(pub u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => return f.pad(&format!("{} ns", self.0)),
            1_000..999_500 => (nanos / 1e3, "us"),
            999_500..999_500_000 => (nanos / 1e6, "ms"),
            _ => (nanos / 1e9, "s"),
        };
        let decimals = match value {
            ..9.995 => 2,
            ..99.95 => 1,
            _ => 0,
        };
        f.pad(&format!("{value:.decimals$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (9_994, "9.99 us"),
            (9_996, "10.0 us"),
            (99_960, "100 us"),
            (999_499, "999 us"),
            (999_500, "1.00 ms"),
            (60_123_456, "60.1 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"),
            (60_000_000_000, "60.0 s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(Nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn a_site_keeps_its_last_folder() {
        assert_eq!(
            short_location("tests/demo/src/service.rs:114"),
            "src/service.rs:114"
        );
        assert_eq!(short_location(r"C:\a\b\c.rs:1"), r"b\c.rs:1");
        assert_eq!(short_location("src/main.rs:1"), "src/main.rs:1");
        assert_eq!(short_location(""), "");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        assert_eq!(format!("{:>4}", Maybe::<Grouped>(None)), "   -");
        assert_eq!(rate(Some(1_234_567.4)).to_string(), "1,234,567");
        assert_eq!(rate(Some(0.0)).to_string(), "0");
        assert_eq!(Grouped(999).to_string(), "999");
    }
}
