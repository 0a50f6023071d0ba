//! Checks the minimum supported Rust version against the dependencies and the code.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};

use super::{FIX, Problem, Source, write};
use crate::metadata;
use crate::workspace::read;

/// `1.88` and `1.88.0` are the same version.
type Version = (u32, u32, u32);

/// The minimum for our own code: every published crate uses `let` chains.
const LET_CHAINS: Version = (1, 88, 0);

pub(super) fn check(_: &[Source]) -> Result<Vec<Problem>> {
    let (needed, because) = needed()?;
    let declared = declared(&read("Cargo.toml")?)?;
    let problem = Problem::new(
        "Cargo.toml",
        format!(
            "rust-version is {}, but {because} declares {}",
            shown(declared),
            shown(needed)
        ),
        FIX,
    );
    Ok(if declared == needed {
        Vec::new()
    } else {
        vec![problem]
    })
}

/// Writes the version that the dependencies need into the manifest and the README.
pub(super) fn fix() -> Result<()> {
    let manifest = read("Cargo.toml")?;
    let (old, new) = (shown(declared(&manifest)?), shown(needed()?.0));
    write(
        "Cargo.toml",
        &manifest.replacen(
            &format!("rust-version = \"{old}\""),
            &format!("rust-version = \"{new}\""),
            1,
        ),
    )?;
    write(
        "README.md",
        &read("README.md")?.replace(&format!("now {old};"), &format!("now {new};")),
    )
}

/// Returns the highest version that a default dependency of a published crate declares, and that dependency.
fn needed() -> Result<(Version, String)> {
    let declared: HashMap<String, Version> = metadata::packages()?
        .iter()
        .filter_map(|package| {
            let version = parse(package.rust_version.as_deref()?)?;
            Some((format!("{} v{}", package.name, package.version), version))
        })
        .collect();
    let members = metadata::members()?;
    let ours: BTreeSet<String> = members
        .iter()
        .map(|member| format!("{} v", member.name))
        .collect();
    let mut needed = (LET_CHAINS, "the use of let chains".to_owned());
    for member in members.iter().filter(|member| member.is_published()) {
        // The default dependencies of a user.
        for package in metadata::tree(&member.name, &["--edges", "normal", "--target", "all"])? {
            if ours.iter().any(|our| package.starts_with(our)) {
                continue;
            }
            if let Some(&version) = declared.get(&package).filter(|&&version| version > needed.0) {
                needed = (version, package);
            }
        }
    }
    Ok(needed)
}

fn declared(manifest: &str) -> Result<Version> {
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    line.and_then(|value| parse(value.trim_matches('"')))
        .context("no rust-version in Cargo.toml")
}

fn parse(version: &str) -> Option<Version> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((
        parts.next()??,
        parts.next().unwrap_or(Some(0))?,
        parts.next().unwrap_or(Some(0))?,
    ))
}

fn shown((major, minor, patch): Version) -> String {
    if patch == 0 {
        format!("{major}.{minor}")
    } else {
        format!("{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, shown};

    #[test]
    fn versions_of_two_and_three_parts_compare() {
        assert_eq!(parse("1.88"), parse("1.88.0"));
        assert!(parse("1.100") > parse("1.88.1"));
        assert_eq!(parse("stable"), None);
    }

    #[test]
    fn a_version_is_shown_as_it_is_written() {
        for version in ["1.88", "1.88.1"] {
            assert_eq!(parse(version).map(shown).as_deref(), Some(version));
        }
    }
}
