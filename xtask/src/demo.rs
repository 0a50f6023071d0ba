//! `cargo xtask demo`: builds and runs the package `demo` in release mode.

// Parses the demo's own flags, so that a wrong flag is reported before the release build.
#[allow(dead_code, reason = "they are passed on as they were typed")]
#[path = "../../tests/demo/src/cli.rs"]
mod cli;

pub(crate) use cli::Cli;

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::toolchain::Toolchain;

/// Builds the demo and replaces this process with it.
pub(crate) fn run() -> Result<ExitCode> {
    let mut command = Toolchain::host().cargo(&["run", "--release", "--package", "demo", "--"]);
    // The program's name and the subcommand come first.
    command.args(env::args_os().skip(2));
    become_it(command)
}

/// Replaces this process: the program now owns the terminal, handles Ctrl-C and sets the exit code.
#[cfg(unix)]
pub(crate) fn become_it(mut command: Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(error).context("can't start cargo")
}

#[cfg(not(unix))]
pub(crate) fn become_it(mut command: Command) -> Result<ExitCode> {
    let status = command.status().context("can't start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
