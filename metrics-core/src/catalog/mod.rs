//! The list of metrics. Code, exporters and documentation are generated from it.
//!
//! Each source has a table: [`WorkerNumber`], [`RuntimeNumber`] and [`HistogramName`], and those in the modules `locations` and
//! `event_loop`. A metric that is not a plain number, such as a state or a name, is an [`InfoMetric`]. A row of a table contains
//! the metric's names in code and in exporters, its help text and, if there is one, the difference from Tokio.

mod event_loop;
mod histograms;
mod info;
mod locations;
mod metric_set;
mod runtime_numbers;
mod worker_numbers;

pub use event_loop::EVENT_LOOP_METRICS;
pub use histograms::HistogramName;
pub(crate) use histograms::{ON_DEMAND, with_histograms};
pub use info::InfoMetric;
pub use locations::{GROUP_METRICS, LOCATION_METRICS, LocationColumn};
pub use metric_set::MetricSet;
pub use runtime_numbers::{RuntimeNumber, RuntimeNumbers};
pub(crate) use runtime_numbers::{in_unit, with_runtime_numbers};
pub use worker_numbers::WorkerNumber;
pub(crate) use worker_numbers::with_worker_numbers;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// A `u64` that never decreases.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A distribution with count, sum, minimum and maximum.
    Histogram,
    /// A fixed property that identifies something.
    Info,
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Nanoseconds in snapshots; exporters convert to seconds.
    Nanoseconds,
    /// A number of things: polls, tasks, threads.
    Count,
    /// Not a number.
    None,
}

/// The object that a metric describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricScope {
    /// Each worker.
    Worker,
    /// The whole runtime.
    Runtime,
    /// One spawn location of the runtime's tasks.
    Location,
    /// One group of futures that tasks poll, such as the requests of one route.
    Group,
    /// The event loop of a host that has one, such as a browser's thread or Node.
    EventLoop,
}

/// The source of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricSource {
    /// A per-worker metric.
    Worker(WorkerNumber),
    /// A metric of the whole runtime.
    Runtime(RuntimeNumber),
    /// A histogram.
    Histogram(HistogramName),
    /// A value that is not a plain number.
    Fact(InfoMetric),
    /// A value per spawn location or per group.
    Location(LocationColumn),
    /// The host's event loop, which the adapter for that host measures.
    EventLoop,
}

/// The description of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The metric's name in code and in snapshots.
    pub name: &'static str,
    /// The metric's name in Prometheus' text format, with its unit and suffix. `None` if it is not exported.
    pub exported: Option<&'static str>,
    /// The source of its value.
    pub source: MetricSource,
    /// The object that it describes.
    pub scope: MetricScope,
    /// Its kind.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: MetricUnit,
    /// A one-line description, for operators who see it in an exporter.
    pub help: &'static str,
    /// The difference from Tokio's metric of the same name; empty if there is none.
    pub unlike_tokio: &'static str,
}

/// The length of [`METRICS`].
const LEN: usize = WorkerNumber::METRICS.len()
    + RuntimeNumber::METRICS.len()
    + HistogramName::METRICS.len()
    + InfoMetric::METRICS.len();

/// All metrics of a runtime. Those of a worker come first.
pub const METRICS: &[Metric] = &{
    let mut all = [InfoMetric::ALL[0].metric(); LEN];
    let mut len = 0;
    let scopes = [MetricScope::Worker, MetricScope::Runtime];
    let mut scope = 0;
    while scope < scopes.len() {
        len = append(&mut all, len, WorkerNumber::METRICS, scopes[scope]);
        len = append(&mut all, len, RuntimeNumber::METRICS, scopes[scope]);
        len = append(&mut all, len, HistogramName::METRICS, scopes[scope]);
        len = append(&mut all, len, &InfoMetric::METRICS, scopes[scope]);
        scope += 1;
    }
    assert!(
        len == LEN,
        "a metric of a runtime describes a worker or the runtime"
    );
    all
};

/// Appends the rows of `table` that have this scope, and returns the new length.
const fn append(all: &mut [Metric; LEN], mut len: usize, table: &[Metric], scope: MetricScope) -> usize {
    let mut i = 0;
    while i < table.len() {
        if table[i].scope as u8 == scope as u8 {
            all[len] = table[i];
            len += 1;
        }
        i += 1;
    }
    len
}

/// The exported name of a row: `None` if it is empty.
const fn exported(name: &'static str) -> Option<&'static str> {
    if name.is_empty() { None } else { Some(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn all() -> impl Iterator<Item = &'static Metric> {
        let all = METRICS.iter().chain(LOCATION_METRICS).chain(GROUP_METRICS);
        all.chain(EVENT_LOOP_METRICS)
    }

    #[test]
    fn every_row_of_every_table_is_in_the_list_once() {
        let count = |source| METRICS.iter().filter(|metric| metric.source == source).count();
        for &number in WorkerNumber::ALL {
            assert_eq!(count(MetricSource::Worker(number)), 1, "{}", number.name());
        }
        for &number in RuntimeNumber::ALL {
            assert_eq!(count(MetricSource::Runtime(number)), 1, "{}", number.name());
        }
        for &histogram in HistogramName::ALL {
            assert_eq!(
                count(MetricSource::Histogram(histogram)),
                1,
                "{}",
                histogram.name()
            );
        }
        for &fact in InfoMetric::ALL {
            assert_eq!(count(MetricSource::Fact(fact)), 1, "{}", fact.metric().name);
        }
    }

    #[test]
    fn names_are_unique() {
        for (i, metric) in all().enumerate() {
            for other in all().take(i) {
                assert_ne!(other.name, metric.name);
                assert!(metric.exported.is_none() || metric.exported != other.exported);
            }
        }
    }

    #[test]
    fn exported_names_follow_the_conventions_of_prometheus() {
        for metric in all() {
            let Some(name) = metric.exported else { continue };
            let is_seconds = metric.unit == MetricUnit::Nanoseconds;
            let base = name.strip_suffix("_total").unwrap_or(name);
            assert!(name.starts_with("async_runtime_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{name}"
            );
            assert!(!is_seconds || base.ends_with("_seconds"), "{name}");
            assert!(!base.ends_with("_count") && !name.contains("num_"), "{name}");
        }
    }

    #[test]
    fn help_is_one_line_that_needs_no_escaping() {
        for metric in all() {
            let help = metric.help;
            assert!(help.ends_with('.'), "{}", metric.name);
            assert!(
                !help.contains(['\\', '\n', '"', '`', '[']),
                "{}: {help}",
                metric.name
            );
            assert_eq!(help.trim(), help, "{}", metric.name);
        }
    }
}
