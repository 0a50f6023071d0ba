//! The difference of two snapshots: rates, ratios and quantiles of the time between them.

use super::measurements::{HistogramReading, getter};
use super::{Measurements, Snapshot, WorkerSnapshot, histogram_getters};
use crate::catalog::{
    HistogramName, MetricSet, ON_DEMAND, WorkerNumber, in_unit, with_histograms, with_worker_numbers,
};
use crate::counters::WORKER_NUMBERS;
use crate::histogram::{HistogramInterval, HistogramSnapshot};
use crate::record::position;
use crate::storage::{Rows, Storage};
use crate::tasks::TaskCounts;
use core::fmt;
use core::time::Duration;

/// An error from the difference of two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SinceError {
    /// The snapshots come from different runtimes, from before and after a restart, or from a process and its fork.
    OtherEpoch,
    /// The other snapshot is the later one.
    NotEarlier,
}

impl fmt::Display for SinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherEpoch => {
                "the snapshots come from different runtimes, runs or processes: compare snapshots with the same epoch"
            }
            Self::NotEarlier => "the other snapshot is the later one: call `since` on the later",
        })
    }
}

impl core::error::Error for SinceError {}

/// The reason why one worker's values have no difference, even though those of other workers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WorkerSinceError {
    /// The worker's values in the later snapshot are older than those in the earlier one. This happens if the worker
    /// could not be read and the snapshots come from two readers, or if both were taken at one time of the clock and
    /// [`since`](Snapshot::since) was called on the earlier one. The values of one reader never decrease.
    NotEarlier,
    /// The values of the worker are missing from one of the snapshots.
    Missing,
}

impl fmt::Display for WorkerSinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEarlier => {
                "the worker's values in the later snapshot are older: compare snapshots of one reader"
            }
            Self::Missing => "the worker's values are missing from a snapshot: compare with a later one",
        })
    }
}

impl core::error::Error for WorkerSinceError {}

/// The change between two snapshots of one runtime: rates, ratios and quantiles of the time between them. Create one
/// with [`Snapshot::since`].
///
/// ```
/// # #[cfg(all(feature = "alloc", feature = "record"))] {
/// use metrics_core::{Builder, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker, WorkerNumber};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).expect("the configuration is valid");
/// let worker = Worker::lease(registry.clone(), 0).expect("a slot is free");
/// let metrics = RuntimeMetrics::new(registry);
///
/// let before = metrics.snapshot();
/// worker.start_poll(PollStart::default());
/// worker.end_poll();
/// worker.submit();
/// let interval = metrics.snapshot().since(&before).expect("the snapshots are in order");
/// assert_eq!(interval.total().counter(WorkerNumber::PollCount), Some(1));
/// # }
/// ```
#[derive(Debug)]
pub struct Interval<S: Storage> {
    wall: Option<Duration>,
    total: WorkerInterval<S>,
    workers: S::Rows<WorkerInterval<S>>,
    tasks: Option<TaskCounts>,
    blocking_queue_wait: Option<HistogramInterval<S::Counts>>,
    /// At most one of each name, as in a snapshot.
    on_demand: [S::External<HistogramInterval<S::Counts>>; ON_DEMAND.len()],
}

/// The change on one worker, or on all workers together.
pub struct WorkerInterval<S: Storage> {
    index: usize,
    wall: Option<Duration>,
    /// The number of workers in this sum.
    workers: usize,
    error: Option<WorkerSinceError>,
    measured: MetricSet,
    deltas: [u64; WORKER_NUMBERS],
    poll_time: Option<HistogramInterval<S::Counts>>,
    schedule_latency: Option<HistogramInterval<S::Counts>>,
}

impl<S: Storage> Clone for WorkerInterval<S> {
    fn clone(&self) -> Self {
        Self {
            poll_time: self.poll_time.clone(),
            schedule_latency: self.schedule_latency.clone(),
            ..*self
        }
    }
}

impl<S: Storage> Snapshot<S> {
    /// Returns the change since an earlier snapshot of the same runtime.
    ///
    /// Values that can't be computed are `None` in the interval: those of a worker that has an
    /// [error](WorkerInterval::error), and histograms whose buckets differ.
    ///
    /// # Errors
    /// Returns a [`SinceError`] if `earlier` is not an earlier snapshot of the same run.
    pub fn since(&self, earlier: &Self) -> Result<Interval<S>, SinceError> {
        if !self.is_same_run(earlier) {
            return Err(SinceError::OtherEpoch);
        }
        if self.uptime < earlier.uptime {
            return Err(SinceError::NotEarlier);
        }
        Ok(self.interval(Some(earlier)))
    }

    pub(super) fn is_same_run(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.started_at == other.started_at && self.name == other.name
    }

    /// Returns the change since the registry was built.
    pub fn since_start(&self) -> Interval<S> {
        self.interval(None)
    }

    pub(super) fn interval(&self, earlier: Option<&Self>) -> Interval<S> {
        let then = earlier.map_or(Some(0), |earlier| earlier.uptime);
        let wall = self
            .uptime
            .zip(then)
            .map(|(now, then)| Duration::from_nanos(now.saturating_sub(then)));
        let mut workers = S::Rows::default();
        let mut error = None;
        let mut before = earlier.map_or(&[][..], Snapshot::workers).iter().peekable();
        for worker in self.workers() {
            // Both lists are sorted. A worker that the earlier snapshot lacks had counted nothing.
            while before.next_if(|before| before.index < worker.index).is_some() {}
            let before = before.next_if(|before| before.index == worker.index);
            let interval = WorkerInterval::of_worker(before, worker, wall);
            error = error.or(interval.error);
            if workers.try_push(interval).is_err() {
                break;
            }
        }
        if let Some(worker) = self.external() {
            let before = earlier.and_then(Snapshot::external);
            error = error.or(WorkerInterval::of_worker(before, worker, wall).error);
        }
        if self.is_missing() || earlier.is_some_and(Snapshot::is_missing) {
            error = error.or(Some(WorkerSinceError::Missing));
        }
        let total = WorkerInterval {
            // Slots that threads released stay in the list.
            workers: self.num_workers().unwrap_or(workers.as_slice().len()),
            ..WorkerInterval::between(earlier.map(Snapshot::total), &self.total, wall, error)
        };
        let mut on_demand = [const { S::External::EMPTY }; ON_DEMAND.len()];
        for (list, name) in on_demand.iter_mut().zip(ON_DEMAND) {
            if let Some(change) = self.change(earlier, |snapshot| snapshot.on_demand(name)) {
                // A snapshot that has a histogram has space for it.
                let _ = list.try_push(change);
            }
        }
        Interval {
            wall,
            total,
            workers,
            tasks: self.tasks.and_then(|now| match earlier {
                None => Some(now),
                Some(earlier) => tasks_between(&earlier.tasks?, &now),
            }),
            blocking_queue_wait: self.change(earlier, Self::blocking_queue_wait),
            on_demand,
        }
    }

    /// Returns the change of a histogram of the runtime.
    fn change(
        &self,
        earlier: Option<&Self>,
        histogram: impl Fn(&Self) -> Option<&HistogramSnapshot<S::Counts>>,
    ) -> Option<HistogramInterval<S::Counts>> {
        let now = histogram(self)?;
        match earlier {
            None => Some(now.clone().into()),
            Some(earlier) => now.since(histogram(earlier)?).ok(),
        }
    }
}

fn tasks_between(then: &TaskCounts, now: &TaskCounts) -> Option<TaskCounts> {
    Some(TaskCounts {
        spawned: now.spawned.checked_sub(then.spawned)?,
        completed: now.completed.checked_sub(then.completed)?,
        cancelled: now.cancelled.checked_sub(then.cancelled)?,
        panicked: now.panicked.checked_sub(then.panicked)?,
    })
}

impl<S: Storage> WorkerInterval<S> {
    fn of_worker(
        earlier: Option<&WorkerSnapshot<S>>,
        later: &WorkerSnapshot<S>,
        wall: Option<Duration>,
    ) -> Self {
        let missing = later.is_missing() || earlier.is_some_and(WorkerSnapshot::is_missing);
        Self {
            index: later.index,
            ..Self::between(
                earlier.map(WorkerSnapshot::measurements),
                &later.measurements,
                wall,
                missing.then_some(WorkerSinceError::Missing),
            )
        }
    }

    /// Computes the difference; no values if there is already an `error`, or if a counter would decrease.
    fn between(
        earlier: Option<&Measurements<S>>,
        later: &Measurements<S>,
        wall: Option<Duration>,
        error: Option<WorkerSinceError>,
    ) -> Self {
        let mut interval = Self {
            index: 0,
            wall,
            workers: 1,
            error,
            measured: MetricSet::NONE,
            deltas: [0; WORKER_NUMBERS],
            poll_time: None,
            schedule_latency: None,
        };
        if error.is_some() {
            return interval;
        }
        for &number in WorkerNumber::COUNTERS {
            let then = earlier.map_or(Some(0), |earlier| earlier.counter(number));
            let Some((now, then)) = later.counter(number).zip(then) else {
                continue;
            };
            let grown = match now.checked_sub(then) {
                Some(grown) => grown,
                // Each reader estimates the time in progress anew.
                None if WorkerNumber::STATE_TIMES.contains(&number) => 0,
                None => {
                    return Self {
                        error: Some(WorkerSinceError::NotEarlier),
                        measured: MetricSet::NONE,
                        ..interval
                    };
                }
            };
            interval.measured = interval.measured.union(MetricSet::worker(&[number]));
            interval.deltas[number as usize] = grown;
        }
        let then = |of: fn(&Measurements<S>) -> Option<&HistogramReading<S>>| earlier.map(of);
        interval.poll_time = difference(then(Measurements::poll_time), later.poll_time());
        interval.schedule_latency =
            difference(then(Measurements::schedule_latency), later.schedule_latency());
        interval
    }

    /// Returns the worker's index; zero for the sum over all workers.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the reason why the values are `None`, if they are not known.
    pub fn error(&self) -> Option<WorkerSinceError> {
        self.error
    }

    /// Returns the increase of a counter, in its own unit. `None` if the runtime does not measure it.
    pub fn counter(&self, counter: WorkerNumber) -> Option<u64> {
        self.measured
            .has_worker(counter)
            .then(|| self.deltas[counter as usize])
    }

    /// Returns the increase of a counter per second. `None` if the runtime does not measure it, without a clock, or if the
    /// interval is empty.
    pub fn per_second(&self, counter: WorkerNumber) -> Option<f64> {
        let seconds = self.wall?.as_secs_f64();
        (seconds > 0.0).then_some(self.counter(counter)? as f64 / seconds)
    }

    /// Returns the utilization: busy time over elapsed time, from 0 to 1. For the total, that is the busy time of all workers over
    /// the elapsed time of as many workers as the runtime has, whether they have run or not, or of those that have ever
    /// run if that number is not known.
    pub fn utilization(&self) -> Option<f64> {
        let wall = self.wall?.as_nanos().saturating_mul(self.workers as u128);
        let busy = u128::from(self.counter(WorkerNumber::BusyDurationTotal)?);
        (wall > 0).then(|| busy.min(wall) as f64 / wall as f64)
    }

    /// Returns the share of busy time that lay in measured polls, from 0 to 1. It is below 1 if some tasks are not
    /// measured, if sampling selects only some polls, and because of the scheduler's own work between polls.
    ///
    /// `None` if poll times or busy time are not measured, or if there was no busy time. With a histogram's switch off,
    /// no poll is measured, and the share is 0.
    pub fn measured_busy_ratio(&self) -> Option<f64> {
        let busy = self.counter(WorkerNumber::BusyDurationTotal)?;
        let measured = self.poll_time()?.sum();
        (busy > 0).then(|| measured.min(busy) as f64 / busy as f64)
    }

    /// Returns the histogram of poll times in the interval.
    pub fn poll_time(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.poll_time.as_ref()
    }

    /// Returns the histogram of schedule latency in the interval.
    pub fn schedule_latency(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.schedule_latency.as_ref()
    }
}

macro_rules! getters {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        derived { $($(#[$derived_doc:meta])* $derived_kind:ident $derived:ident $worker_derived:ident $derived_variant:ident $derived_exported:literal $derived_unlike:literal,)* }
        reported { $($(#[$reported_doc:meta])* $reported_kind:ident $reported:ident $worker_reported:ident $reported_variant:ident $reported_exported:literal $reported_unlike:literal,)* }
        gauges { $($gauges:tt)* }
    ) => {
        /// Getters of the increases of the counters. Each is `None` if the runtime does not measure the counter.
        impl<S: Storage> WorkerInterval<S> {
            $(getter!($(#[$doc])* $kind $name $variant);)*
            $(getter!($(#[$derived_doc])* $derived_kind $derived $derived_variant);)*
            $(getter!($(#[$reported_doc])* $reported_kind $reported $reported_variant);)*
        }
    };
}
with_worker_numbers!(getters);

/// `earlier` is `None` for an interval from the start, and `Some(None)` if the earlier snapshot has no such histogram.
#[allow(clippy::option_option, reason = "the documentation gives all three cases")]
fn difference<S: Storage>(
    earlier: Option<Option<&HistogramReading<S>>>,
    later: Option<&HistogramReading<S>>,
) -> Option<HistogramInterval<S::Counts>> {
    let later = &later?.histogram;
    match earlier {
        None => Some(later.clone().into()),
        Some(earlier) => later.since_saturating(&earlier?.histogram, S::BUCKET_FULL).ok(),
    }
}

impl<S: Storage> Interval<S> {
    /// Returns the length of the interval. `None` without a clock.
    pub fn wall(&self) -> Option<Duration> {
        self.wall
    }

    /// Returns the change on all workers together.
    pub fn total(&self) -> &WorkerInterval<S> {
        &self.total
    }

    /// Returns the worker with this index; `None` if the later snapshot has no entry for it.
    pub fn worker(&self, index: usize) -> Option<&WorkerInterval<S>> {
        let place = self.workers().binary_search_by_key(&index, WorkerInterval::index);
        self.workers().get(place.ok()?)
    }

    /// Returns the workers of the later snapshot, sorted by index.
    pub fn workers(&self) -> &[WorkerInterval<S>] {
        self.workers.as_slice()
    }

    /// Returns the increases of the task counts.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.tasks
    }

    /// Returns the histogram of the queue waits of blocking closures that started in the interval.
    pub fn blocking_queue_wait(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.blocking_queue_wait.as_ref()
    }

    pub(super) fn on_demand(&self, name: HistogramName) -> Option<&HistogramInterval<S::Counts>> {
        self.on_demand.get(position(name)?)?.as_slice().first()
    }
}
with_histograms!(histogram_getters Interval HistogramInterval);
