//! Types of a server, and how a runtime's metrics are made.

use core::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use core::time::Duration;
use metrics_core::{
    Builder, ConfigError, HeapStorage, LeaseError, MetricSet, NoProbe, Probe, RuntimeNumber, WorkerNumber,
};

use crate::Clock;
use crate::process_probe::ProcessProbe;
use crate::record::target::RecordingTarget;

/// One runtime's metrics, on the heap and by this crate's clock.
pub type Registry = metrics_core::Registry<HeapStorage, Clock>;
/// The recording side of one worker thread.
pub type Worker = metrics_core::Worker<Arc<Registry>>;
/// A reader's handle on one runtime: cheap to clone, usable from any thread, and no reason for the runtime to live.
pub type RuntimeMetrics = metrics_core::RuntimeMetrics<Arc<Registry>, ProcessProbe>;
/// All of one runtime's numbers at one moment.
pub type Snapshot = metrics_core::Snapshot<HeapStorage>;

/// Why a runtime's metrics, or the runtime itself, could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The description can't work.
    Config(ConfigError),
    /// A worker could not be given a slot.
    Lease(LeaseError),
    /// The runtime could not be built: the operating system refused a thread or a driver.
    Runtime(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lease(error) => error.fmt(f),
            Self::Runtime(_) => f.write_str("Tokio could not build the runtime"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Their text is that of this error.
            Self::Config(error) => error.source(),
            Self::Lease(error) => error.source(),
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

/// Makes the metrics of a runtime whose scheduler calls the hooks: the reader, and a [`Worker`] for each worker thread.
///
/// Each thread takes its worker, [`enter`](crate::enter)s it if it also polls wrapped futures, and calls its hooks. `probe` is what
/// readers ask the runtime itself, such as the depth of its queues; [`NoProbe`] where it is asked nothing. Start time and
/// epoch are set to now.
///
/// A pool whose threads come and go leases its workers itself, by [`Worker::lease_any`] with a clone of
/// [`RuntimeMetrics::registry`](metrics_core::RuntimeMetrics::registry): a slot that one thread gave back goes on from its totals for the next.
///
/// # Errors
/// [`BuildError::Config`] where the description can't work.
pub fn build(
    description: Builder<'_>,
    clock: Clock,
    probe: impl Probe + Send + Sync + 'static,
) -> Result<(RuntimeMetrics, Vec<Worker>), BuildError> {
    let registry = stamped(description).build(clock)?;
    let workers = (0..registry.num_workers())
        .map(|index| Worker::lease(Arc::clone(&registry), index))
        .collect::<Result<_, _>>()?;
    Ok((reader(&Arc::new(RecordingTarget::new(registry)), probe), workers))
}

/// Makes the metrics of an executor that calls no hooks: all that is known comes from [`Measured`](crate::Measured) futures.
///
/// Each thread that polls one gets a slot, and so a row in a snapshot, for as long as it lives. Nobody tells when such a thread falls
/// idle, so every poll's end submits, and parks and busy time read `None`. Start time and epoch are set to now; what
/// the description says of workers, counters and the submit interval is replaced by what such an executor has.
///
/// # Errors
/// [`BuildError::Config`] where the description can't work.
pub fn build_wrapped(description: Builder<'_>, clock: Clock) -> Result<RuntimeMetrics, BuildError> {
    let polls = MetricSet::worker(&[
        WorkerNumber::PollCount,
        WorkerNumber::RootPolls,
        WorkerNumber::NestedPolls,
    ]);
    // The executor has tasks that no wrapper sees.
    let tasks = MetricSet::TASKS.without(MetricSet::runtime(&[RuntimeNumber::NumAliveTasks]));
    let description = description
        .workers(1)
        .measures(polls.union(tasks))
        .submit_interval(Duration::ZERO);
    let registry = stamped(description).build(clock)?;
    Ok(reader(&Arc::new(RecordingTarget::new(registry)), NoProbe))
}

fn reader(target: &Arc<RecordingTarget>, probe: impl Probe + Send + Sync + 'static) -> RuntimeMetrics {
    let probe = ProcessProbe::new(Arc::clone(target), probe);
    RuntimeMetrics::with_probe(Arc::clone(&target.registry), probe)
}

/// With a start time, from which the core makes an epoch that no other registry of this machine has.
pub(crate) fn stamped(description: Builder<'_>) -> Builder<'_> {
    // A clock before 1970 leaves the core to make the epoch from the reading of the registry's clock.
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return description;
    };
    let nanos = now.as_nanos() as u64;
    description.started_at(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::error::Error;

    #[test]
    fn an_error_prints_its_source_once() {
        let refused = std::io::Error::other("no more threads");
        let errors = [BuildError::from(LeaseError::Exhausted), BuildError::from(refused)];
        for error in errors {
            let text = error.to_string();
            let source = error.source().map(ToString::to_string);
            assert!(source.is_none_or(|source| !text.contains(&source)), "{text}");
        }
    }
}
