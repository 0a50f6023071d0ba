//! `cargo xtask parity`: metrics-mock has the API of metrics-std and of metrics-wasm, item by item and signature by
//! signature.
//!
//! rustdoc writes each crate's API as JSON. Both sides are walked from the root, through re-exports and into metrics-core,
//! into a flat [surface] of public paths, each with the [shape] of what is there. The two must be
//! equal: an item on one side only is an error, and so is a shape that differs.

mod docs;
mod shape;
mod surface;

use std::process::ExitCode;

use anyhow::Result;

use self::docs::{Docs, Variant};
use self::surface::Surface;
use crate::libtest::Tally;

/// What is compared: a crate, and the module of metrics-mock that takes its place.
struct Pair {
    real: &'static str,
    /// Names that only the real crate has, at the top.
    real_only: &'static [&'static str],
    mock: &'static [&'static str],
    /// Names that only the mock has, at the top.
    mock_only: &'static [&'static str],
    variants: &'static [Variant],
}

static PAIRS: &[Pair] = &[
    Pair {
        real: "metrics_std",
        real_only: &[],
        mock: &[],
        // The clock of tests, and the other crate's API.
        mock_only: &["ManualClock", "wasm"],
        variants: &[Variant::Stable, Variant::TokioUnstable],
    },
    Pair {
        real: "metrics_wasm",
        // JavaScript's class. A page that wants no metrics does not ask for it.
        real_only: &["js"],
        mock: &["wasm"],
        mock_only: &[],
        variants: &[Variant::Stable],
    },
];

pub(crate) fn run() -> Result<ExitCode> {
    let mut tally = Tally::default();
    for variant in [Variant::Stable, Variant::TokioUnstable] {
        for report in compare(variant)? {
            let name = format!("{}{variant}", report.real.replace('_', "-"));
            if report.differences.is_empty() {
                println!("{name}: {} items, the same in metrics-mock", report.items);
                tally.passed += 1;
                continue;
            }
            eprintln!("{name}: {} differences to metrics-mock", report.differences.len());
            for difference in report.differences {
                eprintln!("  {difference}");
            }
            tally.failed += 1;
        }
    }
    println!("{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How a crate and the mock compare.
struct Report {
    real: &'static str,
    items: usize,
    differences: Vec<String>,
}

fn compare(variant: Variant) -> Result<Vec<Report>> {
    let docs = Docs::make(variant)?;
    PAIRS
        .iter()
        .filter(|pair| pair.variants.contains(&variant))
        .map(|pair| {
            let real = Surface::of(&docs, pair.real, &[], pair.real_only)?;
            let mock = Surface::of(&docs, "metrics_mock", pair.mock, pair.mock_only)?;
            Ok(Report {
                real: pair.real,
                items: real.len(),
                differences: real.differences(&mock),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Variant, compare};

    fn the_same_under(variant: Variant) {
        for report in compare(variant).expect("rustdoc writes JSON") {
            assert!(report.items > 100, "{} has an API", report.real);
            assert!(
                report.differences.is_empty(),
                "{} and metrics-mock differ: {:#?}",
                report.real,
                report.differences
            );
        }
    }

    #[test]
    fn the_mock_has_the_same_api() {
        the_same_under(Variant::Stable);
    }

    #[test]
    fn the_mock_has_the_same_api_under_tokio_unstable() {
        the_same_under(Variant::TokioUnstable);
    }
}
