//! Builds a crate as an optimised module with its JavaScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::targets::{Target, WASM32};
use crate::{children, workspace};

/// What cargo builds.
pub(super) struct Source<'a> {
    pub(super) target: &'static Target,
    /// The arguments of `cargo`.
    pub(super) cargo: &'a [&'a str],
    /// The module that cargo writes, relative to the profile's directory.
    pub(super) module: &'a str,
}

/// A module and the JavaScript that loads it, in one directory.
pub(super) struct Module {
    pub(super) dir: PathBuf,
    name: String,
}

impl Module {
    /// The path of the WebAssembly.
    pub(super) fn wasm(&self) -> PathBuf {
        self.dir.join(format!("{}_bg.wasm", self.name))
    }

    /// The bytes of the WebAssembly.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        let path = self.wasm();
        fs::read(&path).with_context(|| format!("can't read {}", path.display()))
    }
}

/// Builds `source`, generates JavaScript modules for the web, and optimises the module for size.
pub(super) fn module(source: &Source<'_>, dir: &Path, name: &str) -> Result<Module> {
    let toolchain = source.target.toolchain().context("no compiler for WebAssembly")?;
    let out = workspace::target_dir().join("matrix/cross");
    run(toolchain
        .cargo(source.cargo)
        .args(["--profile", "wasm"])
        .env("CARGO_TARGET_DIR", &out)
        .env("CARGO_INCREMENTAL", "0"))?;
    let built = out.join("wasm32-unknown-unknown/wasm").join(source.module);
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("can't empty {}", dir.display()))?;
    }
    run(Command::new(workspace::tools_dir().join("bin/wasm-bindgen"))
        .args(["--target", "web", "--out-name", name, "--out-dir"])
        .arg(dir)
        .arg(&built))?;
    let module = Module {
        dir: dir.to_owned(),
        name: name.to_owned(),
    };
    let wasm = module.wasm();
    run(Command::new("node")
        .arg(workspace::npm_dir("binaryen").join("bin/wasm-opt"))
        // The module lists the WebAssembly features that the compiler used; wasm-opt adds none.
        .args(["-Oz", "--strip-debug", "--strip-producers", "-o"])
        .args([&wasm, &wasm]))?;
    Ok(module)
}

/// Builds the demo's module into a directory of its own.
pub(super) fn demo() -> Result<Module> {
    let source = Source {
        target: &WASM32,
        cargo: &[
            "build",
            "--package",
            "metrics-wasm",
            "--example",
            "demo",
            "--features",
            "js",
        ],
        module: "examples/demo.wasm",
    };
    module(&source, &workspace::target_dir().join("wasm-demo"), "demo")
}

/// Runs a command. The error of a failing one has its output.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let shown = children::shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't start `{shown}`"))?;
    if !output.status.success() {
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        bail!("`{shown}`: {}\n{out}{err}", output.status);
    }
    Ok(())
}
