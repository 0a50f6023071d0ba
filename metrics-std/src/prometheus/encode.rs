//! Encodes the samples of snapshots with `prometheus-client`'s encoder.

use crate::Snapshot;
use crate::export::{Edges, in_seconds};
use core::fmt;
use metrics_core::{
    METRICS, Metric, MetricKind, MetricScope, MetricUnit, Sample, SampleValue, WorkerLabel, WorkerState,
};
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
}

impl Shape {
    /// Returns whether a sample is exported. Either the workers' samples or their sums are exported, never both, so that queries can add
    /// all series of a metric.
    fn includes(&self, sample: &Sample<'_, Vec<u64>>) -> bool {
        let is_of_workers = sample.metric.scope == MetricScope::Worker;
        sample.metric.exported.is_some() && (!is_of_workers || sample.worker.is_some() == self.each_worker)
    }
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
    let mut families: Vec<Vec<Series>> = METRICS.iter().map(|_| Vec::new()).collect();
    for snapshot in snapshots {
        let mut families = METRICS.iter().zip(&mut families);
        let mut family = families.next();
        snapshot.visit(|sample| {
            // `visit` follows the order of `METRICS`.
            while family
                .as_ref()
                .is_some_and(|(metric, _)| metric.name != sample.metric.name)
            {
                family = families.next();
            }
            if let Some((_, series)) = &mut family
                && shape.includes(&sample)
            {
                push(series, snapshot.name(), &sample, shape);
            }
        });
    }
    for (metric, series) in METRICS.iter().zip(&families) {
        if let Some(name) = metric.exported
            && !series.is_empty()
        {
            write_family(metric, name, series, encoder)?;
            write_maxima(metric, name, series, encoder)?;
        }
    }
    Ok(())
}

fn push(to: &mut Vec<Series>, runtime: &str, sample: &Sample<'_, Vec<u64>>, shape: &Shape) {
    let labels = |more: Option<(&'static str, &str)>| {
        let worker = sample.worker.as_ref().map(WorkerLabel::to_string);
        [("runtime", runtime.to_owned())]
            .into_iter()
            .chain(worker.map(|worker| ("worker", worker)))
            .chain(more.map(|(name, value)| (name, value.to_owned())))
            .collect()
    };
    let mut one = |more, value| {
        to.push(Series {
            labels: labels(more),
            value,
        });
    };
    match sample.value {
        SampleValue::Number(nanos) if sample.metric.unit == MetricUnit::Nanoseconds => {
            one(None, Value::Seconds(in_seconds(nanos)));
        }
        SampleValue::Number(count) => one(None, Value::Count(count)),
        SampleValue::Histogram(histogram) => {
            let edge = |edge: Option<u64>| edge.map_or(f64::INFINITY, in_seconds);
            let buckets = shape.edges.counts(histogram);
            let value = Value::Histogram {
                sum: in_seconds(histogram.sum()),
                count: histogram.count(),
                buckets: buckets
                    .into_iter()
                    .map(|(upper, count)| (edge(upper), count))
                    .collect(),
                max: histogram.max().map(in_seconds),
            };
            one(None, value);
        }
        SampleValue::State(now) => {
            for state in WorkerState::ALL {
                let value = Value::Count(u64::from(state == now));
                one(Some(("state", state.name())), value);
            }
        }
        SampleValue::Location(location) => one(Some(("location", location)), Value::Count(1)),
        // Thread numbers are not exported: each thread has its own, so the number of series would be unbounded.
        _ => {}
    }
}

/// Writes a metric. The encoder appends the unit and the suffix of the type to the name.
fn write_family(
    metric: &Metric,
    name: &str,
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
    metric: &Metric,
    name: &str,
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
