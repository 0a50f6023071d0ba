//! The walk over snapshots that exporters share: the samples of several runtimes, by metric.

use crate::Snapshot;
use metrics_core::{
    GROUP_METRICS, HistogramSnapshot, LOCATION_METRICS, METRICS, Metric, MetricScope, MetricUnit, Sample,
    SampleValue, WorkerLabel, WorkerState,
};

/// A metric that is exported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exported {
    pub(crate) metric: &'static Metric,
    /// Its exported name.
    pub(crate) name: &'static str,
}

/// The values of one metric, in an exporter's own form.
pub(crate) struct Family<T> {
    pub(crate) of: Exported,
    pub(crate) series: Vec<T>,
}

/// The object that one value describes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) worker: Option<WorkerLabel>,
    /// A label that only this metric has, and its value.
    pub(crate) label: Option<(&'static str, &'a str)>,
}

/// A value to export.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Count(u64),
    Nanos(u64),
    /// In nanoseconds.
    Histogram(&'a HistogramSnapshot<Vec<u64>>),
}

/// Passes every exported value of the snapshots to `translate`, and returns the results by metric, in the order of [`METRICS`].
///
/// `locations` is the number of spawn locations with values of their own; with 0, none is exported.
///
/// For metrics of workers, these are either the values of each worker or their sums, never both, so that queries can add all of them.
pub(crate) fn families<T>(
    snapshots: &[Snapshot],
    each_worker: bool,
    locations: usize,
    mut translate: impl FnMut(Exported, &Series<'_>, Value<'_>) -> T,
) -> Vec<Family<T>> {
    let exported = METRICS
        .iter()
        .chain(LOCATION_METRICS)
        .chain(GROUP_METRICS)
        .filter_map(|metric| {
            let name = metric.exported?;
            Some(Family {
                of: Exported { metric, name },
                series: Vec::new(),
            })
        });
    let mut families: Vec<Family<T>> = exported.collect();
    for snapshot in snapshots {
        let mut at = 0;
        let mut add = |sample: Sample<'_, Vec<u64>>| {
            let is_of_workers = sample.metric.scope == MetricScope::Worker;
            if is_of_workers && sample.worker.is_some() != each_worker {
                return;
            }
            // Samples come in the order of `METRICS`, `LOCATION_METRICS` and `GROUP_METRICS`.
            let is_of_sample = |family: &Family<T>| family.of.metric == sample.metric;
            let Some(ahead) = families[at..].iter().position(is_of_sample) else {
                return;
            };
            at += ahead;
            let Family { of, series } = &mut families[at];
            values(snapshot, &sample, |described, value| {
                series.push(translate(*of, described, value));
            });
        };
        snapshot.visit(&mut add);
        if locations > 0 {
            snapshot.visit_locations(locations, &mut add);
        }
    }
    families.retain(|family| !family.series.is_empty());
    families
}

/// Calls `each` with the values of a sample: several for a state, one for any other.
fn values(snapshot: &Snapshot, sample: &Sample<'_, Vec<u64>>, mut each: impl FnMut(&Series<'_>, Value<'_>)) {
    let mut one = |label, value| {
        let key = match sample.metric.scope {
            MetricScope::Group => "group",
            _ => "location",
        };
        let label = sample.location.map(|name| (key, name)).or(label);
        let worker = sample.worker;
        each(
            &Series {
                snapshot,
                worker,
                label,
            },
            value,
        );
    };
    match sample.value {
        SampleValue::Number(nanos) if sample.metric.unit == MetricUnit::Nanoseconds => {
            one(None, Value::Nanos(nanos));
        }
        SampleValue::Number(count) => one(None, Value::Count(count)),
        SampleValue::Histogram(histogram) => one(None, Value::Histogram(histogram)),
        SampleValue::State(now) => {
            for state in WorkerState::ALL {
                one(
                    Some(("state", state.name())),
                    Value::Count(u64::from(state == now)),
                );
            }
        }
        SampleValue::Location(location) => one(Some(("location", location)), Value::Count(1)),
        // Thread numbers are not exported: each thread has its own, so the number of series would be unbounded.
        _ => {}
    }
}
