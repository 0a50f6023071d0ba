//! One side of a comparison at a time, for `cargo xtask bench`, which runs this program in four builds (on stable
//! Tokio, without the feature `record`, with `--cfg tokio_unstable`, and with the feature `hotpath`) and lets their sides alternate.
//!
//! ```text
//! bench-programs list             the sides that this build has, one per line
//! bench-programs serve SEED       reads `NAME MICROSECONDS` lines; answers each with nanoseconds per operation
//! bench-programs count NAME       does a fixed number of operations once, for callgrind; prints how many it did
//! ```

#![allow(
    clippy::disallowed_types,
    reason = "runs on servers, where peers use these atomics too"
)]
#![allow(clippy::std_instead_of_core, reason = "a program with std")]

// With `--cfg tokio_unstable` the adapter takes Tokio's task hooks instead of a wrapper.
#[cfg(not(tokio_unstable))]
mod adapter;
mod clock;
mod flight;
mod getters;
mod harness;
#[cfg(unix)]
mod lag;
mod memory;
mod ours;
mod page;
mod polls;
mod reader;
mod record;
mod serve;
mod snapshot;
#[cfg(not(tokio_unstable))]
mod spawns;
mod submit;
mod tasks;
mod testbed;
mod values;
mod yielding;

use harness::Named;
use std::process::ExitCode;

/// Every side of this build.
fn sides() -> Vec<Named> {
    [
        #[cfg(not(tokio_unstable))]
        adapter::SIDES,
        clock::SIDES,
        flight::SIDES,
        getters::SIDES,
        #[cfg(unix)]
        lag::SIDES,
        memory::SIDES,
        page::SIDES,
        polls::SIDES,
        submit::SIDES,
        reader::SIDES,
        record::SIDES,
        snapshot::SIDES,
        #[cfg(not(tokio_unstable))]
        spawns::SIDES,
        tasks::SIDES,
        yielding::SIDES,
    ]
    .concat()
}

fn find(name: &str) -> Result<Named, String> {
    sides()
        .into_iter()
        .find(|side| side.name == name)
        .ok_or_else(|| format!("no side named {name}"))
}

fn run(args: &[String]) -> Result<(), String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["list"] => {
            for side in sides() {
                println!("{}", side.name);
            }
            Ok(())
        }
        ["serve", seed] => serve::serve(seed.parse().map_err(|_| format!("not a seed: {seed}"))?),
        ["count", name] => {
            println!("{}", serve::count(find(name)?));
            Ok(())
        }
        _ => Err("usage: bench-programs list | serve SEED | count NAME".into()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench-programs: {message}");
            ExitCode::FAILURE
        }
    }
}
