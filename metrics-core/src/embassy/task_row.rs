//! One task of the table: its cells, and the context that writes each.

use super::name::{NameCells, TaskName};
use crate::cell::{OwnedCounter, OwnedU64, SharedU32, U64Cell};
use crate::sync::{AtomicU32, Ordering, const_unless_loom};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// The owner of a row: 0 for a free row, or an executor's index from 1 on.
const NOBODY: u32 = 0;

/// The metrics of one task on one executor.
///
/// A row belongs to one pair of executor and task forever: embassy's tasks are in statics, so a repeated id is the
/// same task spawned again, and its counters continue. There are three kinds of cells, and each has one writer at a
/// time:
///
/// - the context that spawns the task writes `spawned`: embassy allows no spawn of a task that has not ended;
/// - the context that wakes it writes `wakes` and `stamps`: embassy's queued flag allows one wake until the task is
///   removed from the run queue, and the next wake is ordered after that;
/// - the executor's own context writes the rest, under the sequence count of its worker's slot.
///
/// A wake, which may come from an interrupt or from another core, therefore never accesses the data that the sequence
/// count guards. Only the claim of a free row needs compare-and-swap.
#[derive(Debug)]
pub(super) struct Row {
    /// Swapped to claim the row. It is not read once the row has an owner.
    claim: SharedU32,
    owner: AtomicU32,
    task: AtomicU32,
    spawned: OwnedCounter,
    wakes: OwnedCounter,
    /// The times at which the task was queued, for its even and its odd wakes. The flag is cleared just before
    /// `task_exec_begin`, so a wake may come in between. It uses the other stamp, and the wake after it can't come
    /// before this poll has ended.
    stamps: [OwnedU64; 2],
    /// The number of times the task was removed from the queue. Its parity selects the stamp of the next time.
    taken: AtomicU32,
    polls: OwnedU64,
    ended: OwnedU64,
    active: OwnedU64,
    waiting: OwnedU64,
    longest: OwnedU64,
    name: NameCells,
}

/// A consistent read of a row, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowValues {
    pub(super) polling: bool,
    pub(super) polls: u64,
    pub(super) ended: u64,
    pub(super) active: u64,
    pub(super) waiting: u64,
    pub(super) longest: u64,
}

/// The data known when a task is removed from the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// The time at which it was queued, in ticks.
    pub(super) queued_at: u64,
    /// Whether there is a future to poll. A task that was woken after its end is queued once more and not polled.
    pub(super) alive: bool,
}

impl Row {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                claim: SharedU32::new(FREE),
                owner: AtomicU32::new(NOBODY),
                task: AtomicU32::new(0),
                spawned: OwnedCounter::new(),
                wakes: OwnedCounter::new(),
                stamps: [OwnedU64::new(0), OwnedU64::new(0)],
                taken: AtomicU32::new(0),
                polls: OwnedU64::new(0),
                ended: OwnedU64::new(0),
                active: OwnedU64::new(0),
                waiting: OwnedU64::new(0),
                longest: OwnedU64::new(0),
                name: NameCells::new(),
            }
        }
    }

    /// Returns the owner of the row as (executor's index, task), once it is known.
    #[inline]
    pub(super) fn key(&self) -> Option<(usize, u32)> {
        // Ordering: acquire, pairs with the release in `try_claim`: the task's id is visible.
        let owner = self.owner.load(Ordering::Acquire);
        // Ordering: relaxed, stored once before the owner.
        (owner != NOBODY).then(|| (owner as usize - 1, self.task.load(Ordering::Relaxed)))
    }

    /// Returns `true` if this is the row of `task` on the executor with this index.
    #[inline(always)]
    pub(super) fn belongs_to(&self, executor: usize, task: u32) -> bool {
        // Ordering: as in `key`.
        self.owner.load(Ordering::Acquire) == executor as u32 + 1 && self.task.load(Ordering::Relaxed) == task
    }

    /// Returns `true` if no context has claimed the row, or is claiming it.
    pub(super) fn is_free(&self) -> bool {
        self.claim.load_acquire() == FREE
    }

    /// Claims a free row for `task` on the executor with this index.
    pub(super) fn try_claim(&self, executor: usize, task: u32) -> bool {
        let claimed = self.claim.claim(FREE, TAKEN);
        if claimed {
            self.task.store(task, Ordering::Relaxed);
            // Ordering: release, pairs with the acquire in `key`.
            self.owner.store(executor as u32 + 1, Ordering::Release);
        }
        claimed
    }

    /// Counts a spawn of the task.
    pub(super) fn spawn(&self) {
        self.spawned.increment_release();
    }

    /// Stamps the task, which is about to be queued.
    #[inline]
    pub(super) fn wake(&self, now: u64) {
        let [even, odd] = &self.stamps;
        let stamp = if self.wakes.low_acquire() & 1 == 0 {
            even
        } else {
            odd
        };
        stamp.set(now);
        // Ordering: release, pairs with the acquire in `take`: a reader that sees the count of the wake sees its
        // stamp.
        self.wakes.increment_release();
    }

    /// Removes the task from the queue. For a write section.
    #[inline]
    pub(super) fn take(&self, now: u64) -> Taken {
        let taken = self.taken.load(Ordering::Relaxed);
        let [even, odd] = &self.stamps;
        let stamp = if taken & 1 == 0 { even } else { odd };
        // Ordering: acquire, pairs with the release in `wake`. embassy's queue already orders the two. The counts
        // differ by less than two, so it suffices to compare their low words.
        let queued_at = if self.wakes.low_acquire() == taken {
            now
        } else {
            stamp.get()
        };
        let alive = self.spawned.low_acquire() != self.ended.low();
        self.taken.store(taken.wrapping_add(1), Ordering::Relaxed);
        if alive {
            // Two cores may disagree about the time.
            if let Some(ticks) = now.checked_sub(queued_at) {
                self.waiting.add(ticks);
            }
        }
        Taken { queued_at, alive }
    }

    /// Records a poll that ended, with its own ticks. For a write section.
    #[inline]
    pub(super) fn end_poll(&self, ticks: u64) {
        self.polls.add(1);
        self.active.add(ticks);
        if ticks > self.longest.get() {
            self.longest.set(ticks);
        }
    }

    /// Counts the end of the task, which comes inside its last poll. For a write section.
    pub(super) fn end(&self) {
        self.ended.add(1);
    }

    pub(super) fn set_name(&self, name: &str) {
        self.name.set(name);
    }

    pub(super) fn name(&self) -> TaskName {
        self.name.get()
    }

    pub(super) fn wakes(&self) -> u64 {
        self.wakes.load_acquire()
    }

    pub(super) fn spawned(&self) -> u64 {
        self.spawned.load_acquire()
    }

    /// Reads the data that the executor writes, within its slot's sequence count, without a poll in progress.
    pub(super) fn read(&self) -> RowValues {
        RowValues {
            polling: false,
            polls: self.polls.get(),
            ended: self.ended.get(),
            active: self.active.get(),
            waiting: self.waiting.get(),
            longest: self.longest.get(),
        }
    }
}
