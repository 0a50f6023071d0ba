//! Spawns and ends of tasks: counted by the thread they happen on, visible at once.

use crate::cell::{OwnedCounter, SharedCounter};
use crate::sync::const_unless_loom;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TaskEnd {
    /// Its future returned `Ready`.
    Completed,
    /// It was dropped before that: aborted, or its runtime shut down.
    Cancelled,
    /// A poll of it panicked.
    Panicked,
}

/// One worker's task counts. Outside the sequence count: a spawn is seen at once.
#[derive(Debug)]
pub(crate) struct TaskCells {
    completed: OwnedCounter,
    cancelled: OwnedCounter,
    panicked: OwnedCounter,
    spawned: OwnedCounter,
}

impl TaskCells {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                completed: OwnedCounter::new(),
                cancelled: OwnedCounter::new(),
                panicked: OwnedCounter::new(),
                spawned: OwnedCounter::new(),
            }
        }
    }

    // Ordering: release on both sides of a task's life, acquire in the reader, which loads every end before any
    // spawn. An end that it sees brings the task's spawn with it, since spawning a task happens before ending it; so
    // the spawns it then sums include that one, and alive is never negative.
    #[inline(always)]
    pub(crate) fn spawned(&self) {
        self.spawned.increment_release();
    }

    #[inline(always)]
    pub(crate) fn ended(&self, end: TaskEnd) {
        match end {
            TaskEnd::Completed => self.completed.increment_release(),
            TaskEnd::Cancelled => self.cancelled.increment_release(),
            TaskEnd::Panicked => self.panicked.increment_release(),
        }
    }

    #[inline(always)]
    pub(crate) fn add_ends(&self, to: &mut TaskCounts) {
        to.completed = to.completed.wrapping_add(self.completed.load_acquire());
        to.cancelled = to.cancelled.wrapping_add(self.cancelled.load_acquire());
        to.panicked = to.panicked.wrapping_add(self.panicked.load_acquire());
    }

    #[inline(always)]
    pub(crate) fn add_spawns(&self, to: &mut TaskCounts) {
        to.spawned = to.spawned.wrapping_add(self.spawned.load_acquire());
    }
}

/// The same for everybody who is no worker.
#[derive(Debug)]
pub(crate) struct SharedTaskCells {
    completed: SharedCounter,
    cancelled: SharedCounter,
    panicked: SharedCounter,
    spawned: SharedCounter,
}

impl SharedTaskCells {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                completed: SharedCounter::new(),
                cancelled: SharedCounter::new(),
                panicked: SharedCounter::new(),
                spawned: SharedCounter::new(),
            }
        }
    }

    pub(crate) fn spawned(&self) {
        self.spawned.increment_release();
    }

    pub(crate) fn ended(&self, end: TaskEnd) {
        match end {
            TaskEnd::Completed => self.completed.increment_release(),
            TaskEnd::Cancelled => self.cancelled.increment_release(),
            TaskEnd::Panicked => self.panicked.increment_release(),
        }
    }

    // Where there are no many-writer cells nobody could count in them, so nothing is missing from the sums.
    pub(crate) fn add_ends(&self, to: &mut TaskCounts) {
        to.completed = to
            .completed
            .wrapping_add(self.completed.load_acquire().unwrap_or(0));
        to.cancelled = to
            .cancelled
            .wrapping_add(self.cancelled.load_acquire().unwrap_or(0));
        to.panicked = to
            .panicked
            .wrapping_add(self.panicked.load_acquire().unwrap_or(0));
    }

    pub(crate) fn add_spawns(&self, to: &mut TaskCounts) {
        to.spawned = to.spawned.wrapping_add(self.spawned.load_acquire().unwrap_or(0));
    }
}

/// Tasks of a runtime at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskCounts {
    /// Tasks accepted.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub spawned: u64,
    /// Tasks whose future returned `Ready`.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub completed: u64,
    /// Tasks dropped before that.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub cancelled: u64,
    /// Tasks that panicked.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub panicked: u64,
}

impl TaskCounts {
    /// Tasks spawned and not yet ended. Never negative: ends are read before spawns.
    pub const fn alive(&self) -> u64 {
        self.spawned.saturating_sub(self.ended())
    }

    /// Tasks that have ended, in whatever way.
    pub const fn ended(&self) -> u64 {
        self.completed
            .wrapping_add(self.cancelled)
            .wrapping_add(self.panicked)
    }
}
