//! An axum service on stable Tokio under real load, with live metrics of its runtime.
//!
//! ```text
//! cargo xtask demo [--seconds N] [--json] [--port P]
//! ```
//!
//! `service.rs` is written as an application would be. The other files send the load, show the metrics, and count
//! independently what the metrics count.

#![allow(
    clippy::std_instead_of_core,
    reason = "a program with std; one import of `time` from both would be noise"
)]

mod cli;
mod load;
#[cfg(test)]
mod picture;
mod report;
mod sample;
mod service;
mod show;
mod stalls;
mod witness;

use anyhow::{Context, Result};
use clap::Parser;
use clap::error::ErrorKind;
use cli::Cli;
use load::Load;
use metrics_std::overload::watch_overload;
use metrics_std::tokio::{
    DEFAULT_LAG_PERIOD, MeasuredRuntime, TokioAdapter, watch_loop_lag, watch_wake_latency,
};
use metrics_std::{RuntimeMetrics, Snapshot, WorkerState};
use report::{Report, RequestReport};
use sample::Sampler;
use show::Show;
use stalls::Stalls;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use witness::{Testimony, Witness};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A wrong flag is reported in one line. Help may take several lines and is not an error.
fn refuse(error: &clap::Error) -> ExitCode {
    if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = error.kind() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    eprintln!(
        "{} (see --help)",
        text.lines().next().unwrap_or("error: bad arguments")
    );
    ExitCode::from(2)
}

fn run(cli: Cli) -> Result<()> {
    let start = Instant::now();
    // Steps that can fail come before the first drawing.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, cli.port))
        .with_context(|| format!("can't listen on 127.0.0.1:{}", cli.port))?;
    let address = listener.local_addr().context("a bound socket has no address")?;
    let interrupted = on_interrupt()?;

    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(workers(&cli))
        .thread_name("worker")
        .enable_all();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .name("main")
        .configure(|builder| {
            builder
                .locations(service::LOCATIONS)
                .census()
                .flight_recorder(EVENTS)
        })
        .build(&mut builder)?;
    let witness = Witness::new(start);
    let (stalls, _watchdog) = Stalls::watch(&metrics, start).context("can't watch for stalls")?;
    let _loop_lag = watch_loop_lag(&spawner, DEFAULT_LAG_PERIOD);
    let _wake_latency = watch_wake_latency(&spawner, DEFAULT_LAG_PERIOD).context("can't measure wakes")?;
    let _overload = watch_overload(&metrics, OVERLOAD.0, OVERLOAD.1).context("can't watch for overload")?;
    let (stop, stopped) = oneshot::channel();
    let server = service::start(listener, &metrics, &spawner, &witness, stopped)?;

    let before = metrics.snapshot();
    let load = Load::start(address, cli.rate).context("can't start the load")?;
    let mut sampler = Sampler::new(&metrics, address.to_string());
    let mut show = Show::open(&cli, address)?;
    let shown = show.every_second(duration(&cli), &interrupted, || {
        sampler.sample(start.elapsed(), load.answered(), &stalls)
    });
    // The terminal is restored before any message is printed, also after an error.
    drop(show);
    shown?;

    let sent = load.finish().context("the load failed")?;
    drop(stop);
    // A peer could otherwise keep a connection open in the middle of a request.
    let _ = runtime.block_on(async { tokio::time::timeout(PATIENCE, server).await });
    let (snapshot, independent) = at_rest(&metrics, &witness);
    let report = Report {
        requests: RequestReport { sent, independent },
        interval: snapshot.since(&before)?,
        snapshot,
        stalls: stalls.all(),
    };
    print(&report, cli.json)?;
    runtime.shutdown_background();
    Ok(())
}

fn workers(cli: &Cli) -> usize {
    let processors = || std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2));
    cli.workers.map_or_else(processors, usize::from)
}

/// Returns how long to run, or `None` to run until the user ends it. With `--json` the default is ten seconds.
fn duration(cli: &Cli) -> Option<Duration> {
    cli.seconds.or(cli.json.then_some(10)).map(Duration::from_secs)
}

/// The number of events that each worker keeps.
const EVENTS: usize = 4_095;

/// The delay that is acceptable at all times, and the longest burst to absorb.
const OVERLOAD: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How long the shutdown waits for open requests and for the runtime to become idle.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads both counts while the runtime is idle: every worker is parked before and after the reads, and
/// nothing is polled in between. A worker submits before it parks, so both counts are then complete.
///
/// A request that is still open may keep the runtime busy. After a timeout the counts are read anyway, and may differ by
/// the polls in progress.
fn at_rest(metrics: &RuntimeMetrics, witness: &Witness) -> (Snapshot, Testimony) {
    let all_parked = || {
        let mut workers = (0..metrics.num_workers().unwrap_or(0)).map(|worker| metrics.live(worker));
        workers.all(|live| live.is_some_and(|live| live.state == WorkerState::Parked))
    };
    let give_up = Instant::now() + PATIENCE;
    loop {
        let idle = all_parked();
        let (then, snapshot, now) = (witness.testify(), metrics.snapshot(), witness.testify());
        if (idle && then.polls == now.polls && all_parked()) || Instant::now() > give_up {
            return (snapshot, now);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a message on Ctrl-C or a termination signal. In raw mode Ctrl-C is a key and does not arrive here.
fn on_interrupt() -> Result<Receiver<()>> {
    let (sender, interrupted) = mpsc::channel();
    // The receiver is dropped once the shutdown has begun. A further message is then not needed.
    let tell = move || {
        let _ = sender.send(());
    };
    ctrlc::set_handler(tell).context("can't listen for Ctrl-C")?;
    Ok(interrupted)
}

fn print(report: &Report, json: bool) -> Result<()> {
    let mut stdout = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut stdout, report)?;
        writeln!(stdout)?;
    } else {
        writeln!(stdout, "{}", report.summary())?;
    }
    Ok(())
}
