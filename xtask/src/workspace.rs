//! The paths of this workspace.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the root of the source tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
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
