//! Tests and measurements written in JavaScript, run by Node.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::libtest::Tally;
use crate::workspace;

/// Screenshots and logs that a test leaves behind.
pub(super) fn artefacts() -> PathBuf {
    workspace::target_dir().join("artefacts")
}

/// Node on a script of `metrics-wasm/tests/js`, told where things are.
pub(super) fn command(script: &str, env: &[(&str, &OsStr)]) -> Result<Command> {
    let mut command = Command::new("node");
    command
        .current_dir(workspace::root())
        .env("NPM_PACKAGES", workspace::tools_dir().join("npm"))
        .env("XTASK", env::current_exe().context("who am I?")?)
        .env("ARTEFACTS", artefacts())
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    if script.ends_with(".test.mjs") {
        command.args(["--test", "--test-reporter=spec"]);
    }
    command.arg(workspace::root().join("metrics-wasm/tests/js").join(script));
    Ok(command)
}

/// Runs a script of tests; they count as Node's runner counts them.
pub(super) fn test(script: &str, env: &[(&str, &OsStr)]) -> Result<Tally> {
    let output = command(script, env)?
        .stderr(Stdio::inherit())
        .output()
        .context("can't start node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    // The closing lines are `ℹ pass 3` and `ℹ fail 0`.
    let count = |word: &str| {
        let mut numbers = text
            .lines()
            .filter_map(|line| line.split_once(word)?.1.trim().parse::<u64>().ok());
        numbers.next_back()
    };
    match (count("ℹ pass "), count("ℹ fail ")) {
        (Some(passed), Some(failed)) if passed + failed > 0 => Ok(Tally {
            passed,
            failed,
            skipped: 0,
        }),
        _ => bail!("{script} ran no test: {}", output.status),
    }
}
