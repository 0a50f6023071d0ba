//! `cargo xtask zero-cost`: what metrics add to the instructions of an executor.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::bench::callgrind;
use crate::libtest::Tally;
use crate::toolchain::Toolchain;
use crate::workspace;

pub(crate) fn run() -> Result<ExitCode> {
    if !callgrind::installed() {
        bail!("counting instructions needs valgrind: `apt-get install valgrind`");
    }
    let target = workspace::target_dir().join("zero-cost");
    let status = Toolchain::host()
        .cargo(&["build", "--quiet", "--release", "--package", "zero-cost"])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // How a crate is cut into units decides what is inlined, and the cut follows the names of types.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("RUSTFLAGS", "")
        .status()?;
    ensure!(
        status.success(),
        "the programs of zero-cost do not build: {status}"
    );
    let count = |program: &str| {
        let path = target
            .join("release")
            .join(program)
            .with_extension(std::env::consts::EXE_EXTENSION);
        callgrind::count(&path, program, &target.join("callgrind"))
    };
    let (bare, real) = (count("bare")?, count("real")?);
    println!("instructions a poll: bare {bare:.2}, with metrics-std {real:.2}");
    let mut tally = Tally::default();
    let mut check = |what: &str, holds: bool| {
        println!("{}: {what}", if holds { "ok" } else { "FAILED" });
        if holds {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    };
    // Else the hooks would not be in the loop.
    check("metrics-std adds some", real > bare);
    println!("{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
