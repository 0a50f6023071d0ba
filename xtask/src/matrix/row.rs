//! A row of the matrix, and how it runs.

use core::time::Duration;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};

use super::progress::Progress;
use super::running::Running;
use crate::children::{self, Event, Outcome};
use crate::libtest::Tally;
use crate::needs::{self, Need};
use crate::targets::Target;
use crate::toolchain::Toolchain;
use crate::workspace;

/// Even without a cache and on two slow cores, a step takes less than this, so one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The same for a step on a target that an emulator runs: those run fewer tests.
const EMULATED_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A row. It passes if all of its steps pass.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) target: &'static Target,
    pub(crate) proves: &'static str,
    /// The requirements without which it can't run, in addition to those of its target.
    pub(crate) needs: &'static [Need],
    /// Optional requirements: tests that use them check less without them. `--require-all` makes them mandatory.
    pub(crate) wants: &'static [Need],
    pub(crate) steps: &'static [Step],
    /// It runs only with `--long` or when it is named, because it takes long or hardly ever fails.
    pub(crate) long: bool,
}

/// How a row ended.
pub(crate) enum Verdict {
    Passed,
    /// The reason.
    Failed(String),
    /// The commands that enable it.
    Skipped(Vec<String>),
}

/// One command of a row.
pub(crate) struct Step {
    tool: Tool,
    /// Separated by spaces.
    args: &'static str,
    more_args: &'static str,
    env: &'static [(&'static str, &'static str)],
    warnings_fail: bool,
    is_fresh: bool,
}

enum Tool {
    /// cargo, building for the row's target
    Cargo,
    /// rustup's nightly cargo
    Nightly,
    /// a command of this program
    Xtask,
    /// a script for Node, which gets the directory of this npm package
    Node(&'static str),
}

impl Step {
    /// `cargo ARGS` with the flags of the row's target.
    pub(crate) const fn cargo(args: &'static str) -> Self {
        Self::of(Tool::Cargo, args)
    }

    /// `cargo +nightly ARGS` for this machine.
    pub(crate) const fn nightly(args: &'static str) -> Self {
        Self::of(Tool::Nightly, args)
    }

    /// `cargo xtask ARGS`. It prints how many tests it ran in a line `N passed, N failed`.
    pub(crate) const fn xtask(args: &'static str) -> Self {
        Self::of(Tool::Xtask, args)
    }

    /// `node SCRIPT DIRECTORY`, with the directory of an npm package. The row needs the package.
    pub(crate) const fn node(script: &'static str, package: &'static str) -> Self {
        Self::of(Tool::Node(package), script)
    }

    const fn of(tool: Tool, args: &'static str) -> Self {
        Self {
            tool,
            args,
            more_args: "",
            env: &[],
            warnings_fail: false,
            is_fresh: false,
        }
    }

    /// Appends these arguments.
    pub(crate) const fn args(self, more_args: &'static str) -> Self {
        Self { more_args, ..self }
    }

    /// Sets these environment variables. With `RUSTFLAGS`, the row builds in a directory of its own.
    pub(crate) const fn env(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }

    /// Makes compiler warnings errors. `RUSTFLAGS` would also do that, but would rebuild everything.
    pub(crate) const fn without_warnings(self) -> Self {
        Self {
            warnings_fail: true,
            ..self
        }
    }

    /// Builds in a directory that no earlier run has used.
    pub(crate) const fn in_a_fresh_directory(self) -> Self {
        Self {
            is_fresh: true,
            ..self
        }
    }

    fn all_args(&self) -> impl Iterator<Item = &'static str> {
        self.args
            .split_whitespace()
            .chain(self.more_args.split_whitespace())
    }

    /// Returns a short form of the command. The log contains the full command.
    fn shown(&self) -> String {
        let env = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let tool = match self.tool {
            Tool::Cargo => "cargo",
            Tool::Nightly => "cargo +nightly",
            Tool::Xtask => "cargo xtask",
            Tool::Node(_) => "node",
        };
        env.chain([tool.to_owned()])
            .chain(self.all_args().map(str::to_owned))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn command(&self, row: &Row) -> Result<Command> {
        let args: Vec<&str> = self.all_args().collect();
        let mut command = match self.tool {
            Tool::Cargo => {
                let toolchain = row
                    .target
                    .toolchain()
                    .ok_or_else(|| anyhow!("no compiler for {}", row.triple()))?;
                toolchain.cargo(&args)
            }
            Tool::Nightly => Toolchain::nightly().cargo(&args),
            Tool::Xtask => {
                let mut command = Command::new(env::current_exe().context("unknown program path")?);
                command.args(args).current_dir(workspace::root());
                command
            }
            Tool::Node(package) => {
                let mut command = Command::new("node");
                command.args(args).arg(workspace::npm_dir(package));
                command.current_dir(workspace::root());
                command
            }
        };
        command
            .env("CARGO_TERM_COLOR", "never")
            .env("PATH", path_with_tools())
            .envs(self.env.iter().copied());
        if let Some(dir) = row.own_target_dir(self) {
            // The artefacts are used once, so debug information and incremental state are not needed.
            command
                .env("CARGO_TARGET_DIR", dir)
                .env("CARGO_INCREMENTAL", "0")
                .env("CARGO_PROFILE_DEV_DEBUG", "0");
        }
        Ok(command)
    }
}

impl Row {
    /// Creates a row without a target, requirements and steps.
    pub(crate) const fn new(name: &'static str, target: &'static Target, proves: &'static str) -> Self {
        Self {
            name,
            target,
            proves,
            needs: &[],
            wants: &[],
            steps: &[],
            long: false,
        }
    }

    /// Its name, with a mark if it is long.
    pub(crate) fn title(&self) -> String {
        format!("{}{}", self.name, if self.long { " (long)" } else { "" })
    }

    pub(crate) fn triple(&self) -> &'static str {
        self.target.triple.unwrap_or("host")
    }

    /// Returns all mandatory and optional requirements.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Need> {
        self.required().chain(self.wants.iter().copied())
    }

    fn required(&self) -> impl Iterator<Item = Need> {
        // A row for this machine does not need the linker and runner of a cross target.
        let compiler = self.target.compiler();
        let of_target = compiler.iter().flat_map(|_| self.target.requirements());
        let of_target: Vec<Need> = of_target.collect();
        self.needs.iter().copied().chain(of_target).chain(compiler)
    }

    /// Runs the row. Its output goes to a log file. A failure shows the end of the log.
    pub(crate) fn run(&self, require_all: bool) -> Result<(Verdict, Tally)> {
        let mut tests = Tally::default();
        let needs: Vec<Need> = if require_all {
            self.needs().collect()
        } else {
            self.required().collect()
        };
        let missing = needs::missing(&needs);
        if !missing.is_empty() {
            return Ok((Verdict::Skipped(missing), tests));
        }
        let log_path = self.log_path()?;
        let mut log =
            File::create(&log_path).with_context(|| format!("can't write {}", log_path.display()))?;
        let limit = if self.target.is_emulated() {
            EMULATED_LIMIT
        } else {
            LIMIT
        };
        let mut progress = Progress::new();
        for step in self.steps {
            let mut command = step.command(self)?;
            if require_all {
                // Tests that compare with an external program then fail if it is not installed.
                command.env("REQUIRE_ALL", "1");
            }
            let shown = step.shown();
            progress.step(&shown);
            writeln!(log, "$ {}", in_full(&command))?;
            let before = tests;
            let mut warnings = 0;
            let mut running = Running::default();
            let outcome = children::watch(command, limit, |event| match event {
                Event::Line(line) => {
                    // A log that can't be written does not fail the row: a full disk also fails the build, with a clear error.
                    let _ = writeln!(log, "{line}");
                    tests.add_line(line);
                    running.line(line);
                    warnings += usize::from(step.warnings_fail && line.starts_with("warning: "));
                    progress.line(line);
                }
                Event::Quiet => progress.quiet(),
            })?;
            progress.clear();
            if !outcome.success() || warnings > 0 {
                // A failed build reports no failed tests.
                tests.failed = tests.failed.max(before.failed + 1);
                let why = match outcome {
                    Outcome::Exited(_) if outcome.success() => {
                        format!("`{shown}`: {warnings} lines of warnings")
                    }
                    Outcome::Exited(status) => format!("`{shown}`: {status}"),
                    Outcome::TimedOut => format!(
                        "`{shown}`: not done after {} minutes{}",
                        limit.as_secs() / 60,
                        running.described()
                    ),
                };
                Progress::show_tail(&log_path);
                return Ok((Verdict::Failed(why), tests));
            }
        }
        // cargo succeeds even if a filter or a `cfg` leaves no tests.
        let tests_something = |step: &Step| {
            ["test ", "fuzz run ", "miri test "]
                .iter()
                .any(|command| step.args.starts_with(command))
        };
        if tests.run() == 0 && self.steps.iter().any(tests_something) {
            tests.failed += 1;
            return Ok((Verdict::Failed("no test ran".into()), tests));
        }
        Ok((Verdict::Passed, tests))
    }

    fn log_path(&self) -> Result<PathBuf> {
        let dir = workspace::target_dir().join("matrix/logs");
        fs::create_dir_all(&dir).with_context(|| format!("can't create {}", dir.display()))?;
        Ok(dir.join(self.name).with_extension("log"))
    }

    /// The target directory of a step with changed flags. In the shared directory they would rebuild everything, twice.
    fn own_target_dir(&self, step: &Step) -> Option<PathBuf> {
        let base = workspace::target_dir().join("matrix");
        if matches!(step.tool, Tool::Xtask) {
            // An xtask command sets its own directories and finds its tools there.
            return None;
        }
        if step.is_fresh {
            let dir = base.join(self.name);
            // If what an earlier run left can't be removed, it takes space and does no harm.
            let _ = fs::remove_dir_all(&dir);
            return Some(dir.join(unix_nanos().to_string()));
        }
        if step.env.iter().any(|(name, _)| *name == "RUSTFLAGS") || matches!(step.tool, Tool::Nightly) {
            Some(base.join(self.name))
        } else {
            self.target.triple.map(|_| base.join("cross"))
        }
    }
}

fn unix_nanos() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos())
}

/// Returns the search path with the matrix's tools first.
fn path_with_tools() -> OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let dirs = core::iter::once(workspace::tools_dir().join("bin")).chain(env::split_paths(&rest));
    env::join_paths(dirs).unwrap_or(rest)
}

/// Formats a command with its environment, so that a user can repeat it.
fn in_full(command: &Command) -> String {
    let env = command.get_envs().filter_map(|(name, value)| {
        let name = name.to_str().filter(|&name| name != "PATH")?;
        Some(format!("{name}={}", quoted(value?.to_str()?)))
    });
    let program = command.get_program().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| quoted(&arg.to_string_lossy()));
    env.chain(core::iter::once(program))
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}
