//! Configuration of a testbed runtime.

use std::io;
use std::sync::Arc;

use super::metrics::{self, MetricSet, WorkerNumber};
use super::probe::TestbedProbe;
use super::runtime::{Flavor, Runtime};
use super::shared::Shared;

/// The sizes of the runtime's parts.
pub(super) struct Limits {
    pub(super) flavor: Flavor,
    pub(super) workers: usize,
    pub(super) local_queue_capacity: usize,
    pub(super) blocking_threads: usize,
}

/// Builds a [`Runtime`].
pub struct Builder {
    limits: Limits,
    metrics: metrics::Builder<'static>,
}

impl Builder {
    /// Creates a builder of a work-stealing runtime with this many worker threads.
    pub fn multi_thread(workers: usize) -> Builder {
        Builder::new(Flavor::MultiThread, workers)
    }

    /// Creates a builder of a runtime whose only worker is the thread that calls `block_on`.
    pub fn current_thread() -> Builder {
        Builder::new(Flavor::CurrentThread, 1)
    }

    fn new(flavor: Flavor, workers: usize) -> Builder {
        let limits = Limits {
            flavor,
            workers,
            local_queue_capacity: 256,
            blocking_threads: 512,
        };
        Builder {
            limits,
            metrics: metrics::Builder::new().workers(workers),
        }
    }

    /// Sets the capacity of a local queue without the LIFO slot. The default is 256.
    #[must_use]
    pub fn local_queue_capacity(mut self, tasks: usize) -> Builder {
        self.limits.local_queue_capacity = tasks;
        self
    }

    /// Sets the maximum number of threads of the blocking pool. The default is 512.
    #[must_use]
    pub fn max_blocking_threads(mut self, threads: usize) -> Builder {
        self.limits.blocking_threads = threads;
        self
    }

    /// Configures the metrics: names, histograms, the interval between two submits.
    #[must_use]
    pub fn metrics(
        mut self,
        configure: impl FnOnce(metrics::Builder<'static>) -> metrics::Builder<'static>,
    ) -> Builder {
        self.metrics = configure(self.metrics);
        self
    }

    /// Starts the runtime on a clock.
    ///
    /// # Errors
    /// Returns `InvalidInput` if the metrics configuration is invalid, and the errors of the operating system for the I/O
    /// driver.
    pub fn build(self, clock: metrics::Clock) -> io::Result<Runtime> {
        let probe = TestbedProbe::default();
        // Each thread leases its worker when it starts to run it.
        let built = metrics::build(
            self.metrics.measures(self.limits.measures()),
            clock,
            probe.clone(),
        )
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let metrics = built.metrics;
        let (shared, cores) = Shared::new(Arc::clone(metrics.registry()), &self.limits)?;
        probe.learn(&shared);
        Ok(Runtime::start(shared, cores, metrics))
    }
}

impl Limits {
    /// Returns the metrics that this flavour measures. Others are `None`.
    fn measures(&self) -> MetricSet {
        match self.flavor {
            Flavor::CurrentThread => MetricSet::ALL,
            // On this flavour, the thread that calls `block_on` is not a worker.
            Flavor::MultiThread => MetricSet::ALL.without(MetricSet::worker(&[WorkerNumber::RootPolls])),
        }
    }
}
