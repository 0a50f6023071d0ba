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
