//! Where things are in this workspace.

use std::env;
use std::path::{Path, PathBuf};

/// The top of the source tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// The directory for everything that is built, which `CARGO_TARGET_DIR` may move.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Tools that the matrix builds from crates.io, so that nothing outside the tree is touched.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// What npm is told to install a package under: one place each, for an install prunes what it does not know.
pub(crate) fn npm_prefix(package: &str) -> PathBuf {
    tools_dir().join("npm").join(package)
}

/// Where a package of npm is once it is installed.
pub(crate) fn npm_dir(package: &str) -> PathBuf {
    npm_prefix(package).join("node_modules").join(package)
}
