//! One executor: its state, where its time went, and what preempted it.

use crate::cell::{OwnedU64, SharedU32, U64Cell};
use crate::seq::SeqCount;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};

/// What an executor is doing, as its hooks told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ExecutorState {
    /// It was never polled.
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
/// What runs between `task_exec_begin` and its end: a task without a row.
pub(super) const OVERFLOW: u32 = u32::MAX - 1;
/// The same: a task that had ended, of which nothing is polled.
pub(super) const ENDED: u32 = u32::MAX - 2;

/// The cells of one executor. All but `id` and `taken_from` are private to its own context and guarded by `seq`.
#[derive(Debug)]
pub(super) struct Executor<const EXECUTORS: usize> {
    /// embassy's number with the lowest bit set (an address has it clear), or zero while the slot is free. `known` is a copy
    /// for all who only look: on a target without compare-and-swap the first is read in a critical section.
    id: SharedU32,
    known: AtomicU32,
    seq: SeqCount,
    state: AtomicU32,
    /// When the state began, and what had been taken from the executor by then.
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
    /// The row of what is being polled.
    current: AtomicU32,
    /// The core it is polled on and the executor it preempted there, while it is polled.
    core: AtomicU32,
    beneath: AtomicU32,
    /// When it began to be polled.
    entered: OwnedU64,
    /// What this executor has taken from each other one by preempting it, and how often it wrote that.
    taken_from: [OwnedU64; EXECUTORS],
    charges: AtomicU32,
}

/// A coherent reading of an executor, in ticks.
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

/// A clock reading with what had been taken from an executor by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: u64,
    pub(super) taken: u64,
}

/// What went by in the state that an executor left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Ticks of its own.
    pub(super) own: u64,
    /// Ticks that others took in the meantime.
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

    /// embassy's number of the executor that holds the slot, with its lowest bit set; zero if none does.
    #[inline(always)]
    pub(super) fn id(&self) -> u32 {
        // Ordering: relaxed, here and below: the number carries nothing with it. What it names was zero from the start.
        match self.known.load(Ordering::Relaxed) {
            0 => self.id.load_acquire(),
            id => id,
        }
    }

    /// Whether the slot is that of the executor with this number.
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

    /// Enters `state`; the time since the last change goes to the state that it leaves.
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
                // Nobody is preempted who does not run: what runs while this executor is idle takes nothing from it.
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

    /// A poll of a task without a row ended.
    pub(super) fn end_overflow_poll(&self, ticks: u64) {
        self.seq.write(|| {
            self.overflow_polls.add(1);
            self.overflow_active.add(ticks);
            if ticks > self.overflow_longest.get() {
                self.overflow_longest.set(ticks);
            }
        });
    }

    /// A task without a row ended.
    pub(super) fn end_overflow(&self) {
        self.seq.write(|| self.overflow_ended.add(1));
    }

    /// Tasks without a row that ended here. For contexts that can't interrupt this executor, or make do with one less.
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

    /// It is being polled on `core`, above `beneath`, since `entered`.
    pub(super) fn preempt(&self, core: u32, beneath: u32, entered: u64) {
        self.core.store(core, Ordering::Relaxed);
        self.beneath.store(beneath, Ordering::Relaxed);
        self.entered.set(entered);
    }

    /// How long it has been polled by `now`.
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

    /// One try to read what the executor's context writes; `None` if it is just being written.
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
