//! The types that this crate uses for a runtime's metrics, and the functions that build them.

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

/// The storage of one runtime's metrics: on the heap, timed by this crate's [`Clock`].
pub type Registry = metrics_core::Registry<HeapStorage, Clock>;
/// Records the events of one worker thread. A scheduler calls its hooks.
pub type Worker = metrics_core::Worker<Arc<Registry>>;
/// Reads the metrics of one runtime. It is cheap to clone, works on any thread, and does not keep the runtime alive.
pub type RuntimeMetrics = metrics_core::RuntimeMetrics<Arc<Registry>, ProcessProbe>;
/// The values of all metrics of one runtime at one moment.
pub type Snapshot = metrics_core::Snapshot<HeapStorage>;

/// The two sides of a new runtime's metrics, as [`build`] returns them.
#[derive(Debug)]
pub struct RuntimeHandles {
    /// The reading side, for any number of threads.
    pub metrics: RuntimeMetrics,
    /// The recording side: one worker per worker thread, by ascending index.
    pub workers: Vec<Worker>,
}

/// The error of the functions that build a runtime's metrics, or the runtime itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration is invalid.
    Config(ConfigError),
    /// A worker could not lease a slot.
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
            // `Display` prints the inner error's text, so the source is that of the inner error.
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

/// The largest number of workers that [`build`] leases at once, each with memory for its own batch. It is above the number of processors
/// of any machine.
const MOST_WORKERS: usize = 1 << 16;

/// Builds the metrics of a runtime whose scheduler calls the hooks: a reader, and one [`Worker`] per worker thread.
///
/// Move each worker to its thread and call its hooks there. If the thread also polls [`Measured`](crate::Measured) futures, call
/// [`enter`](crate::enter) first.
///
/// ```
/// use metrics_std::{Builder, Clock, MetricSet, NoProbe, PollStart, RuntimeHandles};
///
/// let builder = Builder::new().name("mine").workers(1).measures(MetricSet::ALL);
/// let RuntimeHandles { metrics, mut workers } = metrics_std::build(builder, Clock::new(), NoProbe)?;
/// let worker = workers.remove(0);
/// std::thread::spawn(move || {
///     worker.start_processing_scheduled_tasks();
///     worker.start_poll(PollStart::default());
///     // Poll a task here.
///     worker.end_poll();
///     worker.park();
/// })
/// .join()
/// .unwrap();
/// assert_eq!(metrics.poll_count(), Ok(Some(1)));
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
///
/// Readers query `probe` for values that the runtime itself knows, such as the depth of its queues. Pass [`NoProbe`] if there are none.
/// This function sets the start time to now and derives the epoch from it.
///
/// A pool whose number of threads varies leases its workers itself: call [`Worker::lease_any`] with a clone of
/// [`RuntimeMetrics::registry`](metrics_core::RuntimeMetrics::registry). A slot that a thread gives back keeps its totals, and the next
/// thread adds to them.
///
/// # Errors
/// Returns [`BuildError::Config`] if the configuration is invalid, or has more than 65,536 workers.
pub fn build(
    builder: Builder<'_>,
    clock: Clock,
    probe: impl Probe + Send + Sync + 'static,
) -> Result<RuntimeHandles, BuildError> {
    let registry = stamped(builder).build(clock)?;
    let workers = registry.num_workers();
    if workers > MOST_WORKERS {
        return Err(BuildError::Config(ConfigError::TooManyWorkers {
            workers,
            limit: MOST_WORKERS,
        }));
    }
    let workers = (0..workers)
        .map(|index| Worker::lease(Arc::clone(&registry), index))
        .collect::<Result<_, _>>()?;
    let metrics = reader(&Arc::new(RecordingTarget::new(registry)), probe);
    Ok(RuntimeHandles { metrics, workers })
}

/// Builds metrics for an executor that calls no hooks. Only [`Measured`](crate::Measured) futures are recorded.
///
/// ```
/// use metrics_std::{Builder, Clock, Measured, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
/// futures::executor::block_on(Measured::task(&metrics, async {}));
/// assert_eq!(metrics.poll_count(), Ok(Some(1)));
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
///
/// Each thread that polls a measured future leases a slot until it ends, and appears in snapshots as a worker. The executor's number of
/// threads is not known, so `num_workers` is `None`. No hook reports that such a thread becomes idle, so the end of every poll submits, and
/// parks and busy time are `None`. This function sets the start time to now and derives the epoch from it. It replaces the workers, the
/// measured metrics and the submit interval of `builder`.
///
/// # Errors
/// Returns [`BuildError::Config`] if the configuration is invalid.
pub fn build_wrapped(builder: Builder<'_>, clock: Clock) -> Result<RuntimeMetrics, BuildError> {
    // Roots are measured once one is wrapped.
    let polls = MetricSet::worker(&[WorkerNumber::PollCount, WorkerNumber::NestedPolls]);
    // The executor may have tasks that are not wrapped, so the number of alive tasks is not known.
    let tasks = MetricSet::TASKS.without(MetricSet::runtime(&[RuntimeNumber::NumAliveTasks]));
    let builder = builder
        .dynamic_workers()
        .measures(polls.union(tasks))
        .submit_interval(Duration::ZERO);
    let registry = stamped(builder).build(clock)?;
    Ok(reader(&Arc::new(RecordingTarget::new(registry)), NoProbe))
}

pub(crate) fn reader(
    target: &Arc<RecordingTarget>,
    probe: impl Probe + Send + Sync + 'static,
) -> RuntimeMetrics {
    let probe = ProcessProbe::new(Arc::clone(target), probe);
    RuntimeMetrics::with_probe(Arc::clone(&target.registry), probe)
}

/// Sets the start time, from which the core derives an epoch that no other registry of this machine has.
pub(crate) fn stamped(builder: Builder<'_>) -> Builder<'_> {
    // If the system clock is before 1970, the core derives the epoch from the registry's clock.
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return builder;
    };
    let nanos = now.as_nanos() as u64;
    builder.started_at(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::error::Error;

    #[test]
    fn more_workers_than_can_be_leased_at_once_are_refused() {
        for workers in [MOST_WORKERS + 1, 1_000_000, (1 << 30) - 1] {
            let error = build(Builder::new().workers(workers), Clock::instant(), NoProbe).unwrap_err();
            assert!(matches!(
                error,
                BuildError::Config(ConfigError::TooManyWorkers {
                    limit: MOST_WORKERS,
                    ..
                })
            ));
        }
        let dynamic = build(Builder::new().dynamic_workers(), Clock::instant(), NoProbe);
        assert!(dynamic.unwrap().workers.is_empty());
    }

    #[test]
    fn an_error_prints_its_source_once() {
        let refused = std::io::Error::other("no more threads");
        let errors = [
            (BuildError::from(LeaseError::Exhausted), None),
            (BuildError::from(refused), Some("no more threads".to_owned())),
        ];
        for (error, source) in errors {
            let text = error.to_string();
            assert_eq!(error.source().map(ToString::to_string), source);
            assert!(!text.is_empty());
            assert!(source.is_none_or(|source| !text.contains(&source)), "{text}");
        }
    }
}
