//! `cargo xtask top`: builds `metrics-top` in release mode and runs it.

use std::process::ExitCode;

use anyhow::Result;

use crate::demo::become_it;
use crate::flags;
use crate::toolchain::Toolchain;

/// Builds the program and replaces this process with it.
pub(crate) fn run(flags: &flags::Top) -> Result<ExitCode> {
    let build = [
        "run",
        "--release",
        "--package",
        "metrics-std",
        "--features",
        "top",
        "--bin",
        "metrics-top",
        "--",
    ];
    let mut command = Toolchain::host().cargo(&build);
    command.arg(&flags.url);
    become_it(command)
}
