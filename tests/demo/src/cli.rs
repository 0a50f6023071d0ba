//! The demo's command line. `cargo xtask demo` parses its flags with this file too, so that
//! a wrong flag is reported before the release build.

use clap::Parser;

/// An axum service on Tokio under real load, with live metrics of its runtime.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "demo", version)]
pub(crate) struct Cli {
    /// Stop after this many seconds (without it: at Ctrl-C).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: Option<u64>,

    /// Print only one JSON document at the end (without --seconds: after 10 seconds).
    #[arg(long)]
    pub(crate) json: bool,

    /// Listen on this port of 127.0.0.1 (0: any free one).
    #[arg(long, value_name = "P", default_value_t = 3000)]
    pub(crate) port: u16,

    /// Send this many requests per second.
    #[arg(long, value_name = "R", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,

    /// Run the service on this many worker threads (without it: one per processor, at least two).
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
}
