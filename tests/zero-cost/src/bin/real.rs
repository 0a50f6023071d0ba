//! The executor with metrics-std.

extern crate metrics_std as metrics;

#[macro_use]
#[path = "../hooks.rs"]
mod hooks;
#[path = "../executor.rs"]
mod executor;

fn main() -> Result<(), metrics::BuildError> {
    hooks::main()
}
