//! Formats numbers and times, so that no digit is lost and what was not measured is a dash.

use core::fmt;

/// Formats a value that may not be measured: `None` is shown as a dash, not as 0.
#[derive(Clone, Copy, Debug)]
pub struct Maybe<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
        }
    }
}

/// Returns the end of a spawn location's path, which distinguishes it from others. The screen has no room for the whole path.
pub fn short_location(spawn_location: &str) -> &str {
    let folder = spawn_location.rmatch_indices(['/', '\\']).nth(1);
    folder.map_or(spawn_location, |(at, _)| &spawn_location[at + 1..])
}

/// Formats a number with its digits in groups of three.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

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
pub(super) fn rate(per_second: Option<f64>) -> Maybe<Grouped> {
    #[allow(clippy::cast_sign_loss, reason = "rates of counters are not negative")]
    Maybe(per_second.map(|rate| Grouped(rate.round() as u64)))
}

/// Formats a time with three significant digits.
#[derive(Clone, Copy, Debug)]
pub struct Nanos(pub u64);

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
