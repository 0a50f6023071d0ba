//! `cargo xtask tidy [--fix]`: checks that need no reviewer. A test also runs them.
//!
//! A check is a function from the tree to its problems. Each problem names the command or the edit that fixes it.

#![allow(
    clippy::unnecessary_wraps,
    reason = "every check has one signature, whether it can fail or not"
)]

mod exporters_doc;
mod generated;
mod manifests;
mod metrics_doc;
mod number_types;
mod rust_version;
mod sources;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::flags::{Tidy, exit_code};
use crate::workspace;

/// The command that fixes the problems that can be fixed automatically.
const FIX: &str = "cargo xtask tidy --fix";

/// A problem that a check found.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    /// The file, and the line if there is one.
    place: String,
    what: String,
    remedy: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// A text file of the tree.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

struct Check {
    name: &'static str,
    run: fn(&[Source]) -> Result<Vec<Problem>>,
    /// Fixes the problems of the check, if they can be fixed automatically.
    fix: Option<fn() -> Result<()>>,
}

impl Check {
    const fn new(name: &'static str, run: fn(&[Source]) -> Result<Vec<Problem>>) -> Self {
        Self { name, run, fix: None }
    }

    const fn fixed_by(self, fix: fn() -> Result<()>) -> Self {
        Self {
            fix: Some(fix),
            ..self
        }
    }
}

static CHECKS: &[Check] = &[
    Check::new("rust-version", rust_version::check).fixed_by(rust_version::fix),
    Check::new("generated documents", generated::check).fixed_by(generated::fix),
    Check::new("members' manifests", manifests::check),
    Check::new("README and CI commands", manifests::check_commands),
    Check::new("length of files", sources::check_length),
    Check::new("one file chooses the atomics", sources::check_atomics),
    Check::new("tests run in Node", sources::check_node),
    Check::new("nothing unfinished", sources::check_unfinished),
    Check::new("no path of one machine", sources::check_paths),
];

pub(crate) fn run(flags: &Tidy) -> Result<ExitCode> {
    if flags.fix {
        for check in CHECKS {
            if let Some(fix) = check.fix {
                fix().with_context(|| format!("can't fix: {}", check.name))?;
            }
        }
    }
    let sources = sources()?;
    let mut untidy = 0;
    for check in CHECKS {
        for problem in (check.run)(&sources).with_context(|| format!("can't check: {}", check.name))? {
            println!(
                "{}: {}; to fix it: {}",
                problem.place, problem.what, problem.remedy
            );
            untidy += 1;
        }
    }
    println!(
        "tidy: {} checks over {} files, {untidy} problems",
        CHECKS.len(),
        sources.len()
    );
    Ok(exit_code(untidy == 0))
}

/// Returns every text file that git tracks or would add.
fn sources() -> Result<Vec<Source>> {
    let shell = Shell::new()?;
    shell.change_dir(workspace::root());
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard")
        .quiet()
        .read()?;
    // Git still lists files whose deletion is not committed. Files that are not text are skipped.
    let read = |path: &str| fs::read_to_string(workspace::root().join(path)).ok();
    Ok(listed
        .lines()
        .filter_map(|path| {
            Some(Source {
                path: path.to_owned(),
                text: read(path)?,
            })
        })
        .collect())
}

/// Returns the text of a file of the tree, or an empty string if it does not exist.
fn text_of<'a>(sources: &'a [Source], path: &str) -> &'a str {
    let source = sources.iter().find(|source| source.path == path);
    source.map_or("", |source| &source.text)
}

/// Writes a file if its text differs.
fn write(path: &str, text: &str) -> Result<()> {
    let file: &Path = &workspace::root().join(path);
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("can't write {path}"))?;
    println!("fixed: {path}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{CHECKS, Problem, sources};

    #[test]
    fn the_tree_is_tidy() {
        let sources = sources().expect("the sources can be read");
        assert!(
            sources.iter().any(|source| source.path == "Cargo.toml"),
            "the tree is not empty"
        );
        let problems: Vec<Problem> = CHECKS
            .iter()
            .flat_map(|check| (check.run)(&sources).expect(check.name))
            .collect();
        assert_eq!(problems, []);
    }
}
