//! Reads `cargo metadata` and `cargo tree`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::toolchain::Toolchain;

/// A package.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) rust_version: Option<String>,
    manifest_path: PathBuf,
    /// The registries to which it may be published: `None` for all of them.
    publish: Option<Vec<String>>,
}

impl Package {
    /// Returns its directory.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    pub(crate) fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }
}

/// Returns the members of the workspace.
pub(crate) fn members() -> Result<Vec<Package>> {
    read(&["--no-deps"])
}

/// Returns the members and all packages of the lock file that they use.
pub(crate) fn packages() -> Result<Vec<Package>> {
    read(&[])
}

/// Returns a member or a package that members use. cargo downloads it if necessary.
pub(crate) fn package(name: &str) -> Result<Package> {
    let found = packages()?.into_iter().find(|package| package.name == name);
    found.with_context(|| format!("no package is called {name}"))
}

fn read(flags: &[&str]) -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let output = Toolchain::host()
        .cargo(&["metadata", "--locked", "--format-version", "1"])
        .args(flags)
        .output()
        .context("can't start cargo")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    Ok(metadata.packages)
}

/// The packages that a build of a member compiles, as `name v1.2.3`, with these arguments of `cargo tree`. Features are resolved only for
/// this member. It is one of the packages.
pub(crate) fn tree(member: &str, args: &[&str]) -> Result<BTreeSet<String>> {
    let output = Toolchain::host()
        .cargo(&[
            "tree", "--quiet", "--locked", "--prefix", "none", "--format", "{p}",
        ])
        .args(["--package", member])
        .args(args)
        .output()
        .context("can't start cargo")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`cargo tree` failed: {}", error.trim());
    let text = String::from_utf8(output.stdout).context("`cargo tree` printed no text")?;
    // The path of a member, or a mark of a repetition, may follow.
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text
        .lines()
        .filter(|line| !line.is_empty())
        .map(package)
        .collect())
}
