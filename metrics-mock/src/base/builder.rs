//! Making a registry that keeps nothing.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::time::Duration;

use metrics_core::{ConfigError, CounterSet, Heap, HistogramConfig, Sampling, Supplies, TimeSource};

use super::registry::Registry;

/// Describes a registry. Only the name and the number of workers are kept: by the one a program finds its runtimes, and of the
/// other it makes as many threads.
///
/// Nothing is checked: what metrics-core would refuse, such as zero workers, is accepted here.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<'a> {
    name: &'a str,
    workers: usize,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes what is described and drops it.
macro_rules! ignored {
    ($($(#[$doc:meta])* $name:ident: $kind:ty;)*) => {
        $($(#[$doc])*
        pub const fn $name(self, _: $kind) -> Self {
            self
        })*
    };
}

impl<'a> Builder<'a> {
    /// A builder of one worker.
    pub const fn new() -> Self {
        Self {
            name: "main",
            workers: 1,
        }
    }

    /// The runtime's name.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// The number of workers.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    ignored! {
        /// The layout of the poll-time histogram: there is none.
        poll_time: HistogramConfig;
        /// The layout of the schedule-latency histogram: there is none.
        schedule_latency: HistogramConfig;
        /// The layout of the blocking-queue histogram: there is none.
        blocking_queue_wait: HistogramConfig;
        /// How many polls would be measured.
        poll_time_sampling: Sampling;
        /// How many polls would be measured.
        schedule_latency_sampling: Sampling;
        /// After how long the end of a poll would submit.
        submit_interval: Duration;
        /// The counters that would be supplied.
        counters: CounterSet;
        /// The per-runtime numbers that would be supplied.
        supplies: Supplies;
        /// What would tell this producer from the one before a restart.
        epoch: u64;
        /// When the runtime started.
        started_at: u64;
    }
}

impl Builder<'_> {
    /// Makes the registry.
    ///
    /// # Errors
    /// Never.
    pub fn build<T: TimeSource>(&self, clock: T) -> Result<Arc<Registry<Heap, T>>, ConfigError> {
        Ok(Arc::new(Registry::of(
            Cow::Owned(self.name.into()),
            self.workers,
            clock,
        )))
    }
}

impl Builder<'static> {
    /// Describes a registry for a `static`.
    ///
    /// # Errors
    /// Never.
    pub const fn describe<const WORKERS: usize, const BUCKETS: usize>(
        self,
        ticks_per_second: u64,
        resolution: Duration,
    ) -> Result<Description<WORKERS, BUCKETS>, ConfigError> {
        let _ = (ticks_per_second, resolution);
        Ok(Description { name: self.name })
    }
}

/// A registry's configuration, of which the name is kept.
#[derive(Debug)]
pub struct Description<const WORKERS: usize, const BUCKETS: usize> {
    pub(super) name: &'static str,
}
