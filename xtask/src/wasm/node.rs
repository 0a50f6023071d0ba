//! Runs tests and benchmarks that are written in JavaScript, in Node.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::libtest::Tally;
use crate::workspace;

/// The directory of the screenshots that tests take.
pub(super) fn artefacts() -> PathBuf {
    workspace::target_dir().join("artefacts")
}

/// A command that runs a script of `metrics-wasm/tests/js` in Node, with the paths that it needs in its environment.
pub(super) fn command(script: &str, env: &[(&str, &OsStr)]) -> Result<Command> {
    let mut command = Command::new("node");
    command
        .current_dir(workspace::root())
        .env("NPM_PACKAGES", workspace::tools_dir().join("npm"))
        .env(
            "XTASK",
            env::current_exe().context("the path of this program is unknown")?,
        )
        .env("ARTEFACTS", artefacts())
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    if script.ends_with(".test.mjs") {
        command.args(["--test", "--test-reporter=spec"]);
    }
    command.arg(workspace::root().join("metrics-wasm/tests/js").join(script));
    Ok(command)
}

/// Runs a script of tests, and returns the counts of Node's test runner.
pub(super) fn test(script: &str, env: &[(&str, &OsStr)]) -> Result<Tally> {
    let output = command(script, env)?
        .stderr(Stdio::inherit())
        .output()
        .context("can't start node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    // Its last lines include `ℹ pass 3` and `ℹ fail 0`.
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
