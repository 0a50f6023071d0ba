//! The command line of all commands.

// Parses the demo's own flags, so that a wrong flag is reported before the release build.
#[allow(dead_code, reason = "they are passed on as they were typed")]
#[path = "../../tests/demo/src/cli.rs"]
mod demo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// The exit status for a wrong command line, as in `clap` and most Unix tools.
pub(crate) const BAD_USAGE: u8 = 2;

/// The exit status of a command that completes.
pub(crate) fn exit_code(success: bool) -> ExitCode {
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Every command of this workspace"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Measure every comparison side by side with its peers and check the goals
    Bench(Bench),
    /// Show live metrics of an axum service on Tokio under real load
    Demo(demo::Cli),
    /// Run firmware in QEMU, show its task table and measure the cost of metrics
    Firmware(Firmware),
    /// Try the exporters, the dashboard, the alerts and their rules with real servers
    Ops,
    /// Run the test matrix on every kind of target
    TestMatrix(TestMatrix),
    /// Check documents, manifests and file lengths
    Tidy(Tidy),
    /// Break each invariant in turn and check that a test fails
    Mutate(Mutate),
    /// Run threads and runtimes that come and go, and check every count, the memory and the descriptors
    Soak(Soak),
    /// Count the instructions of an executor with and without metrics
    ZeroCost,
    /// Run Tokio's test suites on a Tokio whose runtime metrics are metrics-core
    TokioOnCore,
    /// Show the metrics of a running service in this terminal
    Top(Top),
    /// Build, test and measure the npm package for JavaScript hosts
    Wasm(Wasm),
    /// Build and serve the dashboard with a workload in the page
    WasmDemo(WasmDemo),
}

#[derive(Args)]
pub(crate) struct Bench {
    /// Run fewer and shorter rounds: under two minutes after the build
    #[arg(long)]
    pub(crate) quick: bool,
    /// Count instructions only, and compare them with the committed counts of this compiler
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Write the instruction counts of this run instead of comparing them
    #[arg(long, requires = "instructions")]
    pub(crate) bless: bool,
    /// Write the rows to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Run only these rows or groups of rows
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Args)]
#[allow(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub(crate) struct TestMatrix {
    /// List the rows, their targets and purposes, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Run only this row; can be repeated
    #[arg(long = "row", value_name = "NAME")]
    pub(crate) rows: Vec<String>,
    /// Run the long rows too
    #[arg(long)]
    pub(crate) long: bool,
    /// Write the results to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Install nothing and skip rows that lack a requirement
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Treat a row that can't run as a failure
    #[arg(long)]
    pub(crate) require_all: bool,
}

#[derive(Args)]
pub(crate) struct Tidy {
    /// Fix the problems that can be fixed automatically
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Args)]
pub(crate) struct Mutate {
    /// List the mutations and the invariants that they break, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Run only this mutation; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Soak {
    /// How long it runs
    #[arg(long, default_value_t = 1)]
    pub(crate) minutes: u64,
}

#[derive(Args)]
pub(crate) struct Top {
    /// The address of a service that serves `/snapshot`, such as <http://127.0.0.1:9000>
    #[arg(value_name = "URL")]
    pub(crate) url: String,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Firmware {
    #[command(subcommand)]
    pub(crate) action: Option<FirmwareAction>,
    /// Run only this firmware (default: all)
    pub(crate) chip: Option<Chip>,
    /// Write the figures into docs/MICROCONTROLLERS.md
    #[arg(long)]
    pub(crate) write: bool,
    /// Do not install missing tools
    #[arg(long)]
    pub(crate) no_install: bool,
}

#[derive(Subcommand)]
pub(crate) enum FirmwareAction {
    /// Print the traces that firmware sends over a serial line
    Decode(Decode),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Chip {
    /// A hand-written loop without compare-and-swap, and the cost of a poll in it
    CortexM0,
    /// embassy, with an executor in an interrupt handler
    CortexM3,
    /// embassy without atomic instructions
    Riscv32imc,
}

#[derive(Args)]
pub(crate) struct Decode {
    /// A serial device or a file (default: standard input)
    pub(crate) path: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Wasm {
    /// Run these tests instead of building the package; can be repeated
    #[arg(long = "test", value_name = "WHAT")]
    pub(crate) tests: Vec<WasmTest>,
    /// Let the page's test write docs/dashboard.png, the picture of the READMEs
    #[arg(long, requires = "tests")]
    pub(crate) picture: bool,
    /// Measure the cost of a wrapped poll in Node and in Chromium
    #[arg(long, conflicts_with = "tests")]
    pub(crate) bench: bool,
    /// Write the results to this file as JSON
    #[arg(long, value_name = "FILE", requires = "bench")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WasmTest {
    /// The size that metrics add to the module of a small app
    Size,
    /// The npm package in Node, and its types
    Package,
    /// The npm package in headless Chromium
    Browser,
    /// The dashboard page in headless Chromium
    Page,
    /// A worker and a reader on two threads of headless Chromium
    Threads,
}

#[derive(Args)]
pub(crate) struct WasmDemo {
    /// Listen on this port of the loopback address; 0 takes a free one
    #[arg(long, default_value_t = 8090)]
    pub(crate) port: u16,
}

/// Parses the command line. If it returns `Err`, it has printed the error.
///
/// Prints an error in one line, without the usage that `--help` prints.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.command),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                print!("{error}");
                Err(ExitCode::SUCCESS)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                eprint!("{error}");
                Err(ExitCode::from(BAD_USAGE))
            }
            _ => {
                let text = error.to_string();
                let first: Vec<&str> = text
                    .lines()
                    .map(str::trim)
                    .take_while(|line| !line.is_empty())
                    .collect();
                eprintln!("{} (see --help)", first.join(" "));
                Err(ExitCode::from(BAD_USAGE))
            }
        },
    }
}
