//! Counts a spawn after the runtime has accepted the task.
//!
//! A runtime that has shut down refuses a task: it drops the future within the call that spawns it. Such a task counts neither as spawned
//! nor as ended.

use core::cell::Cell;
use std::sync::Arc;

use metrics_core::RECORDING;

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

/// Restores the state of the outer spawn when it is dropped, also when the spawn panics.
struct Restore(Spawn);

impl Drop for Restore {
    fn drop(&mut self) {
        SPAWN.set(self.0);
    }
}

/// Calls `spawn`, which passes a measured future to a runtime, and counts the task unless the runtime refuses it.
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

/// Notes that this thread is about to drop a measured future that was never polled. Returns whether this refuses the spawn in progress.
pub(crate) fn refuse() -> bool {
    let refused = matches!(SPAWN.get(), Spawn::InProgress);
    if refused {
        SPAWN.set(Spawn::Refused);
    }
    refused
}
