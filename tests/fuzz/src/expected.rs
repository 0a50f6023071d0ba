//! The series that an exporter must write, from the getters of a snapshot alone.

use std::collections::BTreeMap;

use metrics_core::{
    GROUP_METRICS, HeapStorage, HistogramName, HistogramSnapshot, InfoMetric, LOCATION_METRICS,
    LocationColumn, LocationKind, METRICS, Measurements, Metric, MetricScope, MetricSource, MetricUnit,
    WorkerSnapshot, WorkerState,
};

use crate::checks::HeapSnapshot;

/// The exported name and the labels of a series, sorted.
pub type Key = (String, Vec<(String, String)>);

#[derive(Clone, Debug)]
pub enum Value {
    Count(u64),
    Nanos(u64),
    Histogram(HistogramSnapshot<Vec<u64>>),
}

/// The value of a series.
#[derive(Clone, Debug)]
pub struct Series {
    pub metric: &'static Metric,
    pub value: Value,
}

/// How an exporter is configured.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub each_worker: bool,
    pub locations: usize,
}

/// Durations in seconds, as `docs/EXPORTERS.md` defines them.
pub fn in_seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Returns all series of a snapshot.
pub fn series(snapshot: &HeapSnapshot, shape: Shape) -> BTreeMap<Key, Series> {
    let mut all = Collector {
        snapshot,
        shape,
        series: BTreeMap::new(),
    };
    METRICS.iter().for_each(|metric| all.add_metric(metric));
    if shape.locations > 0 {
        LOCATION_METRICS
            .iter()
            .for_each(|metric| all.add_rows(metric, false));
        GROUP_METRICS.iter().for_each(|metric| all.add_rows(metric, true));
    }
    all.series
}

struct Collector<'a> {
    snapshot: &'a HeapSnapshot,
    shape: Shape,
    series: BTreeMap<Key, Series>,
}

type Worker = WorkerSnapshot<HeapStorage>;

impl Collector<'_> {
    fn add(&mut self, metric: &'static Metric, labels: &[(&str, &str)], value: Option<Value>) {
        let (Some(name), Some(value)) = (metric.exported, value) else {
            return;
        };
        let runtime = [("runtime", self.snapshot.name())];
        let labels = runtime.iter().chain(labels);
        let mut labels: Vec<_> = labels
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        labels.sort();
        let earlier = self
            .series
            .insert((name.to_owned(), labels), Series { metric, value });
        assert!(earlier.is_none(), "{name} twice");
    }

    /// Adds a number of the metric's unit.
    fn add_number(&mut self, metric: &'static Metric, labels: &[(&str, &str)], value: Option<u64>) {
        let value = value.map(|value| match metric.unit {
            MetricUnit::Nanoseconds => Value::Nanos(value),
            _ => Value::Count(value),
        });
        self.add(metric, labels, value);
    }

    fn add_metric(&mut self, metric: &'static Metric) {
        match (metric.scope, self.shape.each_worker) {
            (MetricScope::Worker, true) => {
                let snapshot = self.snapshot;
                for worker in snapshot.workers() {
                    self.add_worker(metric, &worker.index().to_string(), worker);
                }
                if let Some(external) = snapshot.external() {
                    self.add_worker(metric, "external", external);
                }
            }
            (MetricScope::Worker, false) => self.add_measured(metric, &[], self.snapshot.total()),
            _ => self.add_of_runtime(metric),
        }
    }

    fn add_worker(&mut self, metric: &'static Metric, label: &str, worker: &Worker) {
        let label = ("worker", label);
        match metric.source {
            MetricSource::Fact(InfoMetric::State) => {
                for state in WorkerState::ALL {
                    let value = worker.state().map(|now| u64::from(state == now));
                    self.add_number(metric, &[label, ("state", state.name())], value);
                }
            }
            MetricSource::Fact(InfoMetric::Since) => {
                let age = worker.state_for().map(|age| age.as_nanos() as u64);
                self.add_number(metric, &[label], age);
            }
            MetricSource::Fact(InfoMetric::LocationId) => {
                let name = worker.spawn_location_name();
                let value = (!name.is_empty()).then_some(1);
                self.add_number(metric, &[label, ("location", name)], value);
            }
            _ => self.add_measured(metric, &[label], worker.measurements()),
        }
    }

    /// Adds a value that a worker and the total have.
    fn add_measured(
        &mut self,
        metric: &'static Metric,
        labels: &[(&str, &str)],
        of: &Measurements<HeapStorage>,
    ) {
        let reading =
            |reading: &metrics_core::HistogramReading<_>| Value::Histogram(reading.histogram().clone());
        match metric.source {
            MetricSource::Worker(number) => self.add_number(metric, labels, of.counter(number)),
            MetricSource::Histogram(HistogramName::PollTime) => {
                self.add(metric, labels, of.poll_time().map(reading));
            }
            MetricSource::Histogram(HistogramName::ScheduleLatency) => {
                self.add(metric, labels, of.schedule_latency().map(reading));
            }
            MetricSource::Fact(InfoMetric::MeanPollTime) => {
                let mean = of.mean_poll_time().map(|mean| mean.as_nanos() as u64);
                self.add_number(metric, labels, mean);
            }
            _ => {}
        }
    }

    fn add_of_runtime(&mut self, metric: &'static Metric) {
        let snapshot = self.snapshot;
        match metric.source {
            MetricSource::Runtime(number) => self.add_number(metric, &[], snapshot.runtime_number(number)),
            MetricSource::Fact(InfoMetric::NumWorkers) => {
                self.add_number(metric, &[], snapshot.num_workers().map(|workers| workers as u64));
            }
            MetricSource::Fact(InfoMetric::StartedAt) => {
                self.add_number(metric, &[], snapshot.started_at());
            }
            MetricSource::Histogram(name) => {
                let histogram = match name {
                    HistogramName::BlockingQueueWait => snapshot.blocking_queue_wait(),
                    HistogramName::LoopLag => snapshot.loop_lag(),
                    HistogramName::WakeLatency => snapshot.wake_latency(),
                    HistogramName::PollStallDuration => snapshot.poll_stall_duration(),
                    HistogramName::NoProgressStallDuration => snapshot.no_progress_stall_duration(),
                    HistogramName::QueueStallDuration => snapshot.queue_stall_duration(),
                    other => panic!("a new histogram needs its getter here: {other:?}"),
                };
                self.add(metric, &[], histogram.cloned().map(Value::Histogram));
            }
            _ => {}
        }
    }

    /// Adds one series for each name, because two series of one name are an error in every format.
    fn add_rows(&mut self, metric: &'static Metric, groups: bool) {
        let MetricSource::Location(column) = metric.source else {
            return;
        };
        let mut rows = BTreeMap::<&str, u64>::new();
        for location in self.snapshot.locations().unwrap_or_default() {
            let is_within = location.location().as_u32() as usize <= self.shape.locations;
            let name = match location.kind() {
                _ if location.is_group() != groups => continue,
                LocationKind::Location | LocationKind::Group if is_within => location.name(),
                LocationKind::Unknown => "unknown",
                _ if groups => "other groups",
                _ => "other",
            };
            let Some(value) = location.column(column) else {
                continue;
            };
            let merge = |sum: u64| match column {
                LocationColumn::LongestPoll
                | LocationColumn::LongestScheduleLatency
                | LocationColumn::LongestWait => sum.max(value),
                _ => sum.saturating_add(value),
            };
            rows.entry(name)
                .and_modify(|sum| *sum = merge(*sum))
                .or_insert(value);
        }
        let label = if groups { "group" } else { "location" };
        for (name, value) in rows {
            self.add_number(metric, &[(label, name)], Some(value));
        }
    }
}
