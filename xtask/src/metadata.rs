//! Reads `cargo metadata`.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::toolchain::Toolchain;

/// `cargo metadata` of the workspace, with the committed lock file.
pub(crate) fn all(flags: &[&str]) -> Result<Value> {
    let output = Toolchain::host()
        .cargo(&["metadata", "--locked", "--format-version", "1"])
        .args(flags)
        .output()
        .context("can't start cargo")?;
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// The metadata of a member of the workspace.
pub(crate) fn package(name: &str) -> Result<Value> {
    let metadata = all(&["--no-deps"])?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.find(|package| package["name"] == name).cloned();
    found.with_context(|| format!("no package is called {name}"))
}
