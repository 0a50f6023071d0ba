//! Reading a registry's cells into a snapshot.
//!
//! A reader reads a slot until one attempt falls between two submits, and applies its values only then, so that it
//! never has to undo anything. Heap storage keeps a cache between snapshots, so that a snapshot costs only what has
//! changed since the last one. Storage in a `static` has no memory for a cache: it reads each slot in place.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod cache;
#[cfg(not(metrics_core_loom))]
mod fixed;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod locations;
#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod manual_clock;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod probed;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod remembered;
mod runtime;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod scratch;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod slots;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod snapshot_reader;
mod states;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use snapshot_reader::SnapshotReader;

pub(crate) use states::{Period, StateTimes};

use crate::live::{LiveRecord, LocationId, WorkerState};
use crate::probe::Probe;
use crate::snapshot::WorkerSnapshot;
use crate::storage::{Storage, Text};

/// A sum of mean poll times, each weighted by the number of polls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighted {
    sum: u128,
    weight: u128,
}

impl Weighted {
    /// Means stay below 2^51, so that a sum over 2^13 slots of 2^64 polls does not wrap.
    pub(crate) fn of(mean: u64, polls: u64) -> Self {
        match mean {
            0 => Self::default(),
            mean => {
                let weight = u128::from(polls.max(1));
                Self {
                    sum: u128::from(mean) * weight,
                    weight,
                }
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.weight = self.weight.wrapping_add(other.weight);
    }

    /// Replaces one term of the sum.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    fn replace(&mut self, old: Self, new: Self) {
        self.sum = self.sum.wrapping_add(new.sum.wrapping_sub(old.sum));
        self.weight = self.weight.wrapping_add(new.weight.wrapping_sub(old.weight));
    }

    /// Returns the mean with its fraction; zero without a sample.
    pub(crate) fn mean(&self) -> u64 {
        let mean = self.sum.checked_div(self.weight);
        mean.map_or(0, |mean| u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

/// Returns the state of a worker from its live record and from what the runtime reports.
///
/// A worker is reported as searching or running only if its hooks report both; these hooks measure its busy time.
/// Without them, a worker outside a poll is only known to be awake.
fn known_state(live: WorkerState, parked: Option<bool>, reports_running: bool) -> Option<WorkerState> {
    match (live, parked) {
        (WorkerState::Polling, _) => Some(WorkerState::Polling),
        (_, Some(true)) => Some(WorkerState::Parked),
        (WorkerState::Searching | WorkerState::Running, _) => reports_running.then_some(live),
        (_, Some(false)) => None,
        (_, None) => Some(live),
    }
}

/// Sets a worker's state from the record of the thread that runs it, or clears it.
fn set_state<S: Storage>(
    worker: &mut WorkerSnapshot<S>,
    live: Option<&LiveRecord>,
    reports_running: bool,
    probe: &impl Probe,
) {
    let state = live.map_or(WorkerState::Idle, |live| live.state);
    worker.state = known_state(state, None, reports_running);
    let spawn_location = live.map_or(LocationId::UNKNOWN, |live| live.spawn_location);
    if worker.spawn_location != spawn_location {
        worker.spawn_location_name.clear();
        if spawn_location != LocationId::UNKNOWN {
            // A name that does not fit is truncated.
            let _ = probe.write_location(spawn_location, &mut worker.spawn_location_name);
        }
        worker.spawn_location = spawn_location;
    }
}

/// Sets the number and the name of the thread that runs a worker; zero means no thread.
fn set_thread<S: Storage>(worker: &mut WorkerSnapshot<S>, thread: u64, probe: &impl Probe) {
    let thread = (thread != 0).then_some(thread);
    if worker.thread != thread {
        worker.thread_name.clear();
        if let Some(thread) = thread {
            // A name that does not fit is truncated.
            let _ = probe.write_thread(thread, &mut worker.thread_name);
        }
        worker.thread = thread;
    }
}
