//! `docs/BENCHMARKS.md`: generated from a full run, never edited.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::facts;
use super::result::{Outcome, markdown, short};
use super::rounds::Effort;
use crate::workspace;

/// How the figures came about.
const METHOD: &str = include_str!("method.md");

/// Writes the page and says where it is.
pub(super) fn write(outcomes: &[Outcome], effort: Effort) -> Result<PathBuf> {
    let path = workspace::root().join("docs/BENCHMARKS.md");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, page(outcomes, effort)?)?;
    Ok(path)
}

fn page(outcomes: &[Outcome], effort: Effort) -> Result<String> {
    let mut page = String::from(
        "# Benchmarks\n\n<!-- Written by `cargo xtask bench`; edit `xtask/src/bench/` instead. -->\n\n## Figures\n\n",
    );
    page.push_str(&markdown(outcomes));
    let _ = writeln!(
        page,
        "\nFigures are medians of {} rounds with the middle half in brackets.\n\n## Machine and versions\n",
        effort.total()
    );
    for line in facts::machine() {
        let _ = writeln!(page, "- {line}");
    }
    for (peer, version) in facts::versions()? {
        let _ = writeln!(page, "- {peer} {version}");
    }
    page.push_str("\n## Size of `metrics-core`\n\n| features | dependencies compiled | clean release build |\n|---|---|---|\n");
    for features in ["", "alloc"] {
        let weight = facts::weigh(features)?;
        let name = if weight.features.is_empty() {
            "none"
        } else {
            weight.features
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {:.1} s |",
            weight.dependencies, weight.seconds
        );
    }
    if let Some(rows) = facts::browser() {
        page.push_str("\n## In Node and in Chromium\n\n| row | figure | unit |\n|---|---|---|\n");
        for row in rows {
            let _ = writeln!(page, "| {} | {} | {} |", row.name, short(row.ours), row.unit);
        }
    }
    page.push('\n');
    page.push_str(METHOD);
    Ok(page)
}
