//! The difference of two snapshots: rates, ratios and quantiles of that time alone.

use super::measurements::{HistogramReading, getter};
use super::{Measurements, Snapshot};
use crate::catalog::{MetricSet, WorkerNumber, with_worker_numbers};
use crate::counters::WORKER_NUMBERS;
use crate::histogram::{HistogramInterval, HistogramSinceError};
use crate::storage::{Rows, Storage};
use crate::tasks::TaskCounts;
use core::fmt;
use core::time::Duration;

/// Why two snapshots have no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SinceError {
    /// The snapshots are of different runtimes, or of one before and after a restart.
    OtherEpoch,
    /// The other snapshot is the later one.
    NotEarlier,
    /// Histograms can't be subtracted.
    Histogram(HistogramSinceError),
}

impl fmt::Display for SinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEpoch => f.write_str(
                "the snapshots are of different runtimes or of different runs: compare those of one epoch",
            ),
            Self::NotEarlier => f.write_str("the other snapshot is the later one: call `since` on the later"),
            Self::Histogram(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SinceError {}

impl From<HistogramSinceError> for SinceError {
    fn from(error: HistogramSinceError) -> Self {
        Self::Histogram(error)
    }
}

/// What happened between two snapshots of one runtime.
#[derive(Debug)]
pub struct Interval<S: Storage> {
    wall: Option<Duration>,
    total: WorkerInterval<S>,
    workers: S::Rows<WorkerInterval<S>>,
    tasks: Option<TaskCounts>,
    blocking_queue_wait: Option<HistogramInterval<S::Counts>>,
}

/// What happened on one worker, or on all together.
pub struct WorkerInterval<S: Storage> {
    wall: Option<Duration>,
    /// Workers that this sums over.
    workers: usize,
    supplied: MetricSet,
    deltas: [u64; WORKER_NUMBERS],
    in_progress: Option<(Duration, Duration)>,
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
    /// What happened since an earlier snapshot of the same runtime. Neither is changed.
    ///
    /// # Errors
    /// [`SinceError`] if the two are not an earlier and a later one of the same run.
    pub fn since(&self, earlier: &Self) -> Result<Interval<S>, SinceError> {
        if self.epoch != earlier.epoch || self.name != earlier.name {
            return Err(SinceError::OtherEpoch);
        }
        if self.uptime < earlier.uptime {
            return Err(SinceError::NotEarlier);
        }
        let wall = self
            .uptime
            .zip(earlier.uptime)
            .map(|(now, then)| Duration::from_nanos(now - then));
        let mut workers = S::Rows::default();
        let mut in_progress = self.timed.then_some((Duration::ZERO, Duration::ZERO));
        for worker in self.workers() {
            // A worker that the earlier snapshot did not know had counted nothing then.
            let before = earlier.gather(worker.index());
            let progress = before.busy_in_progress().zip(worker.busy_in_progress());
            if let (Some((then, now)), Some((all_then, all_now))) = (progress, in_progress) {
                in_progress = Some((all_then.saturating_add(then), all_now.saturating_add(now)));
            }
            let unread = earlier.is_unread(worker.index());
            let interval = WorkerInterval::between(&before, unread, &worker, wall, progress, 1)?;
            if workers.try_push(interval).is_err() {
                break;
            }
        }
        let count = workers.as_slice().len();
        Ok(Interval {
            wall,
            total: WorkerInterval::between(
                &earlier.total(),
                earlier.unread,
                &self.total(),
                wall,
                in_progress,
                count,
            )?,
            workers,
            tasks: match (self.tasks(), earlier.tasks()) {
                (Some(now), Some(then)) => Some(TaskCounts {
                    spawned: now
                        .spawned
                        .checked_sub(then.spawned)
                        .ok_or(SinceError::NotEarlier)?,
                    completed: now
                        .completed
                        .checked_sub(then.completed)
                        .ok_or(SinceError::NotEarlier)?,
                    cancelled: now
                        .cancelled
                        .checked_sub(then.cancelled)
                        .ok_or(SinceError::NotEarlier)?,
                    panicked: now
                        .panicked
                        .checked_sub(then.panicked)
                        .ok_or(SinceError::NotEarlier)?,
                }),
                _ => None,
            },
            blocking_queue_wait: match (&self.blocking_queue_wait, &earlier.blocking_queue_wait) {
                (Some(now), Some(then)) => Some(now.since(then)?),
                _ => None,
            },
        })
    }
}

impl<S: Storage> WorkerInterval<S> {
    fn between(
        earlier: &Measurements<S>,
        earlier_unread: bool,
        later: &Measurements<S>,
        wall: Option<Duration>,
        in_progress: Option<(Duration, Duration)>,
        workers: usize,
    ) -> Result<Self, SinceError> {
        let mut deltas = [0; WORKER_NUMBERS];
        let counters = MetricSet::worker(WorkerNumber::COUNTERS);
        let supplied = later
            .supplied
            .intersection(earlier.supplied)
            .intersection(counters);
        for &counter in WorkerNumber::COUNTERS {
            if supplied.has_worker(counter) {
                let (now, then) = (later.values.get(counter), earlier.values.get(counter));
                deltas[counter as usize] = now.checked_sub(then).ok_or(SinceError::NotEarlier)?;
            }
        }
        let difference = |earlier: Option<&HistogramReading<S>>, later| match earlier {
            // There is no telling what of it happened before.
            None if earlier_unread => Ok(None),
            earlier => difference(earlier, later),
        };
        Ok(Self {
            wall,
            workers,
            supplied,
            deltas,
            in_progress,
            poll_time: difference(earlier.poll_time(), later.poll_time())?,
            schedule_latency: difference(earlier.schedule_latency(), later.schedule_latency())?,
        })
    }

    /// How much a counter grew, in its own unit. `None` if the runtime does not measure it.
    pub fn counter(&self, counter: WorkerNumber) -> Option<u64> {
        self.supplied
            .has_worker(counter)
            .then(|| self.deltas[counter as usize])
    }

    /// How much a counter grew per second. `None` also without a clock or for an empty interval.
    pub fn per_second(&self, counter: WorkerNumber) -> Option<f64> {
        let seconds = self.wall?.as_secs_f64();
        (seconds > 0.0).then_some(self.counter(counter)? as f64 / seconds)
    }

    /// The share of the time that was busy, from 0 to 1, averaged over the workers.
    ///
    /// Settled busy time of the interval, less what was in progress before it, plus what is in progress now, clamped.
    pub fn busy_ratio(&self) -> Option<f64> {
        let wall = self.wall?.as_nanos().saturating_mul(self.workers as u128);
        let (before, now) = self.in_progress.unwrap_or_default();
        let settled = u128::from(self.counter(WorkerNumber::BusyDurationTotal)?);
        let busy = settled
            .saturating_add(now.as_nanos())
            .saturating_sub(before.as_nanos());
        (wall > 0).then(|| busy.min(wall) as f64 / wall as f64)
    }

    /// Poll times of the interval alone.
    pub fn poll_time(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.poll_time.as_ref()
    }

    /// Schedule latencies of the interval alone.
    pub fn schedule_latency(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.schedule_latency.as_ref()
    }
}

macro_rules! getters {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        gauges { $($gauges:tt)* }
    ) => {
        /// How much the counters grew, one by one. `None` where the runtime does not measure the thing.
        impl<S: Storage> WorkerInterval<S> {
            $(getter!($(#[$doc])* $kind $name $variant);)*
        }
    };
}
with_worker_numbers!(getters);

fn difference<S: Storage>(
    earlier: Option<&HistogramReading<S>>,
    later: Option<&HistogramReading<S>>,
) -> Result<Option<HistogramInterval<S::Counts>>, HistogramSinceError> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => later.histogram.since(&earlier.histogram).map(Some),
        // A worker that no thread had run yet: everything happened since.
        (None, Some(later)) => Ok(Some(later.histogram.clone().into())),
        (_, None) => Ok(None),
    }
}

impl<S: Storage> Interval<S> {
    /// How long the interval was. `None` without a clock.
    pub fn wall(&self) -> Option<Duration> {
        self.wall
    }

    /// All workers together.
    pub fn total(&self) -> &WorkerInterval<S> {
        &self.total
    }

    /// One worker, or `None` if the later snapshot has none of that index.
    pub fn worker(&self, index: usize) -> Option<&WorkerInterval<S>> {
        self.workers.as_slice().get(index)
    }

    /// The workers, in the order of their indices.
    pub fn workers(&self) -> &[WorkerInterval<S>] {
        self.workers.as_slice()
    }

    /// Spawns and ends of covered tasks.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.tasks
    }

    /// How long blocking closures waited that were started in the interval.
    pub fn blocking_queue_wait(&self) -> Option<&HistogramInterval<S::Counts>> {
        self.blocking_queue_wait.as_ref()
    }
}
