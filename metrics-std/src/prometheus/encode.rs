//! Encodes the samples of snapshots with `prometheus-client`'s encoder.

use core::fmt;
use core::time::Duration;
use metrics_core::{
    HeapStorage, HistogramSnapshot, METRICS, Metric, MetricKind, MetricScope, MetricUnit, Sample,
    SampleValue, Snapshot, WorkerLabel, WorkerState,
};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Label names and values.
type Labels = Vec<(&'static str, String)>;

/// How histograms and worker metrics are exported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) max_buckets: usize,
    pub(super) each_worker: bool,
}

impl Shape {
    /// Returns whether a sample is exported. Either the workers' samples or their sums are exported, never both, so that queries can add
    /// all series of a metric.
    fn includes(self, sample: &Sample<'_, Vec<u64>>) -> bool {
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
        /// The largest value of each bucket and its number of samples.
        buckets: Vec<(f64, u64)>,
    },
}

/// Writes every metric for which one of the snapshots has a value. The series of one metric are written together, for all runtimes.
pub(super) fn encode<'a>(
    snapshots: impl IntoIterator<Item = &'a Snapshot<HeapStorage>>,
    shape: Shape,
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
        }
    }
    Ok(())
}

fn push(to: &mut Vec<Series>, runtime: &str, sample: &Sample<'_, Vec<u64>>, shape: Shape) {
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
            if let Some(value) = downsampled(histogram, shape.max_buckets) {
                one(None, value);
            }
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

/// Returns `None` for a limit of 0, which the collector's type rules out.
fn downsampled(histogram: &HistogramSnapshot<Vec<u64>>, max_buckets: usize) -> Option<Value> {
    let buckets = histogram.downsample(max_buckets).ok()?;
    Some(Value::Histogram {
        sum: in_seconds(histogram.sum()),
        count: histogram.count(),
        buckets: buckets
            .iter()
            .map(|(range, count)| {
                // `le` is inclusive: it is the largest value of the bucket, not the start of the next one.
                let le = range.end.map_or(f64::INFINITY, |_| in_seconds(range.largest()));
                (le, count)
            })
            .collect(),
    })
}

fn in_seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
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
    let name = name.strip_suffix("_total").unwrap_or(name);
    let (name, unit) = match name.strip_suffix("_seconds") {
        Some(name) => (name, Some(Unit::Seconds)),
        None => (name, None),
    };
    let mut family = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
    series
        .iter()
        .try_for_each(|series| write(kind, &series.value, &mut family.encode_family(&series.labels)?))
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
        (_, Value::Histogram { sum, count, buckets }) => {
            metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
        }
    }
}
