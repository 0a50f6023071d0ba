//! What metrics add to the module of a small app.

use anyhow::Result;

use super::build::{Module, Source, module};
use super::package::gzipped;
use crate::libtest::Tally;
use crate::workspace;

/// Bytes that metrics may add to a module.
const RAW_LIMIT: usize = 60 * 1024;
/// The same, as a server sends it.
const GZIPPED_LIMIT: usize = 25 * 1024;

/// The app with a feature of `tests/wasm-app`, or with none.
fn app(feature: Option<&str>) -> Result<Module> {
    let features = feature.unwrap_or_default();
    let source = Source {
        cargo: &["build", "--package", "wasm-app", "--features", features],
        module: "wasm_app.wasm",
    };
    let dir = workspace::target_dir()
        .join("wasm-app")
        .join(feature.unwrap_or("bare"));
    module(&source, "web", &dir, "app")
}

/// Asserts what the module of an app may weigh with metrics.
pub(super) fn test() -> Result<Tally> {
    let mut tally = Tally::default();
    let bare = app(None)?.bytes()?;
    let measured = app(Some("metrics"))?.bytes()?;
    let (raw, zipped) = (measured.len() - bare.len(), gzipped(&measured)? - gzipped(&bare)?);
    tally.check(
        &format!("metrics add {raw} bytes, at most {RAW_LIMIT}"),
        raw <= RAW_LIMIT,
    );
    tally.check(
        &format!("gzipped they add {zipped} bytes, at most {GZIPPED_LIMIT}"),
        zipped <= GZIPPED_LIMIT,
    );
    Ok(tally)
}
