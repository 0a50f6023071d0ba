//! The assertions of Tokio's tests that differ on purpose, from the table in `tests/tokio-on-core/README.md`.

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// A test that fails on purpose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) suite: String,
    pub(super) test: String,
    /// The file and line of each assertion that may fail.
    pub(super) places: Vec<String>,
    /// Whether it fails in every run. Otherwise it depends on how threads are scheduled.
    pub(super) always: bool,
}

const HEADER: &str = "| suite | test | fails at | how often |";

pub(super) fn read() -> Result<Vec<Difference>> {
    parse(&workspace::read("tests/tokio-on-core/README.md")?)
}

fn parse(text: &str) -> Result<Vec<Difference>> {
    let (_, table) = text
        .split_once(HEADER)
        .with_context(|| format!("no table `{HEADER}`"))?;
    // The rest of the header, and the line below it.
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(row).collect::<Result<_>>()?;
    ensure!(!rows.is_empty(), "the table has no rows");
    Ok(rows)
}

fn row(line: &str) -> Result<Difference> {
    let cells: Vec<&str> = line
        .split('|')
        .map(|cell| cell.trim().trim_matches('`'))
        .collect();
    let ["", suite, test, place, how_often, ..] = cells[..] else {
        bail!("`{line}` has too few cells");
    };
    let always = match how_often {
        "always" => true,
        "sometimes" => false,
        other => bail!("`{other}` is neither `always` nor `sometimes`"),
    };
    Ok(Difference {
        suite: suite.into(),
        test: test.into(),
        places: place
            .split(" or ")
            .map(|place| place.trim_matches('`').to_owned())
            .collect(),
        always,
    })
}

#[cfg(test)]
mod tests {
    use super::{Difference, HEADER, parse};

    #[test]
    fn a_row_lists_a_failure() {
        let text = format!(
            "Text.\n\n{HEADER} why |\n|---|---|---|---|---|\n| `rt` | `a` | `tests/rt.rs:12` or `tests/rt.rs:15` | always | it differs |\n\nMore.\n"
        );
        let difference = Difference {
            suite: "rt".into(),
            test: "a".into(),
            places: vec!["tests/rt.rs:12".into(), "tests/rt.rs:15".into()],
            always: true,
        };
        assert_eq!(parse(&text).unwrap(), [difference]);
        assert!(parse(&text.replace("always", "often")).is_err());
        assert!(parse("no table").is_err());
    }

    #[test]
    fn the_committed_table_is_read() {
        assert!(super::read().is_ok());
    }
}
