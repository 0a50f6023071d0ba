//! One worker in a snapshot.

use super::Measurements;
use super::measurements::{HistogramReading, getter};
use crate::catalog::{WorkerNumber, in_unit, with_worker_numbers};
use crate::live::{LocationId, WorkerState};
use crate::storage::{Storage, Text};
use core::time::Duration;

/// The age of a worker's values, if its slots were being written during every attempt to read them and its values are
/// from an earlier snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Staleness {
    /// The time from the read of the values to this snapshot. `None` without a clock, or if no attempt has succeeded:
    /// the values are [missing](WorkerSnapshot::is_missing) then.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64::duration"))]
    pub age: Option<Duration>,
}

/// One worker in a [`Snapshot`](crate::Snapshot): its metrics, summed over the threads that serve its index, and its
/// current state.
///
/// The counters have getters here. [`measurements`](Self::measurements) returns them together with the histograms.
///
/// ```
/// # #[cfg(all(feature = "alloc", feature = "record"))] {
/// use metrics_core::{Builder, MetricSet, NoClock, RuntimeMetrics, Worker, WorkerState};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).expect("the configuration is valid");
/// let worker = Worker::lease(registry.clone(), 0).expect("a slot is free");
/// worker.park();
///
/// let snapshot = RuntimeMetrics::new(registry).snapshot();
/// let worker = snapshot.worker(0).expect("a thread runs the worker");
/// assert_eq!(worker.state(), Some(WorkerState::Parked));
/// assert_eq!(worker.park_count(), Some(1));
/// # }
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
pub struct WorkerSnapshot<S: Storage> {
    #[cfg_attr(feature = "serde", serde(rename = "worker", with = "super::wire::index"))]
    pub(crate) index: usize,
    pub(crate) state: Option<WorkerState>,
    /// Nanoseconds in that state.
    #[cfg_attr(feature = "serde", serde(rename = "since", with = "crate::serde_u64::option"))]
    pub(crate) state_for: Option<u64>,
    pub(crate) spawn_location: LocationId,
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_storage::text"))]
    pub(crate) spawn_location_name: S::Text,
    /// Nanoseconds. The busy time of `measurements` includes them.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64::option"))]
    pub(crate) busy_in_progress: Option<u64>,
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64::option"))]
    pub(crate) thread: Option<u64>,
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_storage::text"))]
    pub(crate) thread_name: S::Text,
    pub(crate) stale: Option<Staleness>,
    pub(crate) missing: bool,
    pub(crate) measurements: Measurements<S>,
}

impl<S: Storage> Clone for WorkerSnapshot<S> {
    fn clone(&self) -> Self {
        Self {
            spawn_location_name: self.spawn_location_name.clone(),
            thread_name: self.thread_name.clone(),
            measurements: self.measurements.clone(),
            ..*self
        }
    }
}

impl<S: Storage> WorkerSnapshot<S> {
    /// Creates a worker without known values.
    pub(crate) const fn new(index: usize) -> Self {
        Self {
            index,
            state: Some(WorkerState::Idle),
            state_for: None,
            spawn_location: LocationId::UNKNOWN,
            spawn_location_name: S::Text::EMPTY,
            busy_in_progress: None,
            thread: None,
            thread_name: S::Text::EMPTY,
            stale: None,
            missing: false,
            measurements: Measurements::NONE,
        }
    }

    /// Returns the worker's index. The index of external threads is larger than that of any worker.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the worker's state at the time of the snapshot; [`WorkerState::Idle`] if no thread runs it. If two
    /// threads serve the worker, this is the state from the later live record.
    ///
    /// `None` if the worker is not polling and its runtime does not report the other states.
    pub fn state(&self) -> Option<WorkerState> {
        self.state
    }

    /// Returns the time that the worker has been in this state. `None` without a clock, or for a poll that is not
    /// timed.
    pub fn state_for(&self) -> Option<Duration> {
        self.state_for.map(Duration::from_nanos)
    }

    /// Returns the spawn location of the task that the worker was polling.
    pub fn spawn_location(&self) -> LocationId {
        self.spawn_location
    }

    /// Returns the file and line of that location; empty if they are not known.
    pub fn spawn_location_name(&self) -> &str {
        self.spawn_location_name.as_ref()
    }

    /// Returns the part of [`busy_duration_total`](Self::busy_duration_total) that belongs to the busy period in
    /// progress. `None` without a clock.
    pub fn busy_in_progress(&self) -> Option<Duration> {
        self.busy_in_progress.map(Duration::from_nanos)
    }

    /// Returns the adapter's number for the thread that runs the worker.
    pub fn thread(&self) -> Option<u64> {
        self.thread
    }

    /// Returns that thread's name; empty if it is not known.
    pub fn thread_name(&self) -> &str {
        self.thread_name.as_ref()
    }

    /// Returns the age of the values if they are older than the snapshot, and `None` if they are current.
    pub fn staleness(&self) -> Option<Staleness> {
        self.stale
    }

    /// Returns `true` if no attempt to read the worker's slots has succeeded. Its values are all `None` then, and so
    /// are the sums over all workers.
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// Returns the worker's counters and histograms.
    pub fn measurements(&self) -> &Measurements<S> {
        &self.measurements
    }

    /// Returns a metric in its own unit (nanoseconds for durations), or `None` if the runtime does not measure it.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.measurements.counter(number)
    }

    /// Returns the exponentially weighted mean of measured polls, with alpha 1/10. `None` before the first,
    /// and on [`StaticStorage`](crate::StaticStorage), which keeps no mean.
    pub fn mean_poll_time(&self) -> Option<Duration> {
        self.measurements.mean_poll_time()
    }

    /// Returns the histogram of poll times.
    pub fn poll_time(&self) -> Option<&HistogramReading<S>> {
        self.measurements.poll_time()
    }

    /// Returns the histogram of schedule latency: the time from a task being scheduled to its poll.
    pub fn schedule_latency(&self) -> Option<&HistogramReading<S>> {
        self.measurements.schedule_latency()
    }
}

macro_rules! getters {
    (
        $($group:ident {
            $($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)*
        })*
    ) => {
        /// Getters of the metrics. Each is `None` if the runtime does not measure the metric.
        impl<S: Storage> WorkerSnapshot<S> {
            $($(getter!($(#[$doc])* $unit $name $variant);)*)*
        }
    };
}
with_worker_numbers!(getters);
