//! The context of the figures: the machine, the versions, and the build size of the core.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::toolchain::{self, Toolchain};
use crate::{metadata, workspace};

/// The peers whose versions are reported.
const PEERS: &[&str] = &[
    "hdrhistogram",
    "histogram",
    "hotpath",
    "metrics-util",
    "prometheus-client",
    "quanta",
    "tokio",
    "tokio-metrics",
];

/// Returns the processor, the system and the compiler, one per line.
pub(super) fn machine() -> Vec<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(name.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = toolchain::output("uname", &["-sm"]).map(|line| line.trim().to_owned());
    let rustc = toolchain::output("rustc", &["--version"]).map(|line| line.trim().to_owned());
    let valgrind = toolchain::output("valgrind", &["--version"]).map(|line| line.trim().to_owned());
    let unknown = || "unknown".to_owned();
    vec![
        format!("processor: {}, {cores} cores", cpu.unwrap_or_else(unknown)),
        format!("system: {}", kernel.unwrap_or_else(unknown)),
        format!(
            "compiler: {}, profile `compare` (release in one codegen unit, no LTO)",
            rustc.unwrap_or_else(unknown)
        ),
        format!(
            "instructions: {}",
            valgrind.unwrap_or_else(|| "valgrind is not installed".into())
        ),
    ]
}

/// Returns the peers' versions in the lock file.
pub(super) fn versions() -> Result<BTreeMap<&'static str, String>> {
    let version = |&peer: &&'static str| Ok((peer, workspace::locked_version(peer)?));
    PEERS.iter().map(version).collect()
}

/// The build size of `metrics-core`.
pub(super) struct Weight {
    pub(super) features: &'static str,
    pub(super) dependencies: usize,
    pub(super) seconds: f64,
}

/// Builds `metrics-core` from scratch, as a dependent does, and counts its dependencies.
pub(super) fn weigh(features: &'static str) -> Result<Weight> {
    let target = workspace::target_dir().join("bench/clean");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let start = Instant::now();
    let status = Toolchain::host()
        .cargo(&[
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            "metrics-core",
            "--features",
            features,
        ])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .status()?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("metrics-core does not build with features `{features}`");
    }
    Ok(Weight {
        features,
        dependencies: dependencies(features)?,
        seconds,
    })
}

/// The number of packages that a build of `metrics-core` also compiles, including build scripts and macros.
fn dependencies(features: &str) -> Result<usize> {
    let args = ["--edges", "normal,build", "--features", features];
    Ok(metadata::tree("metrics-core", &args)?.len().saturating_sub(1))
}

/// The cost of a hook in a JavaScript engine.
#[derive(Deserialize)]
pub(super) struct BrowserRow {
    pub(super) name: String,
    pub(super) ours: f64,
    pub(super) unit: String,
}

/// Returns the rows that `cargo xtask wasm --bench` wrote, if it has run in this tree.
pub(super) fn browser() -> Option<Vec<BrowserRow>> {
    #[derive(Deserialize)]
    struct Document {
        rows: Vec<BrowserRow>,
    }
    let text = fs::read_to_string(workspace::target_dir().join("bench/wasm.json")).ok()?;
    Some(serde_json::from_str::<Document>(&text).ok()?.rows)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lock_file_names_every_peer() {
        super::versions().expect("a version of each peer");
    }
}
