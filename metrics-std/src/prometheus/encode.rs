//! One family of series, from snapshots to `prometheus-client`'s encoder.

use super::families::{Histogram, STATES, Values};
use super::names::Family;
use super::reading::{Labels, Runtime, Worker};
use core::fmt;
use core::time::Duration;
use metrics_core::WorkerNumber;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// How histograms are exported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) max_buckets: usize,
    pub(super) of_each_worker: bool,
}

/// What a sample says beside its labels.
enum Value<'a> {
    Count(u64),
    Seconds(f64),
    /// Nothing: all is in the labels.
    Labels,
    Histogram(&'a Histogram),
}

/// Writes `family` for every runtime that has something to say in it, and nothing at all if none has.
pub(super) fn encode(
    family: &Family,
    runtimes: &[Runtime],
    shape: Shape,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let samples: Vec<_> = runtimes
        .iter()
        .flat_map(|runtime| samples(family, runtime, shape))
        .collect();
    if samples.is_empty() {
        return Ok(());
    }
    let mut metric =
        encoder.encode_descriptor(&family.name, family.help, family.unit.as_ref(), family.kind)?;
    for (labels, value) in &samples {
        match (family.kind, value) {
            // Info takes its labels by itself.
            (MetricType::Info, _) => metric.encode_info(labels)?,
            (kind, value) => write(kind, value, shape, &mut metric.encode_family(labels)?)?,
        }
    }
    Ok(())
}

/// What `runtime` has to say in `family`.
fn samples<'a>(family: &Family, runtime: &'a Runtime, shape: Shape) -> Vec<(Labels, Value<'a>)> {
    let one = |value: Option<Value<'a>>| {
        value
            .map(|value| (of_runtime(runtime), value))
            .into_iter()
            .collect()
    };
    let each = |value: &dyn Fn(&'a Worker) -> Option<Value<'a>>| {
        let sample = |worker| Some((of_worker(runtime, worker), value(worker)?));
        runtime.workers.iter().filter_map(sample).collect()
    };
    match family.values {
        Values::WorkerCounter(counter) => each(&|worker| {
            let value = worker.counter(counter)?;
            Some(match counter {
                WorkerNumber::BusyDurationTotal => seconds(Duration::from_nanos(value)),
                _ => Value::Count(value),
            })
        }),
        Values::WorkerGauge(get) => each(&|worker| get(worker).map(Value::Count)),
        Values::WorkerTime(get) => each(&|worker| get(worker).map(seconds)),
        Values::WorkerState => runtime
            .workers
            .iter()
            .flat_map(|worker| {
                STATES.map(|(state, name)| {
                    let mut labels = of_worker(runtime, worker);
                    labels.push(("state", name.to_owned()));
                    (labels, Value::Count(u64::from(worker.state() == state)))
                })
            })
            .collect(),
        Values::WorkerText(get) | Values::WorkerInfo(get) => runtime
            .workers
            .iter()
            .filter_map(|worker| Some((of_worker(runtime, worker), get(worker)?)))
            .map(|(labels, more)| (join(labels, more), Value::Labels))
            .collect(),
        Values::WorkerHistogram(get) if shape.of_each_worker => {
            each(&|worker| get(worker).map(Value::Histogram))
        }
        Values::WorkerHistogram(get) => one(get(&runtime.total).map(Value::Histogram)),
        Values::RuntimeCounter(get) | Values::RuntimeGauge(get) => one(get(runtime).map(Value::Count)),
        Values::RuntimeTime(get) => one(get(runtime).map(seconds)),
        Values::RuntimeInfo(get) => vec![(join(of_runtime(runtime), get(runtime)), Value::Labels)],
        Values::RuntimeHistogram(get) => one(get(runtime).map(Value::Histogram)),
    }
}

fn of_runtime(runtime: &Runtime) -> Labels {
    vec![("runtime", runtime.name().to_owned())]
}

fn of_worker(runtime: &Runtime, worker: &Worker) -> Labels {
    let mut labels = of_runtime(runtime);
    labels.push(("worker", worker.label.clone()));
    labels
}

fn join(mut labels: Labels, more: Labels) -> Labels {
    labels.extend(more);
    labels
}

fn seconds(duration: Duration) -> Value<'static> {
    Value::Seconds(duration.as_secs_f64())
}

fn write(kind: MetricType, value: &Value<'_>, shape: Shape, metric: &mut MetricEncoder<'_>) -> fmt::Result {
    match (kind, value) {
        (MetricType::Counter, Value::Count(count)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(count, None)
        }
        (MetricType::Counter, Value::Seconds(seconds)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(seconds, None)
        }
        (_, Value::Count(count)) => metric.encode_gauge(count),
        (_, Value::Seconds(seconds)) => metric.encode_gauge(seconds),
        (_, Value::Labels) => metric.encode_gauge(&1_u64),
        (_, Value::Histogram(histogram)) => write_histogram(histogram, shape, metric),
    }
}

fn write_histogram(histogram: &Histogram, shape: Shape, metric: &mut MetricEncoder<'_>) -> fmt::Result {
    // A limit of 0 is the only error, and the collector's type rules it out.
    let buckets = histogram.downsample(shape.max_buckets).map_err(|_| fmt::Error)?;
    let buckets: Vec<(f64, u64)> = buckets
        .iter()
        .map(|(range, count)| {
            // `le` includes its value: the largest that the bucket holds, not the start of the next.
            let le = range.end.map_or(f64::INFINITY, |_| in_seconds(range.largest()));
            (le, count)
        })
        .collect();
    metric.encode_histogram::<NoLabelSet>(in_seconds(histogram.sum()), histogram.count(), &buckets, None)
}

fn in_seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}
