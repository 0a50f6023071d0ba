//! The programs that call every hook. The hooks record with the feature `record` and do nothing without it.

extern crate metrics_std as metrics;

use metrics::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics::{Builder, Clock, HistogramConfig, MetricSet, NoProbe, RuntimeHandles};
use tokio::runtime::Runtime;

/// Calls the hooks.
macro_rules! hooks {
    ($($code:tt)*) => { $($code)* };
}

/// Wraps the future.
macro_rules! measured {
    ($metrics:expr, $future:expr) => {
        Measured::task($metrics, $future)
    };
}

#[path = "../executor.rs"]
mod executor;
#[path = "../static_loop.rs"]
mod static_loop;
#[path = "../tokio_tasks.rs"]
mod tokio_tasks;

type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

fn main() -> Result<()> {
    let program = std::env::args().nth(2);
    let polls = match program.as_deref() {
        Some("static") => static_loop::run(),
        Some("tokio") => tokio_tasks::run(tokio()?),
        _ => worker()?,
    };
    println!("{polls}");
    Ok(())
}

fn worker() -> Result<u64> {
    let clock = Clock::new();
    let builder = Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let RuntimeHandles {
        metrics: reader,
        mut workers,
    } = metrics::build(builder, clock.clone(), NoProbe)?;
    let worker = workers.pop().ok_or("no worker")?;
    Ok(executor::run(&reader, clock, worker))
}

fn tokio() -> Result<(Runtime, Spawner)> {
    let MeasuredRuntime { runtime, spawner, .. } =
        TokioAdapter::builder().build(&mut tokio::runtime::Builder::new_current_thread())?;
    Ok((runtime, spawner))
}
