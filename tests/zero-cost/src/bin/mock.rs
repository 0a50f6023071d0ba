//! The executor with metrics-mock in the place of metrics-std.

extern crate metrics_mock as metrics;

#[macro_use]
#[path = "../hooks.rs"]
mod hooks;
#[path = "../executor.rs"]
mod executor;

fn main() -> Result<(), metrics::BuildError> {
    hooks::main()
}
