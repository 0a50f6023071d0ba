//! The spawn locations and the groups that used most of the busy time in the last second.

use super::fit::{columns, cut};
use super::format::{Maybe, Nanos, rate, short_location};
use crate::{HeapStorage, Interval, Snapshot, WorkerNumber};
use core::time::Duration;
use metrics_core::{LocationKind, LocationSnapshot};
use ratatui::style::Stylize;
use ratatui::text::Line;

/// The number of locations for which the screen has room.
const SHOWN: usize = 5;

/// A spawn location or a group in the last second.
#[derive(Clone, Debug)]
pub(super) struct HotSpot {
    pub(super) name: String,
    /// Its share of the busy time of all workers.
    pub(super) busy_share: Option<f64>,
    pub(super) polls_per_second: Option<f64>,
    /// The longest poll since the start, in nanoseconds.
    pub(super) slowest: Option<u64>,
    /// The time per second that its tasks were ready and waited, in nanoseconds.
    pub(super) waited: Option<f64>,
}

/// Returns the locations, or the groups, that were polled in the interval, those with most poll time first. `None` if the runtime keeps no
/// metrics per location. The polls of a group are parts of polls of tasks, so the two are not added up.
pub(super) fn hot_spots(
    groups: bool,
    now: &Snapshot,
    before: &Snapshot,
    interval: &Interval<HeapStorage>,
    seconds: f64,
) -> Option<Vec<HotSpot>> {
    let busy = interval.total().counter(WorkerNumber::BusyDurationTotal);
    let earlier = before.locations().unwrap_or_default();
    let mut spots: Vec<(u64, HotSpot)> = Vec::new();
    let rows = now.locations()?.iter();
    for location in rows.filter(|row| row.is_group() == groups) {
        let place = earlier.binary_search_by_key(&key(location), key).ok();
        let earlier = place.map(|place| &earlier[place]);
        let grown = |of: fn(&LocationSnapshot<HeapStorage>) -> Option<Duration>| {
            let then = earlier.and_then(of).unwrap_or_default();
            of(location).map(|now| nanos(now.saturating_sub(then)))
        };
        let polls_before = earlier.map_or(0, LocationSnapshot::poll_count);
        // The snapshots may come from another process: nothing checks that its counters only grow.
        let polls = location.poll_count().saturating_sub(polls_before);
        if polls == 0 {
            continue;
        }
        let time = grown(LocationSnapshot::poll_time);
        let spot = HotSpot {
            name: if groups {
                location.name().to_owned()
            } else {
                short_location(location.name()).to_owned()
            },
            busy_share: time
                .zip(busy.filter(|&busy| busy > 0))
                .map(|(time, busy)| time as f64 / busy as f64),
            polls_per_second: Some(polls as f64 / seconds),
            slowest: location.longest_poll().map(nanos),
            waited: grown(LocationSnapshot::schedule_latency).map(|waited| waited as f64 / seconds),
        };
        spots.push((time.unwrap_or(0), spot));
    }
    // Stable: equal values stay in the order of their numbers.
    spots.sort_by_key(|&(time, _)| core::cmp::Reverse(time));
    Some(spots.into_iter().map(|(_, spot)| spot).collect())
}

/// Returns the key by which the locations of a snapshot are sorted.
fn key(location: &LocationSnapshot<HeapStorage>) -> u32 {
    match location.kind() {
        LocationKind::Unknown => 0,
        LocationKind::Other => u32::MAX - 1,
        LocationKind::OtherGroups => u32::MAX,
        _ => location.location().as_u32(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the headings and the first rows. The columns for which there is no room are left out; a number is never truncated.
pub(super) fn lines<'a>(
    heading: &'static str,
    spots: impl Iterator<Item = &'a HotSpot>,
    width: usize,
) -> Vec<Line<'static>> {
    // The longest poll is that since the start, and the others are of the interval.
    let headings = [heading, "of busy", "polls/s", "slowest ever", "waited/s"];
    let rows: Vec<[String; 5]> = spots.take(SHOWN).map(cells).collect();
    let mut widths = headings.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let shown = columns(widths, [0, 1, 3, 4, 2], width);
    let line = |cells: [String; 5]| {
        let cells = (0..).zip(cells).filter(|&(column, _)| shown[column]);
        let cells = cells.map(|(column, cell)| match column {
            0 => format!("{cell:<width$}", width = widths[0]),
            _ => format!("{cell:>width$}", width = widths[column]),
        });
        Line::from(cut(&cells.collect::<Vec<_>>().join(" "), width))
    };
    let mut lines = vec![line(headings.map(str::to_owned)).dim()];
    lines.extend(rows.into_iter().map(line));
    lines
}

fn cells(spot: &HotSpot) -> [String; 5] {
    let share = spot.busy_share.map(|share| format!("{:.0}%", share * 100.0));
    #[allow(clippy::cast_sign_loss, reason = "waits are not negative")]
    let waited = spot.waited.map(|waited| Nanos(waited.round() as u64));
    [
        spot.name.clone(),
        Maybe(share).to_string(),
        rate(spot.polls_per_second).to_string(),
        Maybe(spot.slowest.map(Nanos)).to_string(),
        Maybe(waited).to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(name: &str) -> HotSpot {
        HotSpot {
            name: name.to_owned(),
            busy_share: Some(0.82),
            polls_per_second: Some(4_210.0),
            slowest: Some(62_000_000),
            waited: None,
        }
    }

    #[test]
    fn a_row_shows_its_location_and_a_dash_for_what_is_not_measured() {
        let lines = lines("hot spots", [spot("src/report.rs:88")].iter(), 80);
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "hot spots        of busy polls/s slowest ever waited/s",
                "src/report.rs:88     82%   4,210      62.0 ms        -",
            ]
        );
    }

    #[test]
    fn only_the_first_rows_are_shown_and_columns_whole() {
        let spots: Vec<HotSpot> = (0..9).map(|_| spot("src/report.rs:88")).collect();
        assert_eq!(lines("hot spots", spots.iter(), 80).len(), 1 + SHOWN);
        let narrow = lines("hot spots", spots.iter(), 24);
        assert_eq!(narrow[1].to_string(), "src/report.rs:88     82%");
    }
}
