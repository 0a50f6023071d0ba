//! The committed instruction counts, and the tolerance for increases.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::{toolchain, workspace};

/// The relative increase over the committed count that fails.
const TOLERANCE: f64 = 0.05;
/// The absolute tolerance: a fraction of an instruction is start-up divided by operations, not an increase.
const NOISE: f64 = 0.5;

/// Instructions per operation by side.
pub(super) type Counts = BTreeMap<String, f64>;
/// The whole file, by compiler and target, because both determine the instructions.
type File = BTreeMap<String, Counts>;

const PATH: &str = "tests/bench/instructions.json";

/// Returns the key of this compiler's counts.
pub(super) fn key() -> Result<String> {
    let version = toolchain::output("rustc", &["-vV"]).context("rustc -vV prints nothing")?;
    let field = |name: &str| {
        version
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
            .with_context(|| format!("rustc -vV has no `{name}`"))
    };
    Ok(format!("{} rustc {}", field("host:")?, field("release:")?))
}

fn read() -> Result<File> {
    serde_json::from_str(&workspace::read(PATH)?).with_context(|| format!("{PATH} is damaged"))
}

/// Returns the committed counts of this compiler, if there are any.
pub(super) fn committed() -> Result<Option<Counts>> {
    Ok(read()?.remove(&key()?))
}

/// Writes `counts` as this compiler's, and keeps those of other compilers.
pub(super) fn commit(counts: &Counts) -> Result<&'static str> {
    let mut file = read()?;
    let rounded = counts
        .iter()
        .map(|(side, count)| (side.clone(), (count * 100.0).round() / 100.0));
    file.entry(key()?).or_default().extend(rounded);
    fs::write(
        workspace::root().join(PATH),
        serde_json::to_string_pretty(&file)? + "\n",
    )?;
    Ok(PATH)
}

/// Returns one line per side whose count has increased, and the sides that have no committed count.
pub(super) fn rises(now: &Counts, committed: &Counts) -> Vec<String> {
    let mut rises = Vec::new();
    for (side, count) in now {
        match committed.get(side) {
            None => rises.push(format!("{side}: {count:.1} instructions, and no committed count")),
            Some(before) if *count > before * (1.0 + TOLERANCE) + NOISE => rises.push(format!(
                "{side}: {count:.1} instructions, {before:.1} committed (+{:.1} %)",
                (count / before - 1.0) * 100.0
            )),
            Some(_) => {}
        }
    }
    rises
}

#[cfg(test)]
mod tests {
    use super::{Counts, rises};

    fn counts(count: f64) -> Counts {
        Counts::from([("record/ours".to_owned(), count)])
    }

    #[test]
    fn more_than_five_percent_is_a_rise() {
        assert!(rises(&counts(105.0), &counts(100.0)).is_empty());
        assert!(rises(&counts(80.0), &counts(100.0)).is_empty());
        let found = rises(&counts(106.0), &counts(100.0));
        assert_eq!(
            found,
            ["record/ours: 106.0 instructions, 100.0 committed (+6.0 %)"]
        );
    }

    #[test]
    fn a_side_without_a_committed_count_is_told() {
        assert_eq!(rises(&counts(3.0), &Counts::new()).len(), 1);
    }
}
