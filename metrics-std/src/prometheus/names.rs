//! How a metric of the one list is called outside: its name under the rules of OpenMetrics.

use super::families::{self, Values};
use metrics_core::{METRICS, Metric, MetricKind, MetricScope, MetricUnit};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// One metric of the one list, as it is exported.
pub(super) struct Family {
    /// Its name. The encoder appends the unit and then the suffix of the type: `_total` for a counter, `_info`.
    pub(super) name: String,
    pub(super) unit: Option<Unit>,
    pub(super) kind: MetricType,
    pub(super) help: &'static str,
    pub(super) values: Values,
}

impl Family {
    /// Every family, in the order of the list. A test sees to it that none is missing.
    pub(super) fn all() -> Vec<Self> {
        METRICS.iter().filter_map(Self::of).collect()
    }

    /// `None` if the exporter does not know the metric.
    fn of(metric: &Metric) -> Option<Self> {
        let values = families::values(metric.name)?;
        let kind = match values {
            Values::WorkerCounter(_) | Values::RuntimeCounter(_) => MetricType::Counter,
            Values::WorkerHistogram(_) | Values::RuntimeHistogram(_) => MetricType::Histogram,
            Values::WorkerInfo(_) | Values::RuntimeInfo(_) => MetricType::Info,
            _ => MetricType::Gauge,
        };
        let in_seconds = metric.unit == MetricUnit::Nanoseconds || matches!(values, Values::RuntimeTime(_));
        let base = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let base = if in_seconds {
            base.strip_suffix("_duration").unwrap_or(base)
        } else {
            base
        };
        // A histogram goes out summed over the workers unless asked otherwise: a label then says whose it is.
        let scope = match (metric.scope, metric.kind) {
            (MetricScope::Worker, MetricKind::Histogram) | (MetricScope::Runtime, _) => "",
            _ => "worker_",
        };
        Some(Self {
            name: format!("async_runtime_{scope}{base}"),
            unit: in_seconds.then_some(Unit::Seconds),
            kind,
            help: metric.help,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(metric: &str) -> (String, Option<&'static str>, &'static str) {
        let metric = METRICS.iter().find(|known| known.name == metric).unwrap();
        let family = Family::of(metric).unwrap();
        let unit = family.unit.map(|_| "seconds");
        let kind = match family.kind {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
            MetricType::Unknown => "unknown",
        };
        (family.name, unit, kind)
    }

    #[test]
    fn names_follow_the_list() {
        let expected = [
            (
                "busy_duration_total",
                "async_runtime_worker_busy",
                Some("seconds"),
                "counter",
            ),
            ("poll_count", "async_runtime_worker_poll_count", None, "counter"),
            (
                "poll_time",
                "async_runtime_poll_time",
                Some("seconds"),
                "histogram",
            ),
            (
                "mean_poll_time",
                "async_runtime_worker_mean_poll_time",
                Some("seconds"),
                "gauge",
            ),
            ("thread", "async_runtime_worker_thread", None, "info"),
            ("num_workers", "async_runtime_num_workers", None, "gauge"),
            (
                "spawned_tasks_count",
                "async_runtime_spawned_tasks_count",
                None,
                "counter",
            ),
            ("started_at", "async_runtime_started_at", Some("seconds"), "gauge"),
            ("epoch", "async_runtime_epoch", None, "info"),
        ];
        for (metric, name, unit, kind) in expected {
            assert_eq!(exported(metric), (name.to_owned(), unit, kind));
        }
    }

    #[test]
    fn no_metric_is_missing_and_no_kind_is_changed() {
        let families = Family::all();
        assert_eq!(families.len(), METRICS.len());
        for (family, metric) in families.iter().zip(METRICS) {
            let kept = match metric.kind {
                MetricKind::Counter => matches!(family.kind, MetricType::Counter),
                MetricKind::Histogram => matches!(family.kind, MetricType::Histogram),
                _ => matches!(family.kind, MetricType::Gauge | MetricType::Info),
            };
            assert!(kept, "{}", metric.name);
        }
    }

    #[test]
    fn help_needs_no_escaping() {
        // The encoder writes it as it is.
        for metric in METRICS {
            assert!(
                !metric.help.is_empty() && !metric.help.contains(['\\', '\n', '"']),
                "{}",
                metric.name
            );
        }
    }
}
