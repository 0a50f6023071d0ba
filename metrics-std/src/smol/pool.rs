//! [`Pool`]: the metrics of one executor, and the number of threads that run it.

use std::sync::Arc;

use metrics_core::{Builder, LocationId, MetricSet, Probe, RECORDING, WorkerNumber};
use portable_atomic::{AtomicUsize, Ordering};

use crate::build::{BuildError, RuntimeMetrics, reader, stamped};
use crate::record::target::RecordingTarget;
use crate::{Clock, Measured};

/// What both kinds of executors measure.
pub(super) struct Pool {
    pub(super) metrics: RuntimeMetrics,
    /// The number of threads that are workers.
    pub(super) workers: Arc<AtomicUsize>,
}

impl Pool {
    pub(super) fn new(builder: Builder<'_>, clock: Clock) -> Result<Arc<Self>, BuildError> {
        let numbers = MetricSet::worker(&[
            WorkerNumber::PollCount,
            WorkerNumber::NestedPolls,
            WorkerNumber::BusyDurationTotal,
            WorkerNumber::ParkCount,
            WorkerNumber::ParkUnparkCount,
            WorkerNumber::ParkedDurationTotal,
            WorkerNumber::PollingDurationTotal,
        ]);
        let builder = builder
            .dynamic_workers()
            .measures(numbers.union(MetricSet::TASKS));
        let registry = stamped(builder).build(clock)?;
        let workers = Arc::default();
        let probe = Workers(Arc::clone(&workers));
        let metrics = reader(&Arc::new(RecordingTarget::new(registry)), probe);
        Ok(Arc::new(Self { metrics, workers }))
    }

    pub(super) fn target(&self) -> &Arc<RecordingTarget> {
        self.metrics.probe().target()
    }

    /// Wraps a task that is about to be spawned.
    pub(super) fn task<F>(&self, location: LocationId, future: F) -> Measured<F> {
        Measured::counted(self.target(), future, location)
    }
}

/// Reports the number of threads that run the executor.
struct Workers(Arc<AtomicUsize>);

impl Probe for Workers {
    fn num_workers(&self) -> Option<usize> {
        // Ordering: relaxed: no other data depends on the number.
        let workers = self.0.load(Ordering::Relaxed);
        (RECORDING && workers > 0).then_some(workers)
    }
}
