//! The values that are shown for one interval.

use super::format::{Grouped, Maybe, Nanos, rate, short_location};
use super::hot_spots::HotSpot;
use core::time::Duration;
use metrics_core::{BlameReport, BlameReportRow, NamedCulprit};

/// The number of rows of blame for which the screen has room.
const BLAMED: usize = 3;

/// The values of a runtime between two snapshots. [`Sampler::sample`](super::Sampler::sample) returns it.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) title: Vec<String>,
    pub(super) interval: Duration,
    pub(super) workers: Vec<WorkerRow>,
    pub(super) tasks: Tasks,
    pub(super) histograms: Vec<HistogramRow>,
    /// The spawn locations of the interval, hottest first. `None` if the runtime keeps no metrics per location.
    pub(super) hot_spots: Option<Vec<HotSpot>>,
    /// The groups of the interval, such as the routes of a service, hottest first.
    pub(super) groups: Vec<HotSpot>,
    /// The locations that waited longest, and for what.
    pub(super) blame: Vec<String>,
    /// The locations with tasks that nobody can wake.
    pub(super) unwakeable: Vec<String>,
    /// The number of stalls since the start, from the snapshot.
    pub(super) stall_count: Option<u64>,
    /// The long polls in progress, or lines about the last stalls.
    pub(super) stalls: Vec<String>,
    pub(super) stalls_heading: &'static str,
}

impl View {
    /// Replaces the title, which is the runtime's name. A part is never split between two lines.
    #[must_use]
    pub fn with_title(mut self, parts: Vec<String>) -> Self {
        self.title = parts;
        self
    }

    /// Replaces the list of stalls, which are the long polls in progress, by lines about the last ones.
    #[must_use]
    pub fn with_stalls(mut self, lines: Vec<String>) -> Self {
        self.stalls = lines;
        self.stalls_heading = "long polls and the last stalls";
        self
    }

    /// Adds the locations that waited longest, and for what, from the events of a flight recorder.
    #[must_use]
    pub fn with_blame(mut self, report: &BlameReport) -> Self {
        let rows = report.rows.iter().take(BLAMED);
        self.blame = rows.map(blame_line).collect();
        self
    }

    /// Returns the time between the two snapshots.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the values as one line, for a program without a terminal.
    pub fn line(&self) -> String {
        let workers = self.workers.iter().filter(|worker| worker.index.is_some());
        let busy: Vec<String> = workers
            .map(|worker| Maybe(worker.utilization.map(|busy| format!("{:.0}%", busy * 100.0))).to_string())
            .collect();
        let polls = self.workers.iter().filter_map(|worker| worker.polls_per_second);
        let mut text = format!(
            "{}  busy {}  {} polls/s",
            self.title.join("  "),
            busy.join(" "),
            rate(polls.reduce(|sum, polls| sum + polls)),
        );
        for row in &self.histograms {
            let quantiles = row.interval;
            let part = format!(
                "  {} p50 {} p99 {} max <= {}",
                row.name,
                Maybe(quantiles.p50.map(Nanos)),
                Maybe(quantiles.p99.map(Nanos)),
                Maybe(quantiles.max.map(Nanos)),
            );
            text.push_str(&part);
        }
        text + &format!(
            "  stalls since the start {}",
            Maybe(self.stall_count.map(Grouped))
        )
    }
}

/// Returns a row of blame as a line.
fn blame_line(row: &BlameReportRow) -> String {
    let name = |location| match short_location(location) {
        "" => "unknown location",
        name => name,
    };
    let waited = Nanos(u64::try_from(row.waited.as_nanos()).unwrap_or(u64::MAX));
    let victim = name(&row.victim);
    match &row.culprit {
        NamedCulprit::Polls(culprit) => format!("{waited}  {victim} waited for {}", name(culprit)),
        NamedCulprit::ShortPolls => format!("{waited}  {victim} waited for short polls"),
        NamedCulprit::NotRecorded => format!("{waited}  {victim} waited before the first recorded event"),
        _ => format!("{waited}  {victim} waited for no recorded poll"),
    }
}

/// A worker in the interval, and its current state.
#[derive(Clone, Debug)]
pub(super) struct WorkerRow {
    pub(super) name: String,
    /// `None` for the external threads.
    pub(super) index: Option<usize>,
    pub(super) utilization: Option<f64>,
    pub(super) polls_per_second: Option<f64>,
    pub(super) parks_per_second: Option<f64>,
    pub(super) steals_per_second: Option<f64>,
    pub(super) state: String,
}

/// The tasks and queues of the runtime now.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    pub(super) alive: Option<u64>,
    pub(super) covered: Option<u64>,
    pub(super) spawned_per_second: Option<f64>,
    pub(super) global_queue: Option<u64>,
    pub(super) blocking_queue: Option<u64>,
}

/// A histogram in the interval and since the start.
#[derive(Clone, Debug)]
pub(super) struct HistogramRow {
    pub(super) name: &'static str,
    pub(super) interval: Quantiles,
    pub(super) since_start: Quantiles,
}

/// Quantiles in nanoseconds: the upper bounds of the buckets that they lie in. `None` where nothing was recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quantiles {
    pub(super) p50: Option<u64>,
    pub(super) p90: Option<u64>,
    pub(super) p99: Option<u64>,
    pub(super) p999: Option<u64>,
    /// The smallest known upper bound of all samples.
    pub(super) max: Option<u64>,
}

impl Quantiles {
    /// In the order of [`HEADINGS`](Self::HEADINGS).
    pub(super) fn all(&self) -> [Option<u64>; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max]
    }

    pub(super) const HEADINGS: [&'static str; 5] = ["p50", "p90", "p99", "p99.9", "max <="];
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_of_blame_says_what_the_tasks_waited_for() {
        let report = json!({ "span": "1", "is_sampled": false, "rows": [
            { "victim": "src/a.rs:1", "culprit": { "polls": "src/b.rs:2" }, "waited": "80400000" },
            { "victim": "", "culprit": "no_poll", "waited": "2000000" },
            { "victim": "src/a.rs:1", "culprit": "short_polls", "waited": "1500000" },
            { "victim": "src/a.rs:1", "culprit": "not_recorded", "waited": "1000000" },
        ]});
        let report: BlameReport = serde_json::from_value(report).unwrap();
        let lines: Vec<_> = report.rows.iter().map(blame_line).collect();
        assert_eq!(
            lines,
            [
                "80.4 ms  src/a.rs:1 waited for src/b.rs:2",
                "2.00 ms  unknown location waited for no recorded poll",
                "1.50 ms  src/a.rs:1 waited for short polls",
                "1.00 ms  src/a.rs:1 waited before the first recorded event",
            ]
        );
    }
}
