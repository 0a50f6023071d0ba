//! [`RuntimeCollector`] passes snapshots to `prometheus-client`'s encoder.

use super::encode::{Shape, encode};
use super::reading::{Exported, Listed, Source};
use crate::{Runtimes, Snapshot};
use core::cell::Cell;
use core::fmt;
use core::num::NonZeroUsize;
use metrics_core::{HeapStorage, Probe, RECORDING, RegistryRef, RuntimeMetrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Exports the metrics of one or more runtimes through a `prometheus-client` registry.
///
/// ```
/// use metrics_core::{Builder, RuntimeMetrics};
/// use metrics_std::prometheus::{Format, RuntimeCollector};
/// use prometheus_client::registry::Registry;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Builder::new().name("main").workers(2).build(metrics_core::NoClock)?;
/// let mut exported = Registry::default();
/// exported.register_collector(Box::new(RuntimeCollector::new(RuntimeMetrics::new(registry))));
///
/// let mut page = String::new();
/// Format::Text.write(&mut page, &exported)?;
/// assert!(page.contains(r#"async_runtime_workers{runtime="main"} 2"#));
/// # Ok(())
/// # }
/// ```
///
/// Register only one collector per `prometheus-client` registry, because two collectors must not export the same metric. Build it
/// [from a list](Self::of_all) of runtimes, or [add](Self::with_runtime) each runtime to it.
///
/// A scrape takes one snapshot per runtime and resets nothing, so several scrapers do not affect each other. The collector does not keep
/// a runtime alive. A [`Probe`] that scrapes the collector that is reading it gets an error.
///
/// A metric that a runtime does not measure is left out. Each metric has the name of
/// [`Metric::exported`](metrics_core::Metric::exported) and the label `runtime`, the registry's name. Durations are in seconds.
///
/// Worker metrics are exported as sums over the workers. Call [`each_worker`](Self::each_worker) to export them per worker instead,
/// including those that have no sum, such as a worker's state.
///
/// A histogram has at most [`DEFAULT_BUCKETS`](Self::DEFAULT_BUCKETS) buckets. Their bounds depend only on the histogram's layout, so
/// histograms of several processes can be added. `le` is inclusive.
pub struct RuntimeCollector {
    sources: Vec<Box<dyn Source>>,
    max_buckets: usize,
    each_worker: bool,
}

/// The error of [`RuntimeCollector::with_runtime`]: the collector already exports a runtime with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: String,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a runtime named {:?} is already exported: give each registry its own name",
            self.name
        )
    }
}

impl core::error::Error for DuplicateName {}

impl RuntimeCollector {
    /// The default of [`max_buckets`](Self::max_buckets).
    pub const DEFAULT_BUCKETS: usize = 20;

    /// Creates a collector that exports one runtime.
    pub fn new<R, P>(metrics: RuntimeMetrics<R, P>) -> Self
    where
        R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
        P: Probe + Clone + Send + Sync + 'static,
    {
        Self::of(Exported::new(metrics))
    }

    /// Creates a collector that exports every runtime that the list contains at the time of the scrape, including those added later.
    ///
    /// ```
    /// use metrics_std::prometheus::RuntimeCollector;
    /// use metrics_std::{Builder, Clock, Runtimes, build_wrapped};
    /// use prometheus_client::registry::Registry;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut exported = Registry::default();
    /// exported.register_collector(Box::new(RuntimeCollector::of_all(Runtimes::process())));
    ///
    /// // Where a runtime is built, with the adapter for Tokio or as here:
    /// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
    /// Runtimes::process().add(&metrics)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_all<R, P>(list: &Runtimes<R, P>) -> Self
    where
        R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
        P: Probe + Clone + Send + Sync + 'static,
    {
        Self::of(Listed::new(list))
    }

    fn of(source: impl Source + 'static) -> Self {
        Self {
            sources: vec![Box::new(source)],
            max_buckets: Self::DEFAULT_BUCKETS,
            each_worker: false,
        }
    }

    /// Adds a runtime to those that the collector exports.
    ///
    /// # Errors
    /// Returns [`DuplicateName`] if the collector already exports a runtime with that name. If a runtime with that name is added later to
    /// the list of [`of_all`](Self::of_all), that one is exported in place of this one.
    pub fn with_runtime<R, P>(mut self, metrics: RuntimeMetrics<R, P>) -> Result<Self, DuplicateName>
    where
        R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
        P: Probe + Clone + Send + Sync + 'static,
    {
        if self.names().iter().any(|name| name == metrics.name()) {
            return Err(DuplicateName {
                name: metrics.name().to_owned(),
            });
        }
        self.sources.push(Box::new(Exported::new(metrics)));
        Ok(self)
    }

    fn names(&self) -> Vec<String> {
        self.sources.iter().flat_map(|source| source.names()).collect()
    }

    /// Limits the number of buckets of an exported histogram, including the one up to `+Inf`.
    ///
    /// Fewer buckets make scrapes smaller and quantiles less precise. A change of the limit changes `le` for every series: queries over a
    /// range that includes the change see two sets of buckets.
    #[must_use]
    pub fn max_buckets(mut self, max_buckets: NonZeroUsize) -> Self {
        self.max_buckets = max_buckets.get();
        self
    }

    /// Exports worker metrics per worker instead of as sums. The label `worker` is the worker's index, or `external` for the threads that
    /// poll the runtime's tasks but are not its workers.
    ///
    /// The size of a scrape grows with the number of workers. Histograms make up most of it.
    #[must_use]
    pub fn each_worker(mut self, yes: bool) -> Self {
        self.each_worker = yes;
        self
    }
}

impl fmt::Debug for RuntimeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeCollector")
            .field("runtimes", &self.names())
            .field("max_buckets", &self.max_buckets)
            .field("each_worker", &self.each_worker)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static ENCODING: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as encoding, until it is dropped.
struct Encoding;

impl Encoding {
    /// Returns `None` if this thread is already encoding: a probe that scrapes the exporter that reads it would recurse without end.
    fn begin() -> Option<Self> {
        (!ENCODING.replace(true)).then_some(Self)
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        ENCODING.set(false);
    }
}

impl Collector for RuntimeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let _encoding = Encoding::begin().ok_or(fmt::Error)?;
        if !RECORDING {
            return Ok(());
        }
        let mut read = Vec::new();
        for source in &self.sources {
            source.read(&mut read);
        }
        let mut snapshots: Vec<Snapshot> = Vec::with_capacity(read.len());
        for snapshot in read {
            if !snapshots.iter().any(|first| first.name() == snapshot.name()) {
                snapshots.push(snapshot);
            }
        }
        let shape = Shape {
            max_buckets: self.max_buckets,
            each_worker: self.each_worker,
        };
        encode(snapshots.iter(), shape, &mut encoder)
    }
}
