//! `cargo xtask test-matrix`: checks that metrics are correct on every kind of target, and cost nothing when recording is off.
//!
//! The rows are data, in [`rows`].

mod commands;
mod progress;
mod report;
mod row;
mod rows;
mod running;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::flags::{BAD_USAGE, TestMatrix, exit_code};
use crate::needs::{self, Need};
use report::Report;
use row::{Row, Verdict};
use rows::ROWS;

/// Runs the selected rows, or all rows if none is selected.
pub(crate) fn run(flags: &TestMatrix) -> Result<ExitCode> {
    if let Some(unknown) = flags
        .rows
        .iter()
        .find(|&name| ROWS.iter().all(|row| row.name != name))
    {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        eprintln!(
            "error: no row is called '{unknown}'; the rows are: {}",
            names.join(" ")
        );
        return Ok(ExitCode::from(BAD_USAGE));
    }
    let selected = |row: &&Row| match flags.rows.as_slice() {
        [] => flags.list || flags.long || !row.long,
        names => names.iter().any(|name| name == row.name),
    };
    let rows: Vec<&Row> = ROWS.iter().filter(selected).collect();
    if flags.list {
        report::list(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    if !flags.no_install {
        let needs: Vec<Need> = rows.iter().flat_map(|row| row.needs()).collect();
        needs::install(&needs);
    }

    let mut reports = Vec::with_capacity(rows.len());
    for (index, &row) in rows.iter().enumerate() {
        println!(
            "[{}/{}] {} on {}: {}",
            index + 1,
            rows.len(),
            row.title(),
            row.triple(),
            row.proves
        );
        let started = Instant::now();
        let (verdict, tests) = row.run(flags.require_all)?;
        let report = Report {
            row,
            verdict,
            tests,
            time: started.elapsed(),
        };
        report.say();
        reports.push(report);
    }

    report::table(&reports);
    if flags.rows.is_empty() && !flags.long {
        let long = ROWS.iter().filter(|row| row.long).map(|row| row.name);
        println!("not run without --long: {}", long.collect::<Vec<_>>().join(" "));
    }
    if let Some(file) = &flags.json {
        report::json(&reports, file)?;
    }
    Ok(exit_code(reports.iter().all(|report| match report.verdict {
        Verdict::Passed => true,
        Verdict::Failed(_) => false,
        Verdict::Skipped(_) => !flags.require_all,
    })))
}
