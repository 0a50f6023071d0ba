//! The state of a slot and of a worker that a reader caches between two snapshots.

use super::Weighted;
use super::states::{Period, StateTimes};
use crate::live::{LiveRecord, UNTIMED, WorkerState};
use crate::record::HeapBuckets;
use crate::slot::{EXTERNAL, Holder, Slot};
use crate::snapshot::WorkerSnapshot;
use crate::storage::HeapStorage;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// The cached state of a slot.
#[derive(Debug)]
pub(super) struct SlotCache {
    pub(super) holder: Holder,
    /// The sequence count under which its values were read; `None` before the first read.
    pub(super) seq: Option<u32>,
    pub(super) live: Option<LiveRecord>,
    /// The position of its worker.
    pub(super) worker: u32,
    /// The next slot of the same worker.
    pub(super) next: u32,
    pub(super) thread: u64,
    /// Whether everything that had ended at the time of its live record was submitted.
    pub(super) is_submitted: bool,
    /// The time in ticks up to which the values that were read last are complete.
    pub(super) read_until: u64,
    /// The time in ticks up to which the values in the snapshot are complete.
    pub(super) settled_at: u64,
    /// The state whose time is not in the values yet.
    pub(super) period: Period,
}

/// The cached state of a worker, in addition to its entry in the snapshot.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that do not exclude each other"
)]
pub(super) struct WorkerCache {
    pub(super) index: usize,
    /// The position of its entry.
    pub(super) entry: u32,
    /// Its slots.
    pub(super) first: u32,
    pub(super) last: u32,
    /// Whether it is in the list of changed workers.
    pub(super) is_listed: bool,
    pub(super) numbers_changed: bool,
    /// Whether its slots have been read.
    pub(super) is_read: bool,
    /// Whether hooks measure its busy time or its time in another state.
    pub(super) measures_states: bool,
    /// Whether the time in its states must be recomputed, even though no period is in progress.
    pub(super) recomputes_states: bool,
    pub(super) has_period: bool,
    pub(super) measured_every_poll: bool,
    /// Its live record.
    pub(super) live_state: WorkerState,
    /// The time in ticks since which it has been in its state; [`UNTIMED`] if it is not known.
    pub(super) since: u64,
    /// The time that its slots count.
    pub(super) settled: StateTimes,
    pub(super) polls: u64,
    /// The number of polls whose duration its slots count.
    pub(super) samples: u64,
    pub(super) mean: Weighted,
}

impl SlotCache {
    pub(super) fn new(worker: u32) -> Self {
        Self {
            holder: Holder::default(),
            seq: None,
            live: None,
            worker,
            next: NONE,
            thread: 0,
            is_submitted: false,
            read_until: 0,
            settled_at: 0,
            period: Period::NONE,
        }
    }

    /// Returns `true` if the slot has not changed since it was read.
    #[inline(always)]
    pub(super) fn is_unchanged(&self, slot: &Slot<HeapBuckets>, holder: Holder) -> bool {
        self.holder == holder
            && self.seq.is_some()
            && slot.seq.begin() == self.seq
            && self.live.as_ref().is_some_and(|live| slot.live.is_still(live))
    }

    /// Returns `true` if this slot's thread, and not the other slot's, runs the worker that both serve.
    pub(super) fn supersedes(&self, other: &Self) -> bool {
        match (&self.live, &other.live) {
            (Some(live), Some(other)) => live.supersedes(other),
            (live, _) => live.is_some(),
        }
    }
}

impl WorkerCache {
    pub(super) fn new(index: usize, entry: usize, measures_states: bool) -> Self {
        Self {
            index,
            entry: entry as u32,
            first: NONE,
            last: NONE,
            is_listed: false,
            numbers_changed: false,
            is_read: false,
            measures_states,
            recomputes_states: measures_states,
            has_period: false,
            measured_every_poll: false,
            live_state: WorkerState::Idle,
            since: UNTIMED,
            settled: StateTimes::default(),
            polls: 0,
            samples: 0,
            mean: Weighted::default(),
        }
    }

    /// Returns its entry in the snapshot.
    #[inline(always)]
    pub(super) fn entry_of<'a>(
        &self,
        workers: &'a mut [WorkerSnapshot<HeapStorage>],
        external: &'a mut [WorkerSnapshot<HeapStorage>],
    ) -> Option<&'a mut WorkerSnapshot<HeapStorage>> {
        match self.index {
            EXTERNAL => external.first_mut(),
            _ => workers.get_mut(self.entry as usize),
        }
    }

    /// Adds a slot, after those that have lower numbers.
    pub(super) fn link(&mut self, slot: u32, slots: &mut [SlotCache]) {
        match slots.get_mut(self.last as usize) {
            Some(last) => last.next = slot,
            None => self.first = slot,
        }
        self.last = slot;
    }
}
