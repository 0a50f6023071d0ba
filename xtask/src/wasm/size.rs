//! What metrics add to the module of a small app.

use anyhow::{Context, Result};
use wasmparser::{Parser, Payload};

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

/// Bytes of the code section and of the data section.
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

/// Asserts what the module of an app may weigh with metrics, and with metrics that do nothing.
pub(super) fn test() -> Result<Tally> {
    let mut tally = Tally::default();
    let mut check = |what: &str, holds: bool| {
        println!("{}: {what}", if holds { "ok" } else { "FAILED" });
        if holds {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    };
    let bare = app(None)?.bytes()?;
    let measured = app(Some("metrics"))?.bytes()?;
    let mocked = app(Some("mock"))?.bytes()?;
    let (raw, zipped) = (measured.len() - bare.len(), gzipped(&measured)? - gzipped(&bare)?);
    check(
        &format!("metrics add {raw} bytes, at most {RAW_LIMIT}"),
        raw <= RAW_LIMIT,
    );
    check(
        &format!("gzipped they add {zipped} bytes, at most {GZIPPED_LIMIT}"),
        zipped <= GZIPPED_LIMIT,
    );
    let (bare, mocked) = (sections(&bare)?, sections(&mocked)?);
    check(
        &format!("code and data without metrics {bare:?} bytes, with metrics-mock {mocked:?}"),
        bare == mocked && bare.0 > 0,
    );
    Ok(tally)
}
