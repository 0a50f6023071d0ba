//! Translates snapshots to the messages of OTLP.

use crate::Snapshot;
use crate::export::{Edges, Exported, Series, Value, families, in_seconds};
use core::iter;
use metrics_core::{HistogramSnapshot, Metric, MetricKind, MetricUnit, WorkerLabel};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValueKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, AggregationTemporality, Gauge, Histogram, HistogramDataPoint, NumberDataPoint, Sum,
    number_data_point,
};

/// A data point of either form.
enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
}

/// Returns every metric for which one of the snapshots has a value. `now` is the time of the snapshots, in nanoseconds since 1970.
pub(super) fn metrics(
    snapshots: &[Snapshot],
    edges: &Edges,
    each_worker: bool,
    locations: usize,
    now: u64,
) -> Vec<proto::Metric> {
    let families = families(snapshots, each_worker, locations, |_, of, value| {
        point(of, value, edges, now)
    });
    let metrics = families.into_iter().map(|family| {
        let Exported { metric, name } = family.of;
        proto::Metric {
            name: translated_name(name),
            description: metric.help.to_owned(),
            unit: unit(metric).to_owned(),
            data: Some(data(metric.kind, family.series)),
            ..proto::Metric::default()
        }
    });
    metrics.collect()
}

/// Returns the name according to the semantic conventions: with namespaces, without unit and suffix.
fn translated_name(exported: &str) -> String {
    let name = exported.strip_suffix("_total").unwrap_or(exported);
    let name = name.strip_suffix("_seconds").unwrap_or(name);
    let name = name.strip_prefix("async_runtime_").unwrap_or(name);
    for (prefix, namespace) in [
        ("worker_", "worker."),
        ("location_", "location."),
        ("group_", "group."),
    ] {
        if let Some(name) = name.strip_prefix(prefix) {
            return format!("async_runtime.{namespace}{name}");
        }
    }
    format!("async_runtime.{name}")
}

/// Returns the unit, in UCUM. Numbers of things have an annotation in braces, as the semantic conventions advise: a unit of "1" is for
/// ratios.
fn unit(metric: &Metric) -> &'static str {
    match metric.unit {
        MetricUnit::Nanoseconds => "s",
        _ => "{count}",
    }
}

fn data(kind: MetricKind, points: Vec<Point>) -> Data {
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    for point in points {
        match point {
            Point::Number(point) => numbers.push(point),
            Point::Histogram(point) => histograms.push(point),
        }
    }
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match kind {
        MetricKind::Histogram => Data::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality,
        }),
        MetricKind::Counter => Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality,
            is_monotonic: true,
        }),
        _ => {
            // A gauge has no start.
            for point in &mut numbers {
                point.start_time_unix_nano = 0;
            }
            Data::Gauge(Gauge { data_points: numbers })
        }
    }
}

fn point(of: &Series<'_>, value: Value<'_>, edges: &Edges, now: u64) -> Point {
    // 0 means that it is not known.
    let start_time_unix_nano = of.snapshot.started_at().unwrap_or(0);
    let attributes = attributes(of);
    match value {
        Value::Histogram(histogram) => Point::Histogram(HistogramDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano: now,
            ..buckets(histogram, edges)
        }),
        Value::Count(count) => Point::Number(NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsInt(
                i64::try_from(count).unwrap_or(i64::MAX),
            )),
            ..NumberDataPoint::default()
        }),
        Value::Nanos(nanos) => Point::Number(NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsDouble(in_seconds(nanos))),
            ..NumberDataPoint::default()
        }),
    }
}

fn buckets(histogram: &HistogramSnapshot<Vec<u64>>, edges: &Edges) -> HistogramDataPoint {
    let counts = edges.counts(histogram);
    HistogramDataPoint {
        count: histogram.count(),
        sum: Some(in_seconds(histogram.sum())),
        // Inclusive, and without the infinite one.
        explicit_bounds: counts
            .iter()
            .filter_map(|(edge, _)| edge.map(in_seconds))
            .collect(),
        bucket_counts: counts.iter().map(|&(_, count)| count).collect(),
        min: histogram.min().map(in_seconds),
        max: histogram.max().map(in_seconds),
        ..HistogramDataPoint::default()
    }
}

fn attributes(of: &Series<'_>) -> Vec<KeyValue> {
    let worker = of.worker.map(|worker| match worker {
        WorkerLabel::Index(index) => AnyValueKind::IntValue(i64::try_from(index).unwrap_or(i64::MAX)),
        WorkerLabel::External => AnyValueKind::StringValue(worker.to_string()),
    });
    let label = of.label.map(|(name, value)| {
        key_value(
            format!("async_runtime.{name}"),
            AnyValueKind::StringValue(value.to_owned()),
        )
    });
    iter::once(text("async_runtime.name", of.snapshot.name()))
        .chain(worker.map(|worker| key_value("async_runtime.worker.index".to_owned(), worker)))
        .chain(label)
        .collect()
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    key_value(key.to_owned(), AnyValueKind::StringValue(value.to_owned()))
}

fn key_value(key: String, value: AnyValueKind) -> KeyValue {
    KeyValue {
        key,
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_core::{GROUP_METRICS, LOCATION_METRICS, METRICS};

    /// The rules by which collectors translate names: dots to underscores, then the unit, then `_total`.
    fn in_prometheus(metric: &Metric, name: &str) -> String {
        let unit = if unit(metric) == "s" { "_seconds" } else { "" };
        let total = if metric.kind == MetricKind::Counter {
            "_total"
        } else {
            ""
        };
        format!("{}{unit}{total}", name.replace('.', "_"))
    }

    #[test]
    fn a_translation_to_prometheus_gives_the_exported_names() {
        for metric in METRICS.iter().chain(LOCATION_METRICS).chain(GROUP_METRICS) {
            if let Some(exported) = metric.exported {
                assert_eq!(in_prometheus(metric, &translated_name(exported)), exported);
            }
        }
    }
}
