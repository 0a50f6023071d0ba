//! Measures how many bytes metrics add to the module of a small app.

use anyhow::{Context, Result};
use wasmparser::{Parser, Payload};

use super::build::{Module, Source, module};
use super::package::gzipped;
use crate::libtest::Tally;
use crate::targets::WASM32;
use crate::workspace;

/// The most bytes that metrics may add to a module.
const RAW_LIMIT: usize = 62 * 1024;
/// The most bytes that metrics may add to a gzipped module.
const GZIPPED_LIMIT: usize = 30 * 1024;

/// Builds `tests/wasm-app` with one of its features or with none.
fn app(feature: Option<&str>) -> Result<Module> {
    let features = feature.unwrap_or_default();
    let source = Source {
        target: &WASM32,
        cargo: &["build", "--package", "wasm-app", "--features", features],
        module: "wasm_app.wasm",
    };
    let dir = workspace::target_dir()
        .join("wasm-app")
        .join(feature.unwrap_or("bare"));
    module(&source, &dir, "app")
}

/// The sizes of the code section and the data section in bytes.
fn sections(module: &[u8]) -> Result<(usize, usize)> {
    let (mut code, mut data) = (0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("no WebAssembly")? {
            Payload::CodeSectionStart { size, .. } => code = size as usize,
            Payload::DataSection(section) => {
                let range = section.range();
                data = (range.end - range.start) as usize;
            }
            _ => {}
        }
    }
    Ok((code, data))
}

/// Checks the limits with hooks that record, and that hooks that don't record add no byte of code or data.
pub(super) fn test() -> Result<Tally> {
    let mut tally = Tally::default();
    let bare = app(None)?.bytes()?;
    let off = app(Some("hooks"))?.bytes()?;
    let measured = app(Some("record"))?.bytes()?;
    let (raw, zipped) = (measured.len() - bare.len(), gzipped(&measured)? - gzipped(&bare)?);
    tally.check(
        &format!("metrics add {raw} bytes, at most {RAW_LIMIT}"),
        raw <= RAW_LIMIT,
    );
    tally.check(
        &format!("gzipped they add {zipped} bytes, at most {GZIPPED_LIMIT}"),
        zipped <= GZIPPED_LIMIT,
    );
    let (bare, off) = (sections(&bare)?, sections(&off)?);
    tally.check(
        &format!("code and data without metrics {bare:?} bytes, with hooks that do not record {off:?}"),
        bare == off && bare.0 > 0,
    );
    Ok(tally)
}
