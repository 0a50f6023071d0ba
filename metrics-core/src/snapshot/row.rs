//! One worker in a snapshot.

use super::Measurements;
use crate::live::{LiveRecord, Site, WorkerState};
use crate::slot::Holder;
use crate::storage::Storage;
use crate::time::Timestamp;
use core::ops::Deref;
use core::time::Duration;

/// What a snapshot remembers of one slot: its last good reading and the sequence counts it was read under.
///
/// What is looked at even when nothing was submitted comes first, and fits one line of 64 bytes.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(C, align(64)))]
#[derive(Debug)]
pub(crate) struct Row<S: Storage> {
    pub(crate) holder: Holder,
    /// The sequence count of the reading; `None` before the first.
    pub(crate) seq: Option<u32>,
    pub(crate) stale: bool,
    pub(crate) live: Option<LiveRecord>,
    /// The last snapshot for which the reading was fresh, while it is stale.
    pub(crate) read_at: Timestamp,
    pub(crate) data: Measurements<S>,
}

#[cfg(all(
    feature = "alloc",
    not(metrics_core_loom),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
const _: () = assert!(core::mem::offset_of!(Row<crate::Heap>, read_at) <= 64);

impl<S: Storage> Row<S> {
    /// The worker that the slot serves, if any did yet.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.holder.worker()
    }

    /// Whether the slot was being written through every try of every snapshot: nothing is known of its numbers.
    pub(crate) fn is_unread(&self) -> bool {
        self.stale && self.seq.is_none()
    }

    /// Which of two slots of one worker tells what the worker does.
    pub(crate) fn supersedes(&self, other: &Self) -> bool {
        match (&self.live, &other.live) {
            (Some(live), Some(other)) => live.supersedes(other),
            (live, _) => live.is_some(),
        }
    }
}

impl<S: Storage> Clone for Row<S> {
    fn clone(&self) -> Self {
        Self {
            holder: self.holder,
            seq: self.seq,
            read_at: self.read_at,
            stale: self.stale,
            data: self.data.clone(),
            live: self.live,
        }
    }
}

/// A worker whose slot was being written through every try: the numbers are of an earlier snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Staleness {
    /// How long before this snapshot they were read. `None` if no snapshot ever read them (then each is `None`), or
    /// without a clock.
    pub age: Option<Duration>,
}

/// One worker: the sum of the slots that serve its index, and what it is doing now.
///
/// Counters and histograms are reached through [`Measurements`], to which this dereferences.
#[derive(Debug)]
pub struct WorkerSnapshot<S: Storage> {
    pub(crate) index: usize,
    pub(crate) measurements: Measurements<S>,
    pub(crate) live: Option<LiveRecord>,
    pub(crate) live_for: Option<Duration>,
    pub(crate) busy_in_progress: Option<Duration>,
    pub(crate) thread: Option<u64>,
    pub(crate) thread_name: S::Text,
    pub(crate) site_name: S::Text,
    pub(crate) stale: Option<Staleness>,
}

impl<S: Storage> Clone for WorkerSnapshot<S> {
    fn clone(&self) -> Self {
        Self {
            index: self.index,
            measurements: self.measurements.clone(),
            live: self.live,
            live_for: self.live_for,
            busy_in_progress: self.busy_in_progress,
            thread: self.thread,
            thread_name: self.thread_name.clone(),
            site_name: self.site_name.clone(),
            stale: self.stale,
        }
    }
}

impl<S: Storage> Deref for WorkerSnapshot<S> {
    type Target = Measurements<S>;

    fn deref(&self) -> &Measurements<S> {
        &self.measurements
    }
}

impl<S: Storage> WorkerSnapshot<S> {
    /// The worker's index.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it was doing when the snapshot was taken. `None` if its live record was being written through every try,
    /// or if no thread ever ran it. Of a worker that two threads serve, the one whose record is the later.
    pub fn live(&self) -> Option<&LiveRecord> {
        self.live.as_ref()
    }

    /// What it was doing; [`WorkerState::Idle`] if no thread runs it.
    pub fn state(&self) -> WorkerState {
        self.live.map_or(WorkerState::Idle, |live| live.state)
    }

    /// The spawn site of the task that it was polling.
    pub fn site(&self) -> Site {
        self.live.map_or(Site::UNKNOWN, |live| live.site)
    }

    /// File and line of that site; empty where it is not known.
    pub fn site_name(&self) -> &str {
        self.site_name.as_ref()
    }

    /// How long it had been doing that. `None` without a clock, or for a poll that is not timed.
    pub fn state_for(&self) -> Option<Duration> {
        self.live_for
    }

    /// Busy time not settled yet. A gauge beside `busy_duration_total`, never a part of it. `None` without a clock.
    pub fn busy_in_progress(&self) -> Option<Duration> {
        self.busy_in_progress
    }

    /// The adapter's number for the thread that runs it.
    pub fn thread(&self) -> Option<u64> {
        self.thread
    }

    /// That thread's name; empty where it is not known.
    pub fn thread_name(&self) -> &str {
        self.thread_name.as_ref()
    }

    /// Whether, and how far, its numbers lag behind the snapshot.
    pub fn staleness(&self) -> Option<Staleness> {
        self.stale
    }
}
