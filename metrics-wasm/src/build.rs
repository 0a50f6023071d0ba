//! Builds the metrics of an executor whose scheduler calls the hooks itself.

use crate::clock::PerformanceClock;
use crate::runtime::{RuntimeMetrics, Worker};
use core::error::Error;
use core::fmt;
use metrics_core::{Builder, ConfigError, LeaseError, Probe, TimeSource};
use std::sync::Arc;

/// Builds the metrics of an executor of this thread that calls the hooks itself: a reader, and the worker with the hooks.
///
/// ```no_run
/// use metrics_wasm::metrics_core::{Builder, MetricSet, NoProbe, PollStart};
/// use metrics_wasm::{HistogramConfig, PerformanceClock, no_finer_than};
/// use metrics_wasm::metrics_core::TimeSource;
///
/// let clock = PerformanceClock::detect();
/// let layout = no_finer_than(HistogramConfig::DEFAULT, clock.resolution());
/// let builder = Builder::new().name("mine").poll_time(layout).measures(MetricSet::ALL);
/// let (metrics, worker) = metrics_wasm::build(builder, clock, NoProbe)?;
/// worker.start_processing_scheduled_tasks();
/// worker.start_poll(PollStart::default());
/// // Poll a task here.
/// worker.end_poll();
/// worker.park();
/// assert_eq!(metrics.poll_count(), Ok(Some(1)));
/// # Ok::<(), metrics_wasm::BuildError>(())
/// ```
///
/// Readers query `probe` for values that the executor itself knows, such as the depth of its queue. Pass
/// [`NoProbe`](metrics_core::NoProbe) if there are none. This function sets the start time to now and derives the epoch from it.
///
/// # Errors
/// Returns [`BuildError::Config`] if the configuration is invalid.
pub fn build<P: Probe>(
    builder: Builder<'_>,
    clock: PerformanceClock,
    probe: P,
) -> Result<(RuntimeMetrics<P>, Worker), BuildError> {
    let builder = if clock.available() {
        builder.started_at(clock.now().ticks())
    } else {
        builder
    };
    let registry = builder.build(clock).map_err(BuildError::Config)?;
    let worker = Worker::lease(Arc::clone(&registry), 0).map_err(BuildError::Lease)?;
    Ok((RuntimeMetrics::with_probe(registry, probe), worker))
}

/// The error of [`build`] and of [`MonitorBuilder::build`](crate::MonitorBuilder::build).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The registry does not accept the settings.
    Config(ConfigError),
    /// The registry has no worker to lease.
    Lease(LeaseError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lease(error) => error.fmt(f),
        }
    }
}

impl Error for BuildError {}
