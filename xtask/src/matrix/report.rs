//! The output of the matrix: one line per row while it runs, and a table and a JSON file at the end.

use core::time::Duration;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::row::{Row, Verdict};
use crate::libtest::Tally;
use crate::table::aligned;

pub(super) struct Report {
    pub(super) row: &'static Row,
    pub(super) verdict: Verdict,
    pub(super) tests: Tally,
    pub(super) time: Duration,
}

impl Report {
    fn result(&self) -> &'static str {
        match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "skipped",
        }
    }

    /// Why the row did not pass, or empty if it passed.
    fn reason(&self) -> String {
        match &self.verdict {
            Verdict::Passed => String::new(),
            Verdict::Failed(why) => why.clone(),
            Verdict::Skipped(enable) => format!("to enable it: {}", enable.join(" && ")),
        }
    }

    fn seconds(&self) -> String {
        format!("{:.1} s", self.time.as_secs_f64())
    }

    pub(super) fn say(&self) {
        let reason = self.reason();
        let separator = if reason.is_empty() { "" } else { ": " };
        println!(
            "    {}, {} tests, {}{separator}{reason}",
            self.result(),
            self.tests.run(),
            self.seconds()
        );
    }
}

pub(super) fn list(rows: &[&Row]) {
    let cells = rows
        .iter()
        .map(|row| [row.title(), row.triple().to_owned(), row.proves.to_owned()]);
    print!(
        "{}",
        aligned(["row", "target", "what it proves"], &cells.collect::<Vec<_>>())
    );
}

/// Returns the table, followed by the failures and the total number of tests.
pub(super) fn table(reports: &[Report]) {
    let cells = reports.iter().map(|report| {
        [
            report.row.title(),
            report.row.triple().to_owned(),
            report.row.proves.to_owned(),
            report.tests.run().to_string(),
            report.seconds(),
            report.result().to_owned(),
        ]
    });
    let head = ["row", "target", "what it proves", "tests", "time", "result"];
    println!("\n{}", aligned(head, &cells.collect::<Vec<_>>()));
    for report in reports
        .iter()
        .filter(|report| !matches!(report.verdict, Verdict::Passed))
    {
        println!("{} {}: {}", report.row.name, report.result(), report.reason());
    }
    println!("{}", total(reports));
}

pub(super) fn json(reports: &[Report], file: &Path) -> Result<()> {
    let rows: Vec<_> = reports
        .iter()
        .map(|report| {
            json!({
                "name": report.row.name,
                "target": report.row.triple(),
                "proves": report.row.proves,
                "result": report.result().to_lowercase(),
                "reason": report.reason(),
                "tests": report.tests,
                "seconds": report.time.as_secs_f64(),
            })
        })
        .collect();
    let document = json!({ "rows": rows, "tests": total(reports) });
    let text = format!("{document:#}\n");
    fs::write(file, text).with_context(|| format!("can't write {}", file.display()))
}

fn total(reports: &[Report]) -> Tally {
    reports.iter().fold(Tally::default(), |mut total, report| {
        total += report.tests;
        total
    })
}
