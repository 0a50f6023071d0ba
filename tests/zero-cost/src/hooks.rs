//! The hooks of metrics-std, which the program calls `metrics`.

use metrics::{Builder, Clock, HistogramConfig, NoProbe};

use crate::{executor, metrics};

/// The hook, called.
macro_rules! hook {
    ($call:expr) => {
        $call
    };
}

/// The future, measured.
macro_rules! measured {
    ($metrics:expr, $future:expr) => {
        Measured::task($metrics, $future)
    };
}

pub(crate) fn main() -> Result<(), metrics::BuildError> {
    let clock = Clock::new();
    let description = Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let (reader, workers) = metrics::build(description, clock.clone(), NoProbe)?;
    for worker in workers {
        executor::run(&reader, clock.clone(), worker);
    }
    Ok(())
}
