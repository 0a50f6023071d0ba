//! Builds the benchmark programs and exchanges requests and answers with them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::comparisons::Build;
use crate::toolchain::Toolchain;
use crate::{toolchain, workspace};

const PACKAGE: &str = "bench-programs";
/// The profile in the workspace's manifest: release, in one codegen unit.
const PROFILE: &str = "compare";

/// Builds the program of one build and returns its path.
///
/// Each build has its own target directory: the cfg affects every dependency, and the builds would replace each other's artefacts.
pub(super) fn build(build: Build) -> Result<PathBuf> {
    let (dir, flags, features): (_, _, &[&str]) = match build {
        Build::Stable => ("stable", "--cfg metrics_core_bench", &[]),
        Build::Off => ("off", "--cfg metrics_core_bench", &["--no-default-features"]),
        Build::Unstable => ("unstable", "--cfg metrics_core_bench --cfg tokio_unstable", &[]),
        Build::Hotpath => ("hotpath", "--cfg metrics_core_bench", &["--features", "hotpath"]),
    };
    let target = workspace::target_dir().join("bench").join(dir);
    let status = Toolchain::host()
        .cargo(&[
            "build",
            "--quiet",
            "--profile",
            PROFILE,
            "--locked",
            "--package",
            PACKAGE,
            "--target-dir",
        ])
        .arg(&target)
        .args(features)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // The program is built as a user builds it: without the flags of this shell and without incremental builds.
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_INCREMENTAL")
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .context("can't start cargo")?;
    if !status.success() {
        bail!("the {dir} benchmark program does not build");
    }
    Ok(target
        .join(PROFILE)
        .join(PACKAGE)
        .with_extension(std::env::consts::EXE_EXTENSION))
}

/// The side that measures the current speed of a processor. It is a peer's side that both builds have.
const PROBE: &str = "record/histogram";
const PROBE_MICROS: u64 = 2_000;
/// The maximum number of processors to try: more would take longer than the measurement itself.
const PROBED: usize = 8;

/// Returns the processor on which a program currently runs fastest. On a shared machine, this is the one whose sibling thread is idle.
/// Returns `None` if there is only one processor or `taskset` is not installed.
pub(super) fn fastest_processor(program: &Path) -> Option<usize> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if processors == 1 || !cfg!(target_os = "linux") || toolchain::output("taskset", &["--version"]).is_none()
    {
        return None;
    }
    let speed = |number| -> Option<f64> {
        let mut server = Server::start(program, 1, Some(number)).ok()?;
        let answer = server.ask(PROBE, PROBE_MICROS).ok()?;
        server.stop().ok()?;
        Some(answer.nanos)
    };
    (0..processors.min(PROBED))
        .filter_map(|number| Some((number, speed(number)?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(number, _)| number)
}

/// A benchmark program that answers requests.
pub(super) struct Server {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// An answer: nanoseconds per operation, and further figures by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) nanos: f64,
    pub(super) extras: Vec<(String, f64)>,
}

impl Server {
    /// Starts `program`, pinned to `processor` if there is one. `seed` determines the memory layouts of its rounds.
    pub(super) fn start(program: &Path, seed: u64, processor: Option<usize>) -> Result<Self> {
        let mut command = match processor {
            Some(number) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(number.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut child = command
            .args(["serve", &seed.to_string()])
            // hotpath serves its report on a fixed port otherwise.
            .env("HOTPATH_METRICS_SERVER_OFF", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self {
            child,
            requests,
            answers,
        })
    }

    /// Runs one round of one side for about `micros` microseconds.
    pub(super) fn ask(&mut self, side: &str, micros: u64) -> Result<Answer> {
        let requests = self.requests.as_mut().context("no standard input")?;
        writeln!(requests, "{side} {micros}")
            .and_then(|()| requests.flush())
            .context("the program ended")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        parse(line.trim()).with_context(|| format!("`{side}` answered `{}`", line.trim()))
    }

    /// Ends the program by closing its input.
    pub(super) fn stop(mut self) -> Result<()> {
        drop(self.requests.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("a benchmark program ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` the program has already ended. After an error this ends it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Result<Answer> {
    let mut words = line.split_whitespace();
    let nanos = words
        .next()
        .context("nothing")?
        .parse()
        .context("no number first")?;
    let extras = words
        .map(|word| {
            let (name, value) = word
                .split_once('=')
                .with_context(|| format!("`{word}` is not a `name=value` pair"))?;
            Ok((
                name.to_owned(),
                value.parse().with_context(|| format!("`{word}` has no number"))?,
            ))
        })
        .collect::<Result<_>>()?;
    Ok(Answer { nanos, extras })
}

#[cfg(test)]
mod tests {
    use super::{Answer, parse};

    #[test]
    fn answers_are_a_number_and_pairs() {
        let answer = parse("12.5 fresh=0.999 bytes=2048").expect("a good answer");
        assert_eq!(
            answer,
            Answer {
                nanos: 12.5,
                extras: vec![("fresh".into(), 0.999), ("bytes".into(), 2048.0)]
            }
        );
        assert!(parse("").is_err());
        assert!(parse("12.5 fresh").is_err());
    }
}
