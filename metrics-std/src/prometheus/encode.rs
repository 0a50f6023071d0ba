//! Encodes the samples of snapshots with `prometheus-client`'s encoder.

use crate::Snapshot;
use crate::export::{self, Edges, Exported, families, in_seconds};
use core::fmt;
use metrics_core::{MetricKind, WorkerLabel};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Label names and values.
type Labels = Vec<(&'static str, String)>;

/// How histograms and worker metrics are exported.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) edges: Edges,
    pub(super) each_worker: bool,
    pub(super) locations: usize,
}

/// One series.
struct Series {
    labels: Labels,
    value: Value,
}

enum Value {
    Count(u64),
    Seconds(f64),
    Histogram {
        sum: f64,
        count: u64,
        /// The upper edge of each bucket and its number of samples.
        buckets: Vec<(f64, u64)>,
        max: Option<f64>,
    },
}

/// Writes every metric for which one of the snapshots has a value. The series of one metric are written together, for all runtimes.
pub(super) fn encode(
    snapshots: &[Snapshot],
    shape: &Shape,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let families = families(snapshots, shape.each_worker, shape.locations, |_, of, value| {
        Series {
            labels: labels(of),
            value: translated(value, &shape.edges),
        }
    });
    for family in families {
        write_family(family.of, &family.series, encoder)?;
        write_maxima(family.of, &family.series, encoder)?;
    }
    Ok(())
}

fn labels(of: &export::Series<'_>) -> Labels {
    let worker = of.worker.as_ref().map(WorkerLabel::to_string);
    [("runtime", of.snapshot.name().to_owned())]
        .into_iter()
        .chain(worker.map(|worker| ("worker", worker)))
        .chain(of.label.map(|(name, value)| (name, value.to_owned())))
        .collect()
}

fn translated(value: export::Value<'_>, edges: &Edges) -> Value {
    match value {
        export::Value::Count(count) => Value::Count(count),
        export::Value::Nanos(nanos) => Value::Seconds(in_seconds(nanos)),
        export::Value::Histogram(histogram) => {
            let buckets = edges.counts(histogram).into_iter();
            let upper = |edge: Option<u64>| edge.map_or(f64::INFINITY, in_seconds);
            Value::Histogram {
                sum: in_seconds(histogram.sum()),
                count: histogram.count(),
                buckets: buckets.map(|(edge, count)| (upper(edge), count)).collect(),
                max: histogram.max().map(in_seconds),
            }
        }
    }
}

/// Writes a metric. The encoder appends the unit and the suffix of the type to the name.
fn write_family(
    Exported { metric, name }: Exported,
    series: &[Series],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let kind = match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Histogram => MetricType::Histogram,
        _ => MetricType::Gauge,
    };
    let (name, unit) = without_unit(name.strip_suffix("_total").unwrap_or(name));
    let mut family = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
    series
        .iter()
        .try_for_each(|series| write(kind, &series.value, &mut family.encode_family(&series.labels)?))
}

/// Writes the largest values of a histogram's series as a gauge: neither format has a place for them in the histogram.
fn write_maxima(
    Exported { metric, name }: Exported,
    series: &[Series],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let maxima = series.iter().filter_map(|series| match series.value {
        Value::Histogram { max, .. } => Some((&series.labels, max?)),
        _ => None,
    });
    let mut maxima = maxima.peekable();
    if maxima.peek().is_none() {
        return Ok(());
    }
    let (name, unit) = without_unit(name);
    let (name, help) = (
        format!("{name}_max"),
        format!("Largest value since the start. {}", metric.help),
    );
    let mut family = encoder.encode_descriptor(&name, &help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, max) in maxima {
        family.encode_family(labels)?.encode_gauge(&max)?;
    }
    Ok(())
}

fn without_unit(name: &str) -> (&str, Option<Unit>) {
    match name.strip_suffix("_seconds") {
        Some(name) => (name, Some(Unit::Seconds)),
        None => (name, None),
    }
}

fn write(kind: MetricType, value: &Value, metric: &mut MetricEncoder<'_>) -> fmt::Result {
    match (kind, value) {
        (MetricType::Counter, Value::Count(count)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(count, None)
        }
        (MetricType::Counter, Value::Seconds(seconds)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(seconds, None)
        }
        (_, Value::Count(count)) => metric.encode_gauge(count),
        (_, Value::Seconds(seconds)) => metric.encode_gauge(seconds),
        (
            _,
            Value::Histogram {
                sum, count, buckets, ..
            },
        ) => metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None),
    }
}
