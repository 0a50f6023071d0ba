//! `cargo xtask soak`: threads and runtimes that come and go for some minutes, with every count exact and memory flat.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::flags::{Soak, exit_code};
use crate::toolchain::Toolchain;

pub(crate) fn run(flags: &Soak) -> Result<ExitCode> {
    let status = Toolchain::host()
        .cargo(&[
            "run",
            "--quiet",
            "--release",
            "--package",
            "tests",
            "--bin",
            "soak",
            "--",
        ])
        .arg(flags.minutes.to_string())
        .status()
        .context("can't start cargo")?;
    Ok(exit_code(status.success()))
}
