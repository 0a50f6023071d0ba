//! One executor: its state, its times, and its preemption.

use super::frame::Frame;
use crate::cell::{OwnedU64, SharedU32, U64Cell};
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

/// The cells of one executor. All except `id` and `frame` are private to its own context and guarded by the sequence
/// count of its worker's slot.
#[derive(Debug)]
pub(super) struct Executor {
    /// embassy's number with the lowest bit set (an address has it clear), or zero while the slot is free. `known` is
    /// a copy for all contexts that only read: on a target without compare-and-swap, `id` is read in a critical
    /// section.
    id: SharedU32,
    known: AtomicU32,
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
    /// While it is polled: the core on which it is polled, and the frame that it preempted there.
    core: AtomicU32,
    beneath: AtomicU32,
    /// The code that preempts it.
    pub(super) frame: Frame,
}

/// A consistent read of an executor, in ticks. The times include the current state up to the read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExecutorValues {
    pub(super) state: ExecutorState,
    /// The time since the executor entered its current state.
    pub(super) in_progress: u64,
    pub(super) idle: u64,
    pub(super) scheduling: u64,
    pub(super) polling: u64,
    pub(super) preempted: u64,
    pub(super) core: u32,
    pub(super) current: u32,
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
    /// The ticks that other code took in the meantime.
    pub(super) taken: u64,
}

impl Executor {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                id: SharedU32::new(0),
                known: AtomicU32::new(0),
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
                frame: Frame::new(),
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

    /// Like [`is`](Self::is), from one load. `false` also while the slot is being claimed.
    #[inline(always)]
    pub(super) fn is_known_as(&self, id: u32) -> bool {
        self.known.load(Ordering::Relaxed) == id
    }

    pub(super) fn try_claim(&self, id: u32) -> bool {
        let claimed = self.id.claim(0, id);
        if claimed {
            self.known.store(id, Ordering::Relaxed);
        }
        claimed
    }

    #[inline(always)]
    fn state(&self) -> ExecutorState {
        // Ordering: relaxed, here and below: within the slot's sequence count.
        ExecutorState::from_bits(self.state.load(Ordering::Relaxed))
    }

    /// Enters `state`, and adds the time since the last change to the state that it leaves, which is busy. For a write
    /// section.
    #[inline]
    pub(super) fn enter(&self, state: ExecutorState, moment: Moment) -> Passed {
        let wall = elapsed(moment.now, self.since.get());
        let mut passed = Passed { own: wall, taken: 0 };
        let taken = elapsed(moment.taken, self.taken_since.get());
        if taken != 0 {
            let taken = taken.min(wall);
            passed = Passed {
                own: wall - taken,
                taken,
            };
            self.preempted.add(taken);
        }
        if self.state() == ExecutorState::Polling {
            self.polling.add(passed.own);
        } else {
            self.scheduling.add(passed.own);
        }
        self.begin(state, moment);
        passed
    }

    /// Enters scheduling from the idle state: code that runs while this executor is idle takes no time from it.
    #[inline]
    pub(super) fn wake_up(&self, moment: Moment) {
        match self.state() {
            ExecutorState::Idle => {
                self.idle.add(elapsed(moment.now, self.since.get()));
                self.begin(ExecutorState::Scheduling, moment);
            }
            ExecutorState::New => self.begin(ExecutorState::Scheduling, moment),
            // It is polled again without having gone idle.
            _ => {
                self.enter(ExecutorState::Scheduling, moment);
            }
        }
    }

    #[inline(always)]
    fn begin(&self, state: ExecutorState, moment: Moment) {
        self.state.store(state.bits(), Ordering::Relaxed);
        self.since.set(moment.now);
        self.taken_since.set(moment.taken);
    }

    /// Counts the end of a poll of a task without a row. For a write section.
    pub(super) fn end_overflow_poll(&self, ticks: u64) {
        self.overflow_polls.add(1);
        self.overflow_active.add(ticks);
        if ticks > self.overflow_longest.get() {
            self.overflow_longest.set(ticks);
        }
    }

    /// Counts the end of a task without a row. For a write section.
    pub(super) fn end_overflow(&self) {
        self.overflow_ended.add(1);
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

    /// Returns the core on which it is polled, and the frame that it preempted there.
    pub(super) fn preempting(&self) -> (u32, u32) {
        (
            self.core.load(Ordering::Relaxed),
            self.beneath.load(Ordering::Relaxed),
        )
    }

    /// Marks the executor as polled on `core`, above `beneath`.
    pub(super) fn preempt(&self, core: u32, beneath: u32) {
        self.core.store(core, Ordering::Relaxed);
        self.beneath.store(beneath, Ordering::Relaxed);
    }

    /// Reads the data that the executor's context writes, within its slot's sequence count, at the time that `now`
    /// returns. `None` if code that preempts it starts or ends.
    pub(super) fn try_read(&self, now: impl Fn() -> u64) -> Option<ExecutorValues> {
        let state = self.state();
        let mut values = ExecutorValues {
            state,
            in_progress: 0,
            idle: self.idle.get(),
            scheduling: self.scheduling.get(),
            polling: self.polling.get(),
            preempted: self.preempted.get(),
            core: self.core.load(Ordering::Relaxed),
            current: self.current(),
            overflow_ended: self.overflow_ended.get(),
            overflow_polls: self.overflow_polls.get(),
            overflow_active: self.overflow_active.get(),
            overflow_longest: self.overflow_longest.get(),
        };
        let since = self.since.get();
        if matches!(state, ExecutorState::New | ExecutorState::Idle) {
            if state == ExecutorState::Idle {
                values.in_progress = elapsed(now(), since);
                values.idle = values.idle.wrapping_add(values.in_progress);
            }
            return Some(values);
        }
        let frame = self.frame.read()?;
        let now = now();
        if !self.frame.is_unchanged(&frame) {
            return None;
        }
        let wall = elapsed(now, since);
        let taken = elapsed(frame.taken(now), self.taken_since.get()).min(wall);
        values.in_progress = wall - taken;
        values.preempted = values.preempted.wrapping_add(taken);
        let of_state = match state {
            ExecutorState::Polling => &mut values.polling,
            _ => &mut values.scheduling,
        };
        *of_state = of_state.wrapping_add(values.in_progress);
        if values.current == OVERFLOW && state == ExecutorState::Polling {
            values.overflow_active = values.overflow_active.wrapping_add(values.in_progress);
            values.overflow_longest = values.overflow_longest.max(values.in_progress);
        }
        Some(values)
    }
}

/// Returns the ticks from `earlier` to `later`; zero if the clock stepped back.
#[inline(always)]
fn elapsed(later: u64, earlier: u64) -> u64 {
    later.saturating_sub(earlier)
}
