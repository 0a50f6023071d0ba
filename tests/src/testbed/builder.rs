//! Configuration of a testbed runtime.

use std::io;
use std::sync::Arc;

use super::metrics::{self, MetricSet, WorkerNumber};
use super::probe::TestbedProbe;
use super::runtime::{Flavor, Runtime};
use super::shared::Shared;

/// How large the parts are.
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
    /// A work-stealing runtime with so many worker threads.
    pub fn multi_thread(workers: usize) -> Builder {
        Builder::new(Flavor::MultiThread, workers)
    }

    /// A runtime whose one worker is the thread that calls `block_on`.
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

    /// Tasks that a local queue holds before it overflows, beside the one in the LIFO slot. 256 by default.
    #[must_use]
    pub fn local_queue_capacity(mut self, tasks: usize) -> Builder {
        self.limits.local_queue_capacity = tasks;
        self
    }

    /// The most threads that the blocking pool starts. 512 by default.
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
    /// A metrics configuration that can't work, as `InvalidInput`, and what the operating system says to the I/O
    /// driver.
    pub fn build(self, clock: metrics::Clock) -> io::Result<Runtime> {
        let probe = TestbedProbe::default();
        // Workers are leased by the threads that run them, not all at once.
        let (metrics, _) = metrics::build(
            self.metrics.measures(self.limits.measures()),
            clock,
            probe.clone(),
        )
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (shared, cores) = Shared::new(Arc::clone(metrics.registry()), &self.limits)?;
        probe.learn(&shared);
        Ok(Runtime::start(shared, cores, metrics))
    }
}

impl Limits {
    /// What this flavour measures. A reader gets `None` for the rest.
    fn measures(&self) -> MetricSet {
        match self.flavor {
            Flavor::CurrentThread => MetricSet::ALL,
            // The thread that blocks on this flavour is no worker.
            Flavor::MultiThread => MetricSet::ALL.without(MetricSet::worker(&[WorkerNumber::RootPolls])),
        }
    }
}
