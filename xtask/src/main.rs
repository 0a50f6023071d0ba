//! The commands for developing this workspace. `cargo xtask --help` lists them.
//!
//! Each command is a variant in `flags.rs` and a file or directory of its own. `main` only dispatches.

#![allow(
    clippy::std_instead_of_core,
    reason = "a program with std; one import of `time` from both would be noise"
)]

mod bench;
mod children;
mod firmware;
mod flags;
mod libtest;
mod matrix;
mod metadata;
mod mutate;
mod needs;
mod ops;
mod programs;
mod table;
mod targets;
mod tidy;
mod tokio_on_core;
mod toolchain;
mod wasm;
mod workspace;
mod zero_cost;

use std::process::ExitCode;

use flags::Command;

fn main() -> ExitCode {
    let result = match flags::parse() {
        Ok(Command::Bench(flags)) => bench::run(&flags),
        Ok(Command::Demo(_)) => programs::demo(),
        Ok(Command::Firmware(flags)) => firmware::run(&flags),
        Ok(Command::TestMatrix(flags)) => matrix::run(&flags),
        Ok(Command::Tidy(flags)) => tidy::run(&flags),
        Ok(Command::Mutate(flags)) => mutate::run(&flags),
        Ok(Command::Ops) => ops::run(),
        Ok(Command::Soak(flags)) => programs::soak(&flags),
        Ok(Command::ZeroCost) => zero_cost::run(),
        Ok(Command::TokioOnCore) => tokio_on_core::run(),
        Ok(Command::Top(flags)) => programs::top(&flags),
        Ok(Command::Wasm(flags)) => wasm::run(&flags),
        Ok(Command::WasmDemo(flags)) => wasm::demo(&flags),
        Err(exit) => return exit,
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
