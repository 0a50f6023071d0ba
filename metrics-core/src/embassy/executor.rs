//! One executor: its state, its times, and its preemption.

use crate::cell::{OwnedU64, SharedU32, U64Cell};
use crate::seq::SeqCount;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};

/// The state of an executor, from its hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ExecutorState {
    /// Never polled.
    #[default]
    New,
    /// Waiting to be polled.
    Idle,
    /// Being polled, between two tasks.
    Scheduling,
    /// Polling a task.
    Polling,
}

impl ExecutorState {
    const fn from_bits(bits: u32) -> Self {
        match bits {
            1 => Self::Idle,
            2 => Self::Scheduling,
            3 => Self::Polling,
            _ => Self::New,
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::New => 0,
            Self::Idle => 1,
            Self::Scheduling => 2,
            Self::Polling => 3,
        }
    }
}

/// No executor, row or core.
pub(super) const NONE: u32 = u32::MAX;
/// A task without a row, between `task_exec_begin` and its end.
pub(super) const OVERFLOW: u32 = u32::MAX - 1;
/// A task that had ended, between `task_exec_begin` and its end: nothing is polled.
pub(super) const ENDED: u32 = u32::MAX - 2;

/// The cells of one executor. All except `id` and `taken_from` are private to its own context and guarded by `seq`.
#[derive(Debug)]
pub(super) struct Executor<const EXECUTORS: usize> {
    /// embassy's number with the lowest bit set (an address has it clear), or zero while the slot is free. `known` is
    /// a copy for all contexts that only read: on a target without compare-and-swap, `id` is read in a critical
    /// section.
    id: SharedU32,
    known: AtomicU32,
    seq: SeqCount,
    state: AtomicU32,
    /// The start of the state, and the ticks taken from the executor up to then.
    since: OwnedU64,
    taken_since: OwnedU64,
    idle: OwnedU64,
    scheduling: OwnedU64,
    polling: OwnedU64,
    preempted: OwnedU64,
    /// Ends and polls of tasks without a row.
    overflow_ended: OwnedU64,
    overflow_polls: OwnedU64,
    overflow_active: OwnedU64,
    overflow_longest: OwnedU64,
    /// The row of the task being polled.
    current: AtomicU32,
    /// While it is polled: the core on which it is polled, and the executor that it preempted there.
    core: AtomicU32,
    beneath: AtomicU32,
    /// The start of its poll.
    entered: OwnedU64,
    /// The ticks that this executor has taken from each other one by preemption, and the number of writes of each.
    taken_from: [OwnedU64; EXECUTORS],
    charges: AtomicU32,
}

/// A consistent read of an executor, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExecutorValues {
    pub(super) state: ExecutorState,
    pub(super) since: u64,
    pub(super) idle: u64,
    pub(super) scheduling: u64,
    pub(super) polling: u64,
    pub(super) preempted: u64,
    pub(super) overflow_ended: u64,
    pub(super) overflow_polls: u64,
    pub(super) overflow_active: u64,
    pub(super) overflow_longest: u64,
}

/// A timestamp with the ticks taken from an executor up to then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: u64,
    pub(super) taken: u64,
}

/// The time in the state that an executor left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Its own ticks.
    pub(super) own: u64,
    /// The ticks that other executors took in the meantime.
    pub(super) taken: u64,
}

impl<const EXECUTORS: usize> Executor<EXECUTORS> {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                id: SharedU32::new(0),
                known: AtomicU32::new(0),
                seq: SeqCount::new(),
                state: AtomicU32::new(0),
                since: OwnedU64::new(0),
                taken_since: OwnedU64::new(0),
                idle: OwnedU64::new(0),
                scheduling: OwnedU64::new(0),
                polling: OwnedU64::new(0),
                preempted: OwnedU64::new(0),
                overflow_ended: OwnedU64::new(0),
                overflow_polls: OwnedU64::new(0),
                overflow_active: OwnedU64::new(0),
                overflow_longest: OwnedU64::new(0),
                current: AtomicU32::new(NONE),
                core: AtomicU32::new(NONE),
                beneath: AtomicU32::new(NONE),
                entered: OwnedU64::new(0),
                taken_from: [const { OwnedU64::new(0) }; EXECUTORS],
                charges: AtomicU32::new(0),
            }
        }
    }

    /// Returns embassy's number of the executor that holds the slot, with its lowest bit set; zero if the slot is
    /// free.
    #[inline(always)]
    pub(super) fn id(&self) -> u32 {
        // Ordering: relaxed, here and below: the number publishes no other data. The cells that it names were zero
        // from the start.
        match self.known.load(Ordering::Relaxed) {
            0 => self.id.load_acquire(),
            id => id,
        }
    }

    /// Returns `true` if the slot belongs to the executor with this number.
    #[inline(always)]
    pub(super) fn is(&self, id: u32) -> bool {
        self.id() == id
    }

    pub(super) fn try_claim(&self, id: u32) -> bool {
        let claimed = self.id.claim(0, id);
        if claimed {
            self.known.store(id, Ordering::Relaxed);
        }
        claimed
    }

    /// Enters `state`, and adds the time since the last change to the state that it leaves.
    #[inline]
    pub(super) fn enter(&self, state: ExecutorState, moment: Moment) -> Passed {
        let wall = moment.now.saturating_sub(self.since.get());
        let taken = moment.taken.saturating_sub(self.taken_since.get()).min(wall);
        let passed = Passed {
            own: wall - taken,
            taken,
        };
        self.seq.write(|| {
            // Ordering: relaxed, within the sequence count.
            match ExecutorState::from_bits(self.state.load(Ordering::Relaxed)) {
                // Only a running executor is preempted: code that runs while this executor is idle takes nothing from
                // it.
                ExecutorState::Idle => self.idle.add(wall),
                ExecutorState::Scheduling => {
                    self.scheduling.add(passed.own);
                    self.preempted.add(taken);
                }
                ExecutorState::Polling => {
                    self.polling.add(passed.own);
                    self.preempted.add(taken);
                }
                ExecutorState::New => {}
            }
            self.state.store(state.bits(), Ordering::Relaxed);
            self.since.set(moment.now);
            self.taken_since.set(moment.taken);
        });
        passed
    }

    /// Counts the end of a poll of a task without a row.
    pub(super) fn end_overflow_poll(&self, ticks: u64) {
        self.seq.write(|| {
            self.overflow_polls.add(1);
            self.overflow_active.add(ticks);
            if ticks > self.overflow_longest.get() {
                self.overflow_longest.set(ticks);
            }
        });
    }

    /// Counts the end of a task without a row.
    pub(super) fn end_overflow(&self) {
        self.seq.write(|| self.overflow_ended.add(1));
    }

    /// Returns the number of tasks without a row that ended here. For contexts that can't interrupt this executor, or
    /// accept a count that is one too low.
    pub(super) fn overflow_ended(&self) -> u64 {
        self.overflow_ended.get()
    }

    // Ordering: relaxed here and below: private to the executor's own context.
    #[inline(always)]
    pub(super) fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_current(&self, row: u32) {
        self.current.store(row, Ordering::Relaxed);
    }

    pub(super) fn preempting(&self) -> (u32, u32) {
        (
            self.core.load(Ordering::Relaxed),
            self.beneath.load(Ordering::Relaxed),
        )
    }

    /// Marks the executor as polled on `core`, above `beneath`, since `entered`.
    pub(super) fn preempt(&self, core: u32, beneath: u32, entered: u64) {
        self.core.store(core, Ordering::Relaxed);
        self.beneath.store(beneath, Ordering::Relaxed);
        self.entered.set(entered);
    }

    /// Returns the time that it has been polled at `now`.
    pub(super) fn polled_for(&self, now: u64) -> u64 {
        now.saturating_sub(self.entered.get())
    }

    /// Charges ticks to the executor that this one preempted.
    pub(super) fn charge(&self, beneath: usize, ticks: u64) {
        if ticks != 0
            && let Some(cell) = self.taken_from.get(beneath)
        {
            cell.add(ticks);
            // Ordering: release, pairs with the acquire in `charges`. The writer is one context, so load and store suffice.
            self.charges.store(
                self.charges.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Release,
            );
        }
    }

    #[inline(always)]
    pub(super) fn charges(&self) -> u32 {
        // Ordering: acquire, pairs with the release in `charge`: ticks read after this are at least those.
        self.charges.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(super) fn taken_from(&self, beneath: usize) -> u64 {
        self.taken_from.get(beneath).map_or(0, U64Cell::get)
    }

    /// Tries once to read the data that the executor's context writes; `None` during a write.
    pub(super) fn try_read(&self) -> Option<ExecutorValues> {
        self.seq.try_read(|| ExecutorValues {
            state: ExecutorState::from_bits(self.state.load(Ordering::Relaxed)),
            since: self.since.get(),
            idle: self.idle.get(),
            scheduling: self.scheduling.get(),
            polling: self.polling.get(),
            preempted: self.preempted.get(),
            overflow_ended: self.overflow_ended.get(),
            overflow_polls: self.overflow_polls.get(),
            overflow_active: self.overflow_active.get(),
            overflow_longest: self.overflow_longest.get(),
        })
    }
}
