//! One worker in a snapshot.

use super::Measurements;
use super::measurements::{HistogramReading, getter};
use crate::catalog::{WorkerNumber, with_worker_numbers};
use crate::live::{LocationId, WorkerState};
use crate::storage::{Storage, Text};
use core::time::Duration;

/// A worker whose slots were being written during every try: its numbers are those of an earlier snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Staleness {
    /// How long before this snapshot they were read. `None` without a clock, or if no reading has succeeded: then the numbers are
    /// [missing](WorkerSnapshot::is_missing).
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64::duration"))]
    pub age: Option<Duration>,
}

/// One worker: the sum of the slots that serve its index, and what it is doing now.
///
/// The counters have getters here; [`measurements`](Self::measurements) gives them together with the histograms.
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
    /// Nanoseconds, contained in the busy time of `measurements`.
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
    /// A worker of which nothing is known yet.
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

    /// The worker's index. That of external threads is larger than any worker's.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it was doing; [`WorkerState::Idle`] if no thread runs it. If two threads serve the worker, this is the state of the
    /// thread whose record is the later.
    ///
    /// `None` for a worker outside its polls whose runtime can't tell which of the other states it is in.
    pub fn state(&self) -> Option<WorkerState> {
        self.state
    }

    /// How long it had been doing that. `None` without a clock, or for a poll that is not timed.
    pub fn state_for(&self) -> Option<Duration> {
        self.state_for.map(Duration::from_nanos)
    }

    /// The spawn location of the task that it was polling.
    pub fn spawn_location(&self) -> LocationId {
        self.spawn_location
    }

    /// File and line of that location; empty where it is not known.
    pub fn spawn_location_name(&self) -> &str {
        self.spawn_location_name.as_ref()
    }

    /// The part of [`busy_duration_total`](Self::busy_duration_total) that is still going on. `None` without a clock.
    pub fn busy_in_progress(&self) -> Option<Duration> {
        self.busy_in_progress.map(Duration::from_nanos)
    }

    /// The adapter's number for the thread that runs it.
    pub fn thread(&self) -> Option<u64> {
        self.thread
    }

    /// That thread's name; empty where it is not known.
    pub fn thread_name(&self) -> &str {
        self.thread_name.as_ref()
    }

    /// Whether its numbers are older than the snapshot, and by how much.
    pub fn staleness(&self) -> Option<Staleness> {
        self.stale
    }

    /// Whether no reading of its slots has succeeded. All its numbers are `None` then, and so are the sums over all workers.
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// Its counters and histograms.
    pub fn measurements(&self) -> &Measurements<S> {
        &self.measurements
    }

    /// A number in its own unit (nanoseconds for durations), or `None` if the runtime does not measure it.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.measurements.counter(number)
    }

    /// The exponentially weighted mean of measured polls, alpha 1/10; `None` until the first.
    pub fn mean_poll_time(&self) -> Option<Duration> {
        self.measurements.mean_poll_time()
    }

    /// How long polls took.
    pub fn poll_time(&self) -> Option<&HistogramReading<S>> {
        self.measurements.poll_time()
    }

    /// How long scheduled tasks waited for their poll.
    pub fn schedule_latency(&self) -> Option<&HistogramReading<S>> {
        self.measurements.schedule_latency()
    }
}

macro_rules! getters {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        gauges { $($(#[$gauge_doc:meta])* $gauge_kind:ident $gauge:ident $worker_gauge:ident $gauge_variant:ident $gauge_exported:literal $gauge_unlike:literal,)* }
    ) => {
        /// The numbers, one by one. `None` where the runtime does not measure the number.
        impl<S: Storage> WorkerSnapshot<S> {
            $(getter!($(#[$doc])* $kind $name $variant);)*
            $(getter!($(#[$gauge_doc])* $gauge_kind $gauge $gauge_variant);)*
        }
    };
}
with_worker_numbers!(getters);
