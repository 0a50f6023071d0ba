//! The commands that build a program of this workspace and run it in place of this one.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::flags::{Decode, Soak, Top};
use crate::toolchain::Toolchain;

/// `cargo xtask demo`
pub(crate) fn demo() -> Result<ExitCode> {
    // The program's name and the subcommand come first.
    run("--release --package demo", env::args_os().skip(2))
}

/// `cargo xtask soak`
pub(crate) fn soak(flags: &Soak) -> Result<ExitCode> {
    let minutes = [flags.minutes.to_string()];
    run("--quiet --release --package tests --bin soak", minutes)
}

/// `cargo xtask top`
pub(crate) fn top(flags: &Top) -> Result<ExitCode> {
    let program = "--release --package metrics-std --features top --bin metrics-top";
    run(program, [&flags.url])
}

/// `cargo xtask firmware decode`
pub(crate) fn decode(flags: &Decode) -> Result<ExitCode> {
    let program = "--quiet --package metrics-std --features decode --bin metrics-decode";
    run(program, &flags.path)
}

/// Builds a program with these arguments of `cargo run`, and replaces this process with it: the program then owns the terminal, handles
/// Ctrl-C and sets the exit code.
fn run(program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<ExitCode> {
    let mut command = Toolchain::host().cargo(&["run"]);
    command.args(program.split(' ')).arg("--").args(args);
    become_it(command)
}

#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(error).context("can't start cargo")
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode> {
    let status = command.status().context("can't start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
