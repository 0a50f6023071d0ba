//! One task of the table: who writes which cell, and when.

use crate::cell::{OwnedCounter, OwnedU64, SharedU32, U64Cell};
use crate::seq::SeqCount;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// A row's owner: nobody yet, or (from 1 on) an executor by its index.
const NOBODY: u32 = 0;

/// The figures of one task on one executor.
///
/// A row belongs to a pair of executor and task for good: embassy's tasks live in statics, so an id that comes back is
/// the same task spawned again, and its counters go on. There are three kinds of cells, and each has one writer at a time:
///
/// - by whoever spawns the task (`spawned`): embassy lets nobody spawn a task that has not ended;
/// - by whoever wakes it (`wakes`, `stamps`): embassy's queued flag lets one wake through until the task is taken off the run
///   queue, and the next wake is ordered after that;
/// - by the executor's own context (everything under `seq`).
///
/// So a wake, which may come from an interrupt or from another core, never touches what the sequence count guards,
/// and nothing needs compare-and-swap but the claim of a fresh row.
#[derive(Debug)]
pub(super) struct Row {
    /// Who takes a row swaps this; nobody looks at it once there is an owner.
    claim: SharedU32,
    owner: AtomicU32,
    task: AtomicU32,
    spawned: OwnedCounter,
    wakes: OwnedCounter,
    /// When the task was queued, for its even and its odd wakes. The flag is cleared just before `task_exec_begin`, so that a
    /// wake may come between; it finds the other stamp, and the one after it can't come before this poll has ended.
    stamps: [OwnedU64; 2],
    seq: SeqCount,
    /// Times the task was taken off the queue: its parity names the stamp of the next time.
    taken: OwnedU64,
    polling: AtomicU32,
    polls: OwnedU64,
    ended: OwnedU64,
    active: OwnedU64,
    waiting: OwnedU64,
    longest: OwnedU64,
}

/// A coherent reading of a row, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowValues {
    pub(super) polling: bool,
    pub(super) polls: u64,
    pub(super) ended: u64,
    pub(super) active: u64,
    pub(super) waiting: u64,
    pub(super) longest: u64,
}

/// What is known when a task was taken off the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// When it was queued, in ticks.
    pub(super) queued_at: u64,
    /// Whether there is a future to poll: a task that was woken after its end is queued once more and not polled.
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
                seq: SeqCount::new(),
                taken: OwnedU64::new(0),
                polling: AtomicU32::new(0),
                polls: OwnedU64::new(0),
                ended: OwnedU64::new(0),
                active: OwnedU64::new(0),
                waiting: OwnedU64::new(0),
                longest: OwnedU64::new(0),
            }
        }
    }

    /// Whose row it is, as (executor's index, task), once that is known.
    #[inline]
    pub(super) fn key(&self) -> Option<(usize, u32)> {
        // Ordering: acquire, pairs with the release in `try_claim`: the task's id is there.
        let owner = self.owner.load(Ordering::Acquire);
        // Ordering: relaxed, stored once before the owner was.
        (owner != NOBODY).then(|| (owner as usize - 1, self.task.load(Ordering::Relaxed)))
    }

    /// Whether nobody has taken the row, or is about to.
    pub(super) fn is_free(&self) -> bool {
        self.claim.load_acquire() == FREE
    }

    /// Makes a free row that of `task` on the executor with this index.
    pub(super) fn try_claim(&self, executor: usize, task: u32) -> bool {
        let claimed = self.claim.claim(FREE, TAKEN);
        if claimed {
            self.task.store(task, Ordering::Relaxed);
            // Ordering: release, pairs with the acquire in `key`.
            self.owner.store(executor as u32 + 1, Ordering::Release);
        }
        claimed
    }

    /// The task was spawned.
    pub(super) fn spawn(&self) {
        self.spawned.increment_release();
    }

    /// The task is about to be queued.
    #[inline]
    pub(super) fn wake(&self, now: u64) {
        let [even, odd] = &self.stamps;
        let stamp = if self.wakes.load_acquire() & 1 == 0 {
            even
        } else {
            odd
        };
        stamp.set(now);
        // Ordering: release, pairs with the acquire in `take`: who sees the wake counted sees its stamp.
        self.wakes.increment_release();
    }

    /// The task was taken off the queue.
    #[inline]
    pub(super) fn take(&self, now: u64) -> Taken {
        let taken = self.taken.get();
        let [even, odd] = &self.stamps;
        let stamp = if taken & 1 == 0 { even } else { odd };
        // Ordering: acquire, pairs with the release in `wake`. embassy's queue already orders the two.
        let queued_at = if self.wakes.load_acquire() > taken {
            stamp.get()
        } else {
            now
        };
        let alive = self.spawned.load_acquire() > self.ended.get();
        self.seq.write(|| {
            self.taken.set(taken.wrapping_add(1));
            if alive {
                self.polling.store(1, Ordering::Relaxed);
                self.waiting.add(now.saturating_sub(queued_at));
            }
        });
        Taken { queued_at, alive }
    }

    /// Its poll ended after so many ticks of its own.
    #[inline]
    pub(super) fn end_poll(&self, ticks: u64) {
        self.seq.write(|| {
            self.polling.store(0, Ordering::Relaxed);
            self.polls.add(1);
            self.active.add(ticks);
            if ticks > self.longest.get() {
                self.longest.set(ticks);
            }
        });
    }

    /// The task ended, inside its last poll.
    pub(super) fn end(&self) {
        self.seq.write(|| self.ended.add(1));
    }

    pub(super) fn wakes(&self) -> u64 {
        self.wakes.load_acquire()
    }

    pub(super) fn spawned(&self) -> u64 {
        self.spawned.load_acquire()
    }

    /// One try to read what the executor writes; `None` if it is just being written.
    pub(super) fn try_read(&self) -> Option<RowValues> {
        self.seq.try_read(|| RowValues {
            polling: self.polling.load(Ordering::Relaxed) != 0,
            polls: self.polls.get(),
            ended: self.ended.get(),
            active: self.active.get(),
            waiting: self.waiting.get(),
            longest: self.longest.get(),
        })
    }
}
