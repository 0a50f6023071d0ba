//! Snapshots as text tables, without floating point and without a heap.

use crate::live::WorkerState;
use core::fmt::{self, Write};

use crate::histogram::HistogramSnapshot;
use crate::snapshot::{HistogramReading, Snapshot, WorkerSnapshot};
use crate::storage::Storage;

/// Formats a [`Snapshot`] as a table with one row per worker, for [`core::fmt`].
///
/// ```text
/// loop        state       busy     polls     parks  mean poll   longest   latency
/// worker 0    parked    41.3 %     20000       100    12.3 us   48.1 us    1.2 us
/// ```
///
/// Busy time is a share of the time since the registry was built. A value that was not measured is `-`. A row marked
/// `~` could not be read and shows the previous values of the snapshot.
#[derive(Debug)]
pub struct Table<'a, S: Storage>(&'a Snapshot<S>);

impl<S: Storage> Snapshot<S> {
    /// Returns the workers as a table.
    pub fn table(&self) -> Table<'_, S> {
        Table(self)
    }
}

impl<S: Storage> fmt::Display for Table<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12}{:<10}{:>8}{:>10}{:>10}{:>11}{:>10}{:>10}",
            self.0.name(),
            "state",
            "busy",
            "polls",
            "parks",
            "mean poll",
            "longest",
            "latency"
        )?;
        self.0.workers().iter().try_for_each(|worker| self.row(f, worker))
    }
}

impl<S: Storage> Table<'_, S> {
    fn row(&self, f: &mut fmt::Formatter<'_>, worker: &WorkerSnapshot<S>) -> fmt::Result {
        let nanos = |duration: core::time::Duration| duration.as_nanos() as u64;
        let busy = worker
            .busy_duration_total()
            .zip(self.0.uptime())
            .and_then(|(busy, uptime)| permille(nanos(busy), nanos(uptime)));
        let poll_time = worker.poll_time().map(HistogramReading::histogram);
        let latency = worker.schedule_latency().map(HistogramReading::histogram);
        writeln!(
            f,
            "worker {:<3}{} {:<10}{:>8}{:>10}{:>10}{:>11}{:>10}{:>10}",
            worker.index(),
            mark(worker.staleness().is_some()),
            worker.state().map_or("awake", WorkerState::name),
            Share(busy),
            Count(worker.poll_count()),
            Count(worker.park_count()),
            Nanos(poll_time.and_then(|histogram| histogram.sum().checked_div(histogram.count()))),
            Nanos(poll_time.and_then(HistogramSnapshot::max)),
            Nanos(latency.and_then(|histogram| histogram.sum().checked_div(histogram.count()))),
        )
    }
}

/// Returns `part` of `whole` in thousandths, rounded to the nearest.
pub(crate) fn permille(part: u64, whole: u64) -> Option<u32> {
    // Both are reduced to 32 bits, so that neither the product nor the division of a 32-bit target is long.
    let shift = (u64::BITS - whole.leading_zeros()).saturating_sub(u32::BITS);
    let (part, whole) = ((part >> shift).min(u64::from(u32::MAX)), whole >> shift);
    let thousandths = (part * 1_000 + whole / 2).checked_div(whole)?;
    Some(thousandths.min(1_000) as u32)
}

pub(crate) fn mark(stale: bool) -> char {
    if stale { '~' } else { ' ' }
}

/// Formats thousandths as a percentage.
pub(crate) struct Share(pub(crate) Option<u32>);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = heapless::String::<8>::new();
        // At most "100.0 %".
        let _ = match self.0 {
            Some(permille) => write!(text, "{}.{} %", permille / 10, permille % 10),
            None => text.write_char('-'),
        };
        f.pad(&text)
    }
}

/// Formats a duration in the unit that leaves up to four digits before the decimal point.
pub(crate) struct Nanos(pub(crate) Option<u64>);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = heapless::String::<24>::new();
        let Some(nanos) = self.0 else {
            return f.pad("-");
        };
        let (unit, name) = match nanos {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        // 20 digits, a decimal point, a digit and a unit at most.
        let _ = if unit == 1 {
            write!(text, "{nanos} {name}")
        } else {
            write!(text, "{}.{} {name}", nanos / unit, nanos % unit / (unit / 10))
        };
        f.pad(&text)
    }
}

/// Formats a count that may be absent.
struct Count(Option<u64>);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => fmt::Display::fmt(&count, f),
            None => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::format;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn durations_show_in_their_unit() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 us"),
            (12_399, "12.3 us"),
            (999_999, "999.9 us"),
            (30_050_000, "30.0 ms"),
            (2_500_000_000, "2.5 s"),
            (u64::MAX, "18446744073.7 s"),
        ] {
            assert_eq!(format!("{}", Nanos(Some(nanos))), text);
        }
        assert_eq!(
            format!("{:>6}|{:<4}|", Nanos(Some(5)), Nanos(None)),
            "  5 ns|-   |"
        );
    }

    #[test]
    fn shares_round_to_the_nearest_thousandth() {
        assert_eq!(permille(1, 0), None);
        assert_eq!(permille(1, 3), Some(333));
        assert_eq!(permille(2, 3), Some(667));
        assert_eq!(permille(u64::MAX, u64::MAX), Some(1_000));
        assert_eq!(permille(u64::MAX / 4, u64::MAX), Some(250));
        assert_eq!(permille(9, 3), Some(1_000), "two readings may disagree");
        assert_eq!(format!("{:>8}", Share(permille(1, 8))), "  12.5 %");
        assert_eq!(format!("{:>4}", Share(None)), "   -");
    }
}
