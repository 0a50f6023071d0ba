//! Counting a spawn once the runtime has accepted the task.
//!
//! A runtime that has shut down refuses a task by dropping its future within the call that spawns it. Such a task was never one of the
//! runtime's: it counts neither as spawned nor as ended.

use core::cell::Cell;
use std::sync::Arc;

use metrics_core::RECORDING;

use super::runtime_leases::PolledBy;
use super::target::RecordingTarget;
use super::thread_leases;

/// A spawn that this thread is in the middle of.
#[derive(Clone, Copy)]
enum Spawn {
    None,
    InProgress,
    Refused,
}

thread_local! {
    static SPAWN: Cell<Spawn> = const { Cell::new(Spawn::None) };
}

/// Ends a spawn, also when it panics.
struct Restore(Spawn);

impl Drop for Restore {
    fn drop(&mut self) {
        SPAWN.set(self.0);
    }
}

/// Calls `spawn`, which hands a measured future to a runtime, and counts the task unless it was refused.
pub(crate) fn count_accepted<T>(
    target: &Arc<RecordingTarget>,
    polled_by: PolledBy,
    spawn: impl FnOnce() -> T,
) -> T {
    if !RECORDING {
        return spawn();
    }
    let before = Restore(SPAWN.replace(Spawn::InProgress));
    let spawned = spawn();
    if matches!(SPAWN.get(), Spawn::InProgress) {
        thread_leases::count_spawn(target, polled_by);
    }
    drop(before);
    spawned
}

/// A measured future that was never polled is about to be dropped on this thread. Returns whether the spawn in progress is refused by
/// that.
pub(crate) fn refuse() -> bool {
    let refused = matches!(SPAWN.get(), Spawn::InProgress);
    if refused {
        SPAWN.set(Spawn::Refused);
    }
    refused
}
