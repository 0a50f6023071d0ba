//! Counts a spawn after the runtime has accepted the task.
//!
//! A runtime that has shut down refuses a task: it drops the future within the call that spawns it. Such a task counts neither as spawned
//! nor as ended.

use core::cell::Cell;
use std::sync::Arc;

use metrics_core::{LocationId, RECORDING};

use super::runtime_leases::PolledBy;
use super::target::RecordingTarget;
use super::thread_leases;

/// The state of the spawn that this thread performs.
#[derive(Clone, Copy)]
enum Spawn {
    None,
    InProgress,
    Refused,
}

thread_local! {
    static SPAWN: Cell<Spawn> = const { Cell::new(Spawn::None) };
}

/// A spawn in progress on this thread. Begin it before a measured future is passed to a runtime. Dropping it without a call of
/// [`count_unless_refused`](Self::count_unless_refused), as when the runtime panics, counts nothing.
///
/// It is a guard and not a function that calls the runtime, so that the runtime sees the location of the user's call.
#[must_use = "the spawn is not counted"]
pub(crate) struct SpawnGuard {
    location: LocationId,
    outer: Spawn,
}

impl SpawnGuard {
    /// Begins the spawn of a task with this spawn location.
    pub(crate) fn begin(location: LocationId) -> Self {
        Self {
            location,
            outer: if RECORDING {
                SPAWN.replace(Spawn::InProgress)
            } else {
                Spawn::None
            },
        }
    }

    /// Counts the task unless the runtime has refused it.
    pub(crate) fn count_unless_refused(self, target: &Arc<RecordingTarget>, polled_by: PolledBy) {
        if RECORDING && matches!(SPAWN.get(), Spawn::InProgress) {
            thread_leases::count_spawn(target, polled_by, self.location);
        }
        drop(self);
    }
}

impl Drop for SpawnGuard {
    fn drop(&mut self) {
        if RECORDING {
            SPAWN.set(self.outer);
        }
    }
}

/// Notes that this thread is about to drop a measured future that was never polled. Returns whether this refuses the spawn in progress.
pub(crate) fn refuse() -> bool {
    let refused = matches!(SPAWN.get(), Spawn::InProgress);
    if refused {
        SPAWN.set(Spawn::Refused);
    }
    refused
}
