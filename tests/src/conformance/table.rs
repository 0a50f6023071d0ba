//! docs/CONFORMANCE.md: the metrics that each runtime measures, as found by the suite.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::subject::{DEVIATIONS, Deviation, Subject};
use super::trial::{Finding, Ledger};
use metrics_core::{METRICS, Metric};

/// If this variable is set, [`check`] writes the document instead of comparing it.
pub const UPDATE: &str = "UPDATE_CONFORMANCE";

/// The columns of the table, of all builds. Tokio's unstable columns and the last column each need a build of their own.
pub const COLUMNS: &[&str] = &[
    "testbed, multi-thread",
    "testbed, current-thread",
    "Tokio, multi-thread",
    "Tokio, current-thread",
    "Tokio (unstable), multi-thread",
    "Tokio (unstable), current-thread",
    "async-executor, wrapped",
    "futures, wrapped",
    OFF,
];

/// The column that all runtimes share in a build that records nothing.
pub const OFF: &str = "recording off";

const YES: &str = "yes";
const ZERO: &str = "0";
const NONE: &str = "";

const HEAD: &str = "\
# Which runtime has which metric

The conformance suite writes this table from what it measured, and checks it. Do not edit it. After an intended change, run:

```sh
UPDATE_CONFORMANCE=1 cargo test -p tests --test conformance
UPDATE_CONFORMANCE=1 RUSTFLAGS='--cfg tokio_unstable' cargo test -p tests --test conformance
```

- **yes**: a scenario moved the metric by exactly the expected amount, and other scenarios did not move it.
- **0**: the metric reads zero, because what it counts can't happen there.
- an empty cell: the metric reads `None`, because it is not measured there. A build that records nothing has only empty cells.

The table leaves out the metrics of the operating system (on-CPU time, runnable wait, CPU throttling), of the lag probes and the stalls that
they find, of the overload watch, of spawn locations and of event loops, and the times that a worker was parked, searched and ran. Tests of
their own check them.

";

/// The metrics that other tests check: those of the operating system, of probes with its clock, of the overload watch, and of states in which
/// no scenario can let time pass on every runtime.
const CHECKED_ELSEWHERE: &[&str] = &[
    "overload",
    "parked_duration_total",
    "searching_duration_total",
    "running_duration_total",
    "queue_stall_count",
    "queue_stall_duration",
    "loop_lag",
    "wake_latency",
    "on_cpu_duration_total",
    "runnable_wait_duration_total",
    "cpu_throttled_duration_total",
    "cpu_throttled_count",
];

/// Returns the metrics of the table.
fn metrics() -> impl Iterator<Item = &'static Metric> {
    METRICS
        .iter()
        .filter(|metric| !CHECKED_ELSEWHERE.contains(&metric.name))
}

/// The metric's cells, one per column.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// Returns the problems of the ledger and of the committed document, or writes the document.
///
/// # Panics
/// Panics if the document can't be read or written.
pub fn check(ledger: &Ledger, played: &[&dyn Subject]) -> Vec<String> {
    let committed = read(&path()).expect("docs/CONFORMANCE.md can be read");
    let mut problems = ledger.failures.clone();
    let rows = fill(committed.rows, ledger, played);
    for (subject, metric) in played
        .iter()
        .flat_map(|subject| metrics().map(|metric| (subject.name(), metric.name)))
    {
        let finding = ledger.finding(subject, metric);
        if finding.moved && finding.absent {
            problems.push(format!(
                "{subject}: {metric} is measured in one scenario and not in another"
            ));
        }
    }
    for metric in metrics() {
        let row = rows.get(metric.name);
        if !row.is_some_and(|row| row.values().any(|cell| cell == YES)) {
            problems.push(format!("{}: no scenario moves it on any runtime", metric.name));
        }
        let stays = ledger
            .findings
            .iter()
            .any(|((_, name), finding)| *name == metric.name && finding.stayed);
        if !stays {
            problems.push(format!(
                "{}: no scenario leaves it alone on any runtime",
                metric.name
            ));
        }
    }
    for name in ledger.findings.keys().map(|(_, name)| *name) {
        if metrics().all(|metric| metric.name != name) {
            problems.push(format!(
                "{name}: a scenario speaks of a metric that is not on the list"
            ));
        }
    }
    problems.extend(compare_or_write(&committed.text, &render(&rows)));
    problems
}

/// Returns the problems of a build without recording: each metric that a scenario should have changed must be `None`.
///
/// # Panics
/// Panics if the document can't be read or written.
pub fn check_silence(ledger: &Ledger, played: &[&dyn Subject]) -> Vec<String> {
    let committed = read(&path()).expect("docs/CONFORMANCE.md can be read");
    let mut problems = ledger.failures.clone();
    for metric in metrics() {
        let finding = ledger.finding(OFF, metric.name);
        if finding.moved || finding.stayed {
            problems.push(format!("{OFF}: {} has a number", metric.name));
        } else if !finding.absent {
            problems.push(format!("{OFF}: no scenario moves {} on any runtime", metric.name));
        }
    }
    let rows = fill(committed.rows, ledger, played);
    problems.extend(compare_or_write(&committed.text, &render(&rows)));
    problems
}

/// Returns the rows, with the columns of the subjects that ran replaced by the results.
fn fill(mut rows: Rows, ledger: &Ledger, played: &[&dyn Subject]) -> Rows {
    for subject in played {
        assert!(
            COLUMNS.contains(&subject.name()),
            "{} is no column of the table",
            subject.name()
        );
        for metric in metrics() {
            let cell = rows
                .entry(metric.name.to_owned())
                .or_default()
                .entry(subject.name().to_owned())
                .or_default();
            cell_of(ledger.finding(subject.name(), metric.name)).clone_into(cell);
        }
    }
    rows
}

/// Compares the document with the expected text, or writes it.
fn compare_or_write(committed: &str, text: &str) -> Option<String> {
    if env::var_os(UPDATE).is_some() {
        fs::write(path(), text).expect("docs/CONFORMANCE.md can be written");
        return None;
    }
    (text != committed).then(|| {
        format!(
            "docs/CONFORMANCE.md differs from what was found; {UPDATE}=1 before the same command writes it"
        )
    })
}

fn cell_of(finding: Finding) -> &'static str {
    match finding {
        Finding { moved: true, .. } => YES,
        Finding { stayed: true, .. } => ZERO,
        _ => NONE,
    }
}

fn path() -> PathBuf {
    // The path does not depend on the package in which this is compiled.
    let dirs = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let documents = dirs.map(|dir| dir.join("docs/CONFORMANCE.md"));
    let mut found = documents.filter(|path| path.exists());
    found.next().expect("docs/CONFORMANCE.md is above this package")
}

struct Document {
    text: String,
    rows: Rows,
}

/// Returns the committed document.
fn read(path: &Path) -> io::Result<Document> {
    let text = fs::read_to_string(path)?;
    let mut lines = text.lines().filter_map(cells);
    let columns: Vec<String> = lines.next().unwrap_or_default();
    let rows = lines.skip(1).map(|row| {
        let cells = columns.iter().skip(1).cloned().zip(row.iter().skip(1).cloned());
        (row[0].trim_matches('`').to_owned(), cells.collect())
    });
    let rows = rows.collect();
    Ok(Document { text, rows })
}

/// Returns the cells of a line of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
}

fn render(rows: &Rows) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| metric |");
    for column in COLUMNS {
        let _ = write!(text, " {column} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(COLUMNS.len()));
    text.push('\n');
    for metric in metrics() {
        let _ = write!(text, "| `{}` |", metric.name);
        for &column in COLUMNS {
            let cell = rows
                .get(metric.name)
                .and_then(|row| row.get(column))
                .map_or(NONE, String::as_str);
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push_str(
        "\n## Known differences\n\nA runtime reports these numbers itself, and they mean something else.\n\n",
    );
    for Deviation {
        runtimes,
        scenario,
        metrics,
        why,
    } in DEVIATIONS
    {
        let metrics: Vec<_> = metrics.iter().map(|metric| format!("`{metric}`")).collect();
        let _ = writeln!(
            text,
            "- {} (\"{scenario}\", {}): {why}.",
            metrics.join(", "),
            runtimes.join("; ")
        );
    }
    text
}
