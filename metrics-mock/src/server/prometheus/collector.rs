//! A collector that collects nothing.

use alloc::string::String;
use core::fmt;
use core::num::NonZeroUsize;

use metrics_core::{Heap, Probe};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::base::{RegistryRef, RuntimeMetrics};
use crate::server::Runtimes;

/// A collector of runtime metrics, of which there are none. It writes nothing, not even a family's name.
pub struct RuntimeCollector(());

/// Two runtimes of one name. Not given: no name is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: String,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a runtime named {:?} is exported already", self.name)
    }
}

impl core::error::Error for DuplicateName {}

impl RuntimeCollector {
    /// The most buckets that metrics-std exports a histogram with by default.
    pub const DEFAULT_BUCKETS: usize = 20;

    /// A collector of nothing.
    pub fn new<R, P>(_metrics: RuntimeMetrics<R, P>) -> Self
    where
        R: RegistryRef<Storage = Heap> + Send + Sync + 'static,
        P: Probe + Send + Sync + 'static,
    {
        Self(())
    }

    /// A collector of nothing in the list.
    pub fn of_all(_list: &Runtimes) -> Self {
        Self(())
    }

    /// Exports nothing of another runtime too.
    ///
    /// # Errors
    /// Never.
    pub fn with_runtime<R, P>(self, _metrics: RuntimeMetrics<R, P>) -> Result<Self, DuplicateName>
    where
        R: RegistryRef<Storage = Heap> + Send + Sync + 'static,
        P: Probe + Send + Sync + 'static,
    {
        Ok(self)
    }

    /// Changes nothing.
    #[must_use]
    pub fn max_buckets(self, _max_buckets: NonZeroUsize) -> Self {
        self
    }

    /// Changes nothing.
    #[must_use]
    pub fn histograms_of_each_worker(self, _yes: bool) -> Self {
        self
    }
}

impl fmt::Debug for RuntimeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeCollector").finish_non_exhaustive()
    }
}

impl Collector for RuntimeCollector {
    fn encode(&self, _encoder: DescriptorEncoder<'_>) -> fmt::Result {
        Ok(())
    }
}
