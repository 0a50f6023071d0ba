//! The collector: from snapshots to `prometheus-client`'s encoder.

use super::encode::{Shape, encode};
use super::reading::{Exported, Listed, Source};
use crate::{Runtimes, Snapshot};
use core::cell::Cell;
use core::fmt;
use core::num::NonZeroUsize;
use metrics_core::{HeapStorage, Probe, RECORDING, RegistryRef, RuntimeMetrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Exports the metrics of one runtime or of several.
///
/// Register one collector with a `prometheus-client` registry, [of all](Self::of_all) runtimes of the process or with every
/// runtime [added](Self::with_runtime) to it: a family must not come from two collectors. Each scrape takes one snapshot of each runtime; nothing is reset, so any number of scrapers
/// see the same numbers and don't disturb each other. The runtime is not kept alive by it. A [`Probe`] that scrapes the exporter which
/// is reading it gets an error.
///
/// A metric that a runtime does not measure is left out. Each has the name of
/// [`Metric::exported`](metrics_core::Metric::exported), with durations in seconds. The label `runtime` is the registry's name.
///
/// Metrics of the workers are exported as sums over the workers. [`each_worker`](Self::each_worker) exports each worker's own
/// instead, and with them what has no sum, such as a worker's state.
///
/// A histogram has at most [`DEFAULT_BUCKETS`](Self::DEFAULT_BUCKETS) buckets. Their edges depend on the layout alone, so that
/// histograms of several processes can be added up. `le` is inclusive.
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
pub struct RuntimeCollector {
    sources: Vec<Box<dyn Source>>,
    max_buckets: usize,
    each_worker: bool,
}

/// Two runtimes of one name: their series could not be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: String,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a runtime named {:?} is exported already: give each registry a name of its own",
            self.name
        )
    }
}

impl core::error::Error for DuplicateName {}

impl RuntimeCollector {
    /// The most buckets that a histogram is exported with unless [`max_buckets`](Self::max_buckets) says otherwise.
    pub const DEFAULT_BUCKETS: usize = 20;

    /// A collector of one runtime's metrics.
    pub fn new<R, P>(metrics: RuntimeMetrics<R, P>) -> Self
    where
        R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
        P: Probe + Clone + Send + Sync + 'static,
    {
        Self::of(Exported::new(metrics))
    }

    /// A collector of every runtime that is in the list when somebody scrapes, those added later included: with
    /// [`Runtimes::process`], of every runtime that the process lists.
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
    /// // Wherever a runtime is built, by the adapter for Tokio or as here:
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

    /// Exports another runtime too.
    ///
    /// # Errors
    /// [`DuplicateName`] if one of that name is exported already. Of a list ([`of_all`](Self::of_all)) that gets
    /// one of that name later, that one is left out.
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

    /// Exports histograms with at most so many buckets, the one up to `+Inf` included.
    ///
    /// Fewer make a scrape smaller and quantiles coarser. Change it and `le` changes for every series: queries that
    /// reach back over the change see two sets of buckets.
    #[must_use]
    pub fn max_buckets(mut self, max_buckets: NonZeroUsize) -> Self {
        self.max_buckets = max_buckets.get();
        self
    }

    /// Exports the metrics of each worker in place of the sums over the workers. The label `worker` is its index, or `external` for the
    /// threads that poll the runtime's tasks and are none of its workers.
    ///
    /// The page grows with the number of workers: histograms make up most of it.
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

/// This thread collects, until it is dropped.
struct Encoding;

impl Encoding {
    /// `None` within another one: a probe scrapes the exporter that is asking it, and would be asked again, without end.
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
