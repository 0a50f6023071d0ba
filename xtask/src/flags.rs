//! The command line, in one place.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// What a wrong command line exits with, as `clap` and most Unix tools do.
pub(crate) const BAD_USAGE: u8 = 2;

/// What a command exits with that ran to its end.
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
    /// Measure every comparison with its peers side by side, and judge the goals
    Bench(Bench),
    /// Watch an axum service on Tokio live, under real load
    Demo(crate::demo::Cli),
    /// Run firmware in QEMU, show its table of tasks, and weigh what metrics cost it
    Firmware(crate::firmware::Cli),
    /// Prove the numbers on every kind of target: run the rows of the test matrix
    TestMatrix(TestMatrix),
    /// Check what a machine can check about the tree: documents, manifests, lengths of files
    Tidy(Tidy),
    /// Break every invariant on purpose, one after the other, and require a test to notice
    Mutate(Mutate),
    /// Count the instructions of one executor without metrics and with them
    ZeroCost,
    /// Build the npm package for JavaScript hosts, test what is made of it, measure what it costs
    Wasm(Wasm),
    /// Build and serve the dashboard over a workload in the page
    WasmDemo(WasmDemo),
}

#[derive(Args)]
pub(crate) struct Bench {
    /// Fewer and shorter rounds: under two minutes once built
    #[arg(long)]
    pub(crate) quick: bool,
    /// Count instructions only, and compare them with the committed counts of this compiler
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Commit the instruction counts of this run instead of comparing them
    #[arg(long, requires = "instructions")]
    pub(crate) bless: bool,
    /// Write the rows to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Only these rows, or groups of rows
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Args)]
pub(crate) struct TestMatrix {
    /// Show the rows, their targets and what they prove, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Run only this row; may be given again
    #[arg(long = "row", value_name = "NAME")]
    pub(crate) rows: Vec<String>,
    /// Write the results to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Install nothing; a row that lacks something is skipped
    #[arg(long)]
    pub(crate) no_install: bool,
    /// A row that can't run is a failure
    #[arg(long)]
    pub(crate) require_all: bool,
}

#[derive(Args)]
pub(crate) struct Tidy {
    /// Put right what a machine can put right
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Args)]
pub(crate) struct Mutate {
    /// Show the mutations and what they break, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Run only this mutation; may be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Wasm {
    /// Run these tests in place of building the package; may be given again
    #[arg(long = "test", value_name = "WHAT")]
    pub(crate) tests: Vec<WasmTest>,
    /// Let the page's test write docs/dashboard.png, the picture of the READMEs
    #[arg(long, requires = "tests")]
    pub(crate) picture: bool,
    /// Measure what a wrapped poll costs, in Node and in Chromium
    #[arg(long, conflicts_with = "tests")]
    pub(crate) bench: bool,
    /// Write what was measured to this file as JSON
    #[arg(long, value_name = "FILE", requires = "bench")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WasmTest {
    /// What metrics add to the module of a small app
    Size,
    /// The npm package in Node, and its types
    Package,
    /// The dashboard page in headless Chromium
    Page,
}

#[derive(Args)]
pub(crate) struct WasmDemo {
    /// Listen on this port of the loopback address; 0 takes a free one
    #[arg(long, default_value_t = 8090)]
    pub(crate) port: u16,
}

/// Parses the command line; an error has been printed when this returns `Err`.
///
/// A mistake is told in one line: whoever made it wants to know what was wrong, and `--help` has the rest.
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
