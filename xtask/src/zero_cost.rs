//! `cargo xtask zero-cost`: checks that without the feature `record`, a program with hooks executes the same instructions as one
//! without metrics.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::bench::callgrind;
use crate::flags::exit_code;
use crate::libtest::Tally;
use crate::toolchain::Toolchain;
use crate::workspace;

/// A program of `tests/zero-cost`, and the maximum ratio of its instructions without the feature `record` to those of the bare program.
struct Program {
    side: &'static str,
    what: &'static str,
    limit: f64,
}

const PROGRAMS: &[Program] = &[
    Program {
        side: "worker",
        what: "an executor with a worker and measured futures",
        limit: 1.0,
    },
    Program {
        side: "static",
        what: "a loop with a worker in a static",
        limit: 1.0,
    },
    // The spawner stores a reference to its registry and the kind of runtime that it spawns on.
    Program {
        side: "tokio",
        what: "tasks spawned on Tokio through the spawner",
        limit: 1.01,
    },
];

pub(crate) fn run() -> Result<ExitCode> {
    if !callgrind::installed() {
        bail!("counting instructions needs valgrind: `apt-get install valgrind`");
    }
    let (off, on) = (build("off", &["--no-default-features"])?, build("on", &[])?);
    let scratch = workspace::target_dir().join("zero-cost/callgrind");
    let mut tally = Tally::default();
    for Program { side, what, limit } in PROGRAMS {
        let count = |dir: &PathBuf, program: &str| {
            let path = dir.join(program).with_extension(std::env::consts::EXE_EXTENSION);
            callgrind::count(&path, side, &scratch)
        };
        let (bare, off, on) = (
            count(&off, "bare")?,
            count(&off, "hooked")?,
            count(&on, "hooked")?,
        );
        // If recording adds no instructions, the loop contains no hooks.
        let holds = off <= bare * limit && on > bare;
        let what = format!(
            "{what}: instructions per poll: bare {bare:.2}, off {off:.2}, on {on:.2}; off at most {limit} of bare"
        );
        tally.check(&what, holds);
    }
    println!("{tally}");
    Ok(exit_code(tally.failed == 0))
}

/// Builds the programs with these features and returns their directory. Each build has its own, so that none replaces another.
fn build(name: &str, features: &[&str]) -> Result<PathBuf> {
    let target = workspace::target_dir().join("zero-cost").join(name);
    let status = Toolchain::host()
        .cargo(&["build", "--quiet", "--release", "--package", "zero-cost"])
        .args(features)
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // The codegen units affect inlining, and the names of types affect the codegen units, so there is only one.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("RUSTFLAGS", "")
        .status()?;
    ensure!(
        status.success(),
        "the programs of zero-cost do not build: {status}"
    );
    Ok(target.join("release"))
}
