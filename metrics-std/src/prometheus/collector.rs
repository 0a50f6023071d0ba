//! [`RuntimeCollector`] passes snapshots to `prometheus-client`'s encoder.

use super::encode::{Shape, encode};
use crate::export::{DuplicateName, Edges, ExportedRuntimes};
use core::fmt;
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
/// from a [list](crate::Runtimes) of runtimes, or [add](Self::with_runtime) each runtime to it.
///
/// A scrape takes one snapshot per runtime and resets nothing, so several scrapers do not affect each other. The collector does not keep
/// a runtime alive. A [`Probe`](metrics_core::Probe) that scrapes the collector that is reading it gets an error.
///
/// A metric that a runtime does not measure is left out. Each metric has the name of
/// [`Metric::exported`](metrics_core::Metric::exported) and the label `runtime`, the registry's name. Durations are in seconds.
///
/// Worker metrics are exported as sums over the workers: fewer than 150 series per runtime, however many workers it has. Call
/// [`each_worker`](Self::each_worker) to export them per worker instead, including those that have no sum, such as a worker's state.
///
/// A histogram has [round](Edges::round) edges; call [`edges`](Self::edges) for others. Its largest value is a gauge of its own, with
/// `_max` in its name.
pub struct RuntimeCollector {
    runtimes: ExportedRuntimes,
    shape: Shape,
}

impl RuntimeCollector {
    /// Creates a collector of one runtime, or of the runtimes in a list.
    ///
    /// ```
    /// use metrics_std::prometheus::RuntimeCollector;
    /// use metrics_std::{Builder, Clock, Runtimes, build_wrapped};
    /// use prometheus_client::registry::Registry;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut exported = Registry::default();
    /// exported.register_collector(Box::new(RuntimeCollector::new(Runtimes::process())));
    ///
    /// // Where a runtime is built, with the adapter for Tokio or as here:
    /// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
    /// Runtimes::process().add(&metrics)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(runtimes: impl Into<ExportedRuntimes>) -> Self {
        let shape = Shape {
            edges: Edges::round(),
            each_worker: false,
            locations: 0,
        };
        Self {
            runtimes: runtimes.into(),
            shape,
        }
    }

    /// Adds a runtime to those that the collector exports.
    ///
    /// # Errors
    /// Returns [`DuplicateName`] if the collector already exports a runtime with that name. If a runtime with that name is added later to
    /// a list given to [`new`](Self::new), that one is exported in place of this one.
    pub fn with_runtime(mut self, runtime: impl Into<ExportedRuntimes>) -> Result<Self, DuplicateName> {
        self.runtimes.add(runtime.into())?;
        Ok(self)
    }

    /// Sets the edges of the buckets of all histograms.
    ///
    /// Fewer edges make scrapes smaller and quantiles less precise. New edges change `le` for every series: a query over a range that
    /// includes the change sees two sets of buckets.
    ///
    /// ```
    /// # use metrics_std::export::EdgesError;
    /// use core::time::Duration;
    /// use metrics_std::export::Edges;
    /// use metrics_std::prometheus::RuntimeCollector;
    ///
    /// # fn example(collector: RuntimeCollector) -> Result<RuntimeCollector, EdgesError> {
    /// let collector = collector.edges(Edges::list([1, 10, 50, 200].map(Duration::from_millis))?);
    /// # Ok(collector)
    /// # }
    /// ```
    #[must_use]
    pub fn edges(mut self, edges: Edges) -> Self {
        self.shape.edges = edges;
        self
    }

    /// Exports worker metrics per worker instead of as sums. The label `worker` is the worker's index, or `external` for the threads that
    /// poll the runtime's tasks but are not its workers.
    ///
    /// The size of a scrape grows with the number of workers. Histograms make up most of it.
    #[must_use]
    pub fn each_worker(mut self, yes: bool) -> Self {
        self.shape.each_worker = yes;
        self
    }

    /// Exports the metrics of the first `limit` spawn locations and groups of the process, with the label `location` or `group`. All other
    /// locations share the label value `other`, and all other groups `other groups`. Without a call, none is exported.
    ///
    /// The registry must keep them ([`Builder::locations`](crate::Builder::locations)). Each location adds eight series per runtime,
    /// one more with a [watchdog](crate::watchdog), and five more with a [census](crate::Builder::census). Each group adds up to seven.
    #[must_use]
    pub fn locations(mut self, limit: usize) -> Self {
        self.shape.locations = limit;
        self
    }
}

impl fmt::Debug for RuntimeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeCollector")
            .field("runtimes", &self.runtimes)
            .field("shape", &self.shape)
            .finish()
    }
}

impl Collector for RuntimeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshots = self.runtimes.read().ok_or(fmt::Error)?;
        encode(&snapshots, &self.shape, &mut encoder)
    }
}
