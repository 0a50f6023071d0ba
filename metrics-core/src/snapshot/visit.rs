//! Iteration over all metrics of a snapshot. Exporters are built on it.

#[cfg(feature = "alloc")]
use super::{LocationKind, LocationSnapshot};
use super::{Measurements, Snapshot, WorkerSnapshot};
#[cfg(feature = "alloc")]
use crate::catalog::{GROUP_METRICS, LOCATION_METRICS};
use crate::catalog::{HistogramName, InfoMetric, METRICS, Metric, MetricSource};
use crate::histogram::{Counts, HistogramSnapshot};
use crate::live::WorkerState;
use crate::storage::Storage;
#[cfg(feature = "alloc")]
use alloc::collections::BTreeMap;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The worker that a sample describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WorkerLabel {
    /// The worker with this index.
    Index(usize),
    /// The external threads: they poll the runtime's tasks but are not its workers.
    External,
}

impl fmt::Display for WorkerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::External => f.write_str("external"),
        }
    }
}

/// One measured value of a snapshot.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sample<'a, C: Counts> {
    /// The metric's row in the list.
    pub metric: &'static Metric,
    /// The worker that it describes. `None` for the whole runtime; for a per-worker metric, this is the sum over the
    /// workers.
    pub worker: Option<WorkerLabel>,
    /// The name of the spawn location or of the group that it describes, for a metric per location or per group.
    pub location: Option<&'a str>,
    /// The value.
    pub value: SampleValue<'a, C>,
}

/// The value of a [`Sample`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum SampleValue<'a, C: Counts> {
    /// A counter or gauge, in the metric's unit.
    Number(u64),
    /// A histogram, in nanoseconds.
    Histogram(&'a HistogramSnapshot<C>),
    /// The state of a worker.
    State(WorkerState),
    /// The file and line that spawned the task that a worker polls.
    Location(&'a str),
    /// The thread that runs a worker.
    Thread {
        /// The adapter's number for the thread.
        number: u64,
        /// The thread's name; empty if it is not known.
        name: &'a str,
    },
}

impl<S: Storage> Snapshot<S> {
    /// Calls `visit` with each measured value, in the order of [`METRICS`]. For a per-worker metric, the sum comes
    /// first, if there is one, followed by each worker's value.
    pub fn visit(&self, mut visit: impl FnMut(Sample<'_, S::Counts>)) {
        for metric in METRICS {
            self.visit_metric(metric, &mut visit);
        }
    }

    /// Calls `visit` with the values of each spawn location, in the order of [`LOCATION_METRICS`], and of each group, in
    /// the order of [`GROUP_METRICS`]. It visits nothing if the registry keeps none.
    ///
    /// The locations and groups with numbers from 1 up to `limit`, and tasks without a location, have samples of their
    /// own. All others are summed under the names `other` and `other groups`, so the number of series is bounded, and a
    /// location never moves from its own samples to `other` or back, so the sums of counters do not decrease. Locations of
    /// one name are summed too, and so are groups, because two series with the same labels are an error in every format.
    #[cfg(feature = "alloc")]
    pub fn visit_locations(&self, limit: usize, mut visit: impl FnMut(Sample<'_, S::Counts>)) {
        for (metrics, groups) in [(LOCATION_METRICS, false), (GROUP_METRICS, true)] {
            let rows = self.rows_by_name(limit, groups);
            for metric in metrics {
                visit_rows(metric, &rows, &mut visit);
            }
        }
    }

    /// Returns the rows of the locations or of the groups with the name under which they are visited, each name once.
    #[cfg(feature = "alloc")]
    fn rows_by_name(&self, limit: usize, groups: bool) -> Vec<(&str, Vec<&LocationSnapshot<S>>)> {
        let is_other = |location: &LocationSnapshot<S>| match location.kind() {
            LocationKind::Location | LocationKind::Group => location.location().as_u32() as usize > limit,
            kind => kind != LocationKind::Unknown,
        };
        let mut places = BTreeMap::new();
        let mut rows: Vec<(&str, Vec<_>)> = Vec::new();
        let locations = self.locations().unwrap_or_default().iter();
        for location in locations.filter(|location| location.is_group() == groups) {
            let name = match (is_other(location), groups) {
                (false, _) => location.name(),
                (true, false) => "other",
                (true, true) => "other groups",
            };
            let place = *places.entry(name).or_insert(rows.len());
            match rows.get_mut(place) {
                Some((_, same)) => same.push(location),
                None => rows.push((name, alloc::vec![location])),
            }
        }
        rows
    }

    fn visit_metric(&self, metric: &'static Metric, visit: &mut impl FnMut(Sample<'_, S::Counts>)) {
        match metric.source {
            MetricSource::Worker(number) => {
                let total = self.total().counter(number);
                emit(metric, None, total.map(SampleValue::Number), visit);
                self.each_worker(|label, worker| {
                    let value = worker.counter(number);
                    emit(metric, Some(label), value.map(SampleValue::Number), visit);
                });
            }
            MetricSource::Runtime(number) => {
                let value = self.runtime_number(number);
                emit(metric, None, value.map(SampleValue::Number), visit);
            }
            MetricSource::Histogram(name) => self.visit_histogram(metric, name, visit),
            MetricSource::Fact(fact) => self.visit_fact(metric, fact, visit),
            // `visit_locations` visits those of locations, and the adapter for the host measures those of its event loop.
            MetricSource::Location(_) | MetricSource::EventLoop => {}
        }
    }

    fn visit_histogram(
        &self,
        metric: &'static Metric,
        name: HistogramName,
        visit: &mut impl FnMut(Sample<'_, S::Counts>),
    ) {
        let of_runtime = match name {
            HistogramName::BlockingQueueWait => self.blocking_queue_wait(),
            HistogramName::PollTime | HistogramName::ScheduleLatency => {
                emit(metric, None, histogram(self.total(), name), visit);
                self.each_worker(|label, worker| {
                    emit(metric, Some(label), histogram(worker.measurements(), name), visit);
                });
                return;
            }
            on_demand => self.on_demand(on_demand),
        };
        emit(metric, None, of_runtime.map(SampleValue::Histogram), visit);
    }

    fn visit_fact(
        &self,
        metric: &'static Metric,
        fact: InfoMetric,
        visit: &mut impl FnMut(Sample<'_, S::Counts>),
    ) {
        let time = |value: Option<Duration>| value.map(|value| SampleValue::Number(nanos(value)));
        match fact {
            InfoMetric::State => self.each_worker(|label, worker| {
                let state = worker.state().map(SampleValue::State);
                emit(metric, Some(label), state, visit);
            }),
            InfoMetric::Since => self.each_worker(|label, worker| {
                emit(metric, Some(label), time(worker.state_for()), visit);
            }),
            InfoMetric::LocationId => self.each_worker(|label, worker| {
                let location = worker.spawn_location_name();
                let value = (!location.is_empty()).then_some(SampleValue::Location(location));
                emit(metric, Some(label), value, visit);
            }),
            InfoMetric::Thread => self.each_worker(|label, worker| {
                let name = worker.thread_name();
                let value = worker.thread().map(|number| SampleValue::Thread { number, name });
                emit(metric, Some(label), value, visit);
            }),
            InfoMetric::MeanPollTime => {
                emit(metric, None, time(self.total().mean_poll_time()), visit);
                self.each_worker(|label, worker| {
                    emit(metric, Some(label), time(worker.mean_poll_time()), visit);
                });
            }
            InfoMetric::NumWorkers => {
                let workers = self
                    .num_workers()
                    .map(|workers| SampleValue::Number(workers as u64));
                emit(metric, None, workers, visit);
            }
            InfoMetric::StartedAt => {
                let started_at = self.started_at();
                emit(metric, None, started_at.map(SampleValue::Number), visit);
            }
            InfoMetric::Epoch => emit(metric, None, Some(SampleValue::Number(self.epoch())), visit),
        }
    }

    fn each_worker(&self, mut each: impl FnMut(WorkerLabel, &WorkerSnapshot<S>)) {
        for worker in self.workers() {
            each(WorkerLabel::Index(worker.index()), worker);
        }
        if let Some(external) = self.external() {
            each(WorkerLabel::External, external);
        }
    }
}

/// Visits the values of the locations or of the groups for one metric.
#[cfg(feature = "alloc")]
fn visit_rows<S: Storage>(
    metric: &'static Metric,
    rows: &[(&str, Vec<&LocationSnapshot<S>>)],
    visit: &mut impl FnMut(Sample<'_, S::Counts>),
) {
    let MetricSource::Location(column) = metric.source else {
        return;
    };
    for (name, same) in rows {
        let values = same.iter().filter_map(|location| location.column(column));
        if let Some(value) = values.reduce(|one, other| column.merge(one, other)) {
            visit(Sample {
                metric,
                worker: None,
                location: Some(name),
                value: SampleValue::Number(value),
            });
        }
    }
}

/// Returns a histogram of the workers; `None` for a histogram of the runtime, or if it is not measured.
fn histogram<S: Storage>(
    measurements: &Measurements<S>,
    name: HistogramName,
) -> Option<SampleValue<'_, S::Counts>> {
    let reading = match name {
        HistogramName::PollTime => measurements.poll_time(),
        HistogramName::ScheduleLatency => measurements.schedule_latency(),
        _ => None,
    };
    Some(SampleValue::Histogram(reading?.histogram()))
}

/// Calls `visit` with a value that was measured.
fn emit<C: Counts>(
    metric: &'static Metric,
    worker: Option<WorkerLabel>,
    value: Option<SampleValue<'_, C>>,
    visit: &mut impl FnMut(Sample<'_, C>),
) {
    if let Some(value) = value {
        visit(Sample {
            metric,
            worker,
            location: None,
            value,
        });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
