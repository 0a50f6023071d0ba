//! Types of a server, and how a runtime's metrics would be made.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use metrics_core::{ConfigError, Heap, LeaseError, Probe};

use super::clock::Clock;
use super::host::Host;
use crate::base::{self, Builder};

/// One runtime's metrics: none.
pub type Registry = base::Registry<Heap, Clock>;
/// The recording side of one worker thread, without size.
pub type Worker = base::Worker<Arc<Registry>>;
/// A reader's handle on one runtime, whose every answer is `None`.
pub type RuntimeMetrics = base::RuntimeMetrics<Arc<Registry>, Host>;
/// All of one runtime's numbers at one moment: none.
pub type Snapshot = base::Snapshot<Heap>;

/// Why a runtime could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The description can't work. Not given: nothing is checked.
    Config(ConfigError),
    /// A worker could not be given a slot. Not given: there is no slot to give.
    Lease(LeaseError),
    /// The runtime could not be built: the operating system refused a thread or a driver.
    Runtime(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lease(error) => error.fmt(f),
            Self::Runtime(error) => write!(f, "the runtime could not be built: {error}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Lease(error) => Some(error),
            Self::Runtime(error) => Some(error),
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<LeaseError> for BuildError {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<std::io::Error> for BuildError {
    fn from(error: std::io::Error) -> Self {
        Self::Runtime(error)
    }
}

/// A reader, and as many [`Worker`]s as are described. The probe is dropped.
///
/// # Errors
/// Never.
pub fn build(
    description: Builder<'_>,
    clock: Clock,
    _probe: impl Probe + Send + Sync + 'static,
) -> Result<(RuntimeMetrics, Vec<Worker>), BuildError> {
    let metrics = build_wrapped(description, clock)?;
    let workers = (0..metrics.num_workers())
        .map(|index| Worker::lease(Arc::clone(metrics.registry()), index))
        .collect::<Result<_, _>>()?;
    Ok((metrics, workers))
}

/// A reader.
///
/// # Errors
/// Never.
pub fn build_wrapped(description: Builder<'_>, clock: Clock) -> Result<RuntimeMetrics, BuildError> {
    Ok(RuntimeMetrics::with_probe(description.build(clock)?, Host::new()))
}
