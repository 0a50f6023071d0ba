//! The paths of this workspace.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

/// Returns the root of the source tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Returns the text of a file of the tree.
pub(crate) fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("can't read {path}"))
}

/// Returns the version of a package in `Cargo.lock`, the newest if there are several.
pub(crate) fn locked_version(package: &str) -> Result<String> {
    let lock = read("Cargo.lock")?;
    let version = lock
        .rsplit_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'));
    let (version, _) = version.with_context(|| format!("{package} is not in Cargo.lock"))?;
    Ok(version.to_owned())
}

/// Returns the target directory, which `CARGO_TARGET_DIR` may set.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Returns the directory of the tools that the matrix builds from the package registry, inside the target directory.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Returns the npm prefix of a package. Each package has its own, because an install removes packages that it does not know.
pub(crate) fn npm_prefix(package: &str) -> PathBuf {
    tools_dir().join("npm").join(package)
}

/// Returns the directory of an installed npm package.
pub(crate) fn npm_dir(package: &str) -> PathBuf {
    npm_prefix(package).join("node_modules").join(package)
}
