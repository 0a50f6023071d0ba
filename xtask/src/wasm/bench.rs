//! Measures the cost of a wrapped poll in Node and in Chromium, as JSON for the benchmark report.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::build::{Source, module};
use super::node;
use crate::targets::WASM32;
use crate::workspace;

/// Measures, prints the results, and writes them to `target/bench/wasm.json` and to `json`.
pub(super) fn run(json: Option<&Path>) -> Result<()> {
    let source = Source {
        target: &WASM32,
        cargo: &["build", "--package", "metrics-wasm", "--example", "bench"],
        module: "examples/bench.wasm",
    };
    let module = module(&source, &workspace::target_dir().join("wasm-bench"), "bench")?;
    let output = node::command("bench.mjs", &[("MODULE", module.dir.as_os_str())])?
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("can't start node")?;
    if !output.status.success() {
        bail!("bench.mjs: {}", output.status);
    }
    let text = String::from_utf8(output.stdout).context("bench.mjs printed no text")?;
    // The benchmark report reads this file.
    let kept = workspace::target_dir().join("bench/wasm.json");
    for file in [Some(kept.as_path()), json].into_iter().flatten() {
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(file, &text).with_context(|| format!("can't write {}", file.display()))?;
    }
    print!("{text}");
    Ok(())
}
