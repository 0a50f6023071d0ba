//! The npm package: module, JavaScript, types, manifest, README and licences.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::build::{Module, Source, module};
use super::node;
use crate::libtest::Tally;
use crate::targets::WASM32;
use crate::workspace;

/// An `AudioWorklet` lacks what the generated JavaScript uses at its top level, so that it could not even be imported there.
const TEXT_CODEC: &str = "text_codec.js";

/// The directory of the package.
pub(super) fn dir() -> PathBuf {
    workspace::target_dir().join("wasm")
}

/// A built package.
pub(super) struct Package {
    dir: PathBuf,
    raw: usize,
    gzipped: usize,
}

impl Package {
    pub(super) fn print(&self) {
        println!("{}: ready for `npm publish`", self.dir.display());
        println!(
            "the module: {} bytes raw, {} bytes gzipped",
            self.raw, self.gzipped
        );
    }
}

/// Builds the package into `target/wasm`.
pub(super) fn build() -> Result<Package> {
    let source = Source {
        target: &WASM32,
        cargo: &[
            "rustc",
            "--package",
            "metrics-wasm",
            "--lib",
            "--crate-type",
            "cdylib",
            "--features",
            "js",
        ],
        module: "metrics_wasm.wasm",
    };
    let module = module(&source, &dir(), "metrics_wasm")?;
    let dir = dir();
    let codec = workspace::root().join("metrics-wasm/worklet").join(TEXT_CODEC);
    fs::copy(&codec, dir.join(TEXT_CODEC)).with_context(|| format!("can't copy {}", codec.display()))?;
    let script = dir.join("metrics_wasm.js");
    let generated =
        fs::read_to_string(&script).with_context(|| format!("can't read {}", script.display()))?;
    fs::write(&script, format!("import \"./{TEXT_CODEC}\";\n{generated}"))
        .with_context(|| format!("can't write {}", script.display()))?;
    let manifest = format!("{:#}\n", manifest(&module)?);
    fs::write(dir.join("package.json"), manifest).context("can't write package.json")?;
    let root = workspace::root();
    for (from, to) in [
        ("metrics-wasm/README.md", "README.md"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        fs::copy(root.join(from), dir.join(to)).with_context(|| format!("can't copy {from}"))?;
    }
    let bytes = module.bytes()?;
    Ok(Package {
        raw: bytes.len(),
        gzipped: gzipped(&bytes)?,
        dir,
    })
}

/// Makes `package.json` from the manifest of the crate.
fn manifest(module: &Module) -> Result<Value> {
    let package = crate::metadata::package("metrics-wasm")?;
    let mut files: Vec<String> = fs::read_dir(&module.dir)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    Ok(json!({
        "name": package.name,
        "version": package.version,
        "description": package.description,
        "license": package.license,
        "repository": { "type": "git", "url": package.repository },
        "keywords": package.keywords,
        "type": "module",
        "main": "metrics_wasm.js",
        "types": "metrics_wasm.d.ts",
        "files": files,
        "sideEffects": ["./metrics_wasm.js", format!("./{TEXT_CODEC}")],
    }))
}

/// The gzipped size, as a server sends it.
pub(super) fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

/// Builds the package and runs its tests of one script.
pub(super) fn test(script: &str) -> Result<Tally> {
    build()?.print();
    node::test(script, &[("PACKAGE", dir().as_os_str())])
}
