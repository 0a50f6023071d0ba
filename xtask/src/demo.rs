//! `cargo xtask demo`: the package `demo`, in release.

#[path = "../../tests/demo/src/cli.rs"]
mod cli;

pub(crate) use cli::Cli;

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::workspace;

/// Builds the demo and becomes it. The flags have been read by then: a wrong one is told before the build.
pub(crate) fn run(flags: &Cli) -> Result<ExitCode> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace::root())
        .args(["run", "--release", "--package", "demo", "--"])
        .args(arguments(flags));
    become_it(command)
}

/// The flags as the demo takes them.
fn arguments(flags: &Cli) -> Vec<String> {
    let &Cli {
        seconds,
        json,
        port,
        rate,
        workers,
    } = flags;
    let mut arguments = vec![format!("--port={port}"), format!("--rate={rate}")];
    arguments.extend(seconds.map(|seconds| format!("--seconds={seconds}")));
    arguments.extend(workers.map(|workers| format!("--workers={workers}")));
    arguments.extend(json.then(|| "--json".to_owned()));
    arguments
}

/// The terminal, its Ctrl-C and the exit code are the demo's from here on, with nothing of ours in between.
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
