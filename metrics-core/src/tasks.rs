//! Counts of spawned and ended tasks. The thread that spawns or ends a task counts it, and readers see it at once.

use crate::cell::{OwnedCounter, SharedCounter};
use crate::sync::const_unless_loom;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TaskEnd {
    /// The task's future returned `Ready`.
    Completed,
    /// The task was dropped before it completed: it was aborted, or its runtime shut down.
    Cancelled,
    /// A poll of the task, or the drop of its future, panicked.
    Panicked,
}

/// One worker's task counts. They are outside the sequence count, so readers see them at once.
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

    // Ordering: release at the spawn and at the end of a task, pairs with the acquire in the reader, which loads all
    // ends before all spawns. Spawning a task happens before ending it, so a reader that sees an end also sees its
    // spawn. The number of alive tasks is therefore never negative.
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

/// The task counts of all threads outside the workers.
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

    // Without many-writer cells, no thread can count here, so the sums are complete.
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

/// The number of a runtime's tasks at one moment, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskCounts {
    /// Tasks that were spawned.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub spawned: u64,
    /// Tasks whose future returned `Ready`.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub completed: u64,
    /// Tasks that were dropped before their future returned `Ready`.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub cancelled: u64,
    /// Tasks that panicked.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub panicked: u64,
}

impl TaskCounts {
    /// Returns the number of tasks that were spawned and have not ended. Never negative: ends are read before spawns.
    pub const fn alive(&self) -> u64 {
        self.spawned.saturating_sub(self.ended())
    }

    /// Returns the number of tasks that have ended in any way.
    pub const fn ended(&self) -> u64 {
        self.completed
            .wrapping_add(self.cancelled)
            .wrapping_add(self.panicked)
    }
}
