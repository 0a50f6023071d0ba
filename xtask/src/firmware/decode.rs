//! `cargo xtask firmware decode`: builds `metrics-decode` and runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::demo::become_it;
use crate::toolchain::Toolchain;

#[derive(Args)]
pub(super) struct Cli {
    /// A serial device or a file (default: standard input)
    path: Option<PathBuf>,
}

/// Builds the program and replaces this process with it.
pub(super) fn run(flags: &Cli) -> Result<ExitCode> {
    let mut command = Toolchain::host().cargo(&[
        "run",
        "--quiet",
        "--package",
        "metrics-std",
        "--features",
        "decode",
        "--bin",
        "metrics-decode",
        "--",
    ]);
    command.args(&flags.path);
    become_it(command)
}
