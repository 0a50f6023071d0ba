//! Checks the members' manifests and the top-level documents.

use anyhow::Result;

use super::{Problem, Source, text_of};
use crate::{metadata, workspace};

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
const DEMO: &str = "cargo xtask demo";
const TEST: &str = "cargo xtask test-matrix";

pub(super) fn check(sources: &[Source]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for licence in LICENCES {
        if text_of(sources, licence).is_empty() {
            problems.push(Problem::new(licence, "missing", "add the licence text"));
        }
    }
    for member in metadata::members()? {
        let dir = member.dir();
        let dir = dir.strip_prefix(workspace::root()).unwrap_or(dir).display();
        let manifest = format!("{dir}/Cargo.toml");
        let lines: Vec<&str> = text_of(sources, &manifest).lines().map(str::trim).collect();
        if !lines
            .windows(2)
            .any(|pair| pair == ["[lints]", "workspace = true"])
        {
            let remedy = "add `[lints]` with `workspace = true`";
            problems.push(Problem::new(
                &manifest,
                "the workspace's lints are not on",
                remedy,
            ));
        }
        for key in ["version", "edition", "rust-version", "license"] {
            if !lines.contains(&format!("{key}.workspace = true").as_str()) {
                let remedy = format!("write `{key}.workspace = true`");
                problems.push(Problem::new(&manifest, format!("has a {key} of its own"), remedy));
            }
        }
        if member.is_published() && member.description.is_none() {
            problems.push(Problem::new(
                &manifest,
                "published without a description",
                "add one line",
            ));
        }
        // The registry shows and packages only files in the crate's own directory.
        for licence in LICENCES.iter().filter(|_| member.is_published()) {
            let link = format!("{dir}/{licence}");
            if text_of(sources, &link).is_empty() {
                let remedy = format!("ln -s ../{licence} {link}");
                problems.push(Problem::new(link, "missing", remedy));
            }
        }
    }
    Ok(problems)
}

/// Checks that the README's first two commands are those of the demo and of the tests, and that continuous integration runs the tests.
pub(super) fn check_commands(sources: &[Source]) -> Result<Vec<Problem>> {
    let commands: Vec<&str> = text_of(sources, "README.md")
        .lines()
        .filter(|line| line.starts_with("cargo xtask"))
        .collect();
    let mut problems = Vec::new();
    if commands.first() != Some(&DEMO) || commands.get(1) != Some(&TEST) {
        let what = format!("its first two commands are not `{DEMO}` and `{TEST}`");
        problems.push(Problem::new("README.md", what, "put them first"));
    }
    if !text_of(sources, ".ci/run")
        .lines()
        .any(|line| line == format!("{TEST} --require-all"))
    {
        let what = "does not run the README's test command";
        problems.push(Problem::new(
            ".ci/run",
            what,
            format!("call `{TEST} --require-all`"),
        ));
    }
    Ok(problems)
}
