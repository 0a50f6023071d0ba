//! Hooks for the futures of a group, such as the requests of one route, whose polls are parts of polls of tasks.

use super::Worker;
use crate::live::{LocationId, UNTIMED, WorkerState};
use crate::locations::{GroupId, LocationRow};
use crate::registry::RegistryRef;
use crate::storage::HeapStorage;
use crate::switches::Sampling;
use crate::time::Timestamp;

/// A poll of a group's future that is in progress. Returned by [`Worker::start_group_poll`].
///
/// Dropping it ends the poll, even if the poll panics, and records it in the row of the group. Readers see it at once.
/// Drop it before the end of the poll of the task around it. If the worker is in no poll of a task, submit afterwards.
#[derive(Debug)]
#[must_use = "dropping it ends the poll"]
pub struct GroupPoll<'a, R: RegistryRef<Storage = HeapStorage>> {
    worker: &'a Worker<R>,
    group: GroupId,
    /// The location that the live record showed before. `None` if the worker was in no poll.
    outer: Option<LocationId>,
    started: Option<Timestamp>,
}

/// Futures of a group.
impl<R: RegistryRef<Storage = HeapStorage>> Worker<R> {
    /// Counts a future of a group that was started on this worker's thread. Readers see it at once, without a submit.
    pub fn group_started(&self, group: GroupId) {
        if let Some(row) = self.group_row(group) {
            row.spawned();
        }
    }

    /// Counts a future of a group that ended on this worker's thread. Readers see it at once, without a submit.
    pub fn group_ended(&self, group: GroupId) {
        if let Some(row) = self.group_row(group) {
            row.ended();
        }
    }

    /// Reports that a task is about to poll a future of a group. The live record shows the group in place of the task's
    /// spawn location until the result is dropped.
    ///
    /// The poll is timed unless the switch of poll times is off, even if the poll of the task is not sampled. That takes
    /// two readings of the clock. No histogram includes it, and `poll_count` does not count it. If the worker is in no
    /// poll, because the task is not measured, the live record shows this poll.
    pub fn start_group_poll(&self, group: GroupId) -> GroupPoll<'_, R> {
        let live = &self.slot.live;
        let outer = live.is(WorkerState::Polling).then(|| live.polled_location());
        let is_timed = self.registry.is_timed() && self.registry.switches().poll_time() != Sampling::Off;
        let started = is_timed.then(|| self.now());
        match outer {
            Some(_) => live.set_spawn_location(group.location()),
            None => live.start_uncounted_poll(group.location(), started.map_or(UNTIMED, Timestamp::ticks)),
        }
        GroupPoll {
            worker: self,
            group,
            outer,
            started,
        }
    }

    fn group_row(&self, group: GroupId) -> Option<&LocationRow> {
        self.details.as_ref()?.rows.as_ref()?.of_group(group)
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> Drop for GroupPoll<'_, R> {
    fn drop(&mut self) {
        let worker = self.worker;
        let live = &worker.slot.live;
        // The thread may have handed over its worker in the poll.
        if live.is(WorkerState::Polling) {
            match self.outer {
                Some(outer) => live.set_spawn_location(outer),
                None => worker.hooks().end_root_poll(),
            }
        }
        if self.outer.is_none() {
            worker.discard_last_timestamp();
        }
        if let Some(row) = worker.group_row(self.group) {
            let scale = worker.registry.scale();
            let nanos = self
                .started
                .and_then(|started| scale.checked_nanos(worker.now(), started));
            row.record(nanos, None);
        }
    }
}
