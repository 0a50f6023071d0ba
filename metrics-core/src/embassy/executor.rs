//! One executor: its state, its times, and its preemption.

use super::frame::{Frame, Moment};
use crate::cell::{OwnedU64, SharedU32, U64Cell};
use crate::live::WorkerState;
use crate::slot::Slot;
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

impl From<WorkerState> for ExecutorState {
    fn from(state: WorkerState) -> Self {
        match state {
            WorkerState::Idle => Self::New,
            WorkerState::Parked => Self::Idle,
            WorkerState::Searching | WorkerState::Running => Self::Scheduling,
            WorkerState::Polling => Self::Polling,
        }
    }
}

/// No executor, row or core. Their numbers are stored from 1 on, so that a new executor is all zeros.
pub(super) const NONE: u32 = 0;
/// A task without a row, between `task_exec_begin` and its end.
pub(super) const OVERFLOW: u32 = u32::MAX;
/// A task that had ended, between `task_exec_begin` and its end: nothing is polled.
pub(super) const ENDED: u32 = u32::MAX - 1;

/// The cells of one executor. All except `id` and `frame` are private to its own context and guarded by the sequence
/// count of its worker's slot, whose live record holds the executor's state.
///
/// `idle` is stored at the start of a run of the queue, and `polling` at the end of a poll. `scheduling` and `preempted`
/// are stored when the busy time of the slot is updated: at the end of a run, and at the end of a poll if one interval
/// has passed since the last update. `scheduling` is the busy time outside polls. Readers add the times in progress.
///
/// All are in ticks, so that a reader rounds each once.
#[derive(Debug)]
pub(super) struct Executor {
    /// embassy's number with the lowest bit set (an address has it clear), or zero while the slot is free. `known` is
    /// a copy for all contexts that only read: on a target without compare-and-swap, `id` is read in a critical
    /// section.
    id: SharedU32,
    known: AtomicU32,
    /// The start of the state, and the ticks taken from the executor up to then.
    since: OwnedU64,
    taken_since: OwnedU64,
    /// The ticks taken from the executor, and `polling`, at the last update of the busy time.
    taken_at_update: OwnedU64,
    polling_at_update: OwnedU64,
    idle: OwnedU64,
    scheduling: OwnedU64,
    polling: OwnedU64,
    preempted: OwnedU64,
    /// Ends and polls of tasks without a row.
    overflow_ended: OwnedU64,
    overflow_polls: OwnedU64,
    overflow_active: OwnedU64,
    overflow_longest: OwnedU64,
    /// The number of the row of the task being polled.
    current: AtomicU32,
    /// While it is polled: the number of the core on which it is polled, and that of the frame that it preempted there.
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

impl Executor {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                id: SharedU32::new(0),
                known: AtomicU32::new(0),
                since: OwnedU64::new(0),
                taken_since: OwnedU64::new(0),
                taken_at_update: OwnedU64::new(0),
                polling_at_update: OwnedU64::new(0),
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

    /// Enters a state at `moment`. For a write section, as the methods below.
    #[inline(always)]
    pub(super) fn enter(&self, moment: Moment) {
        self.since.set(moment.now);
        // The ticks never become zero again, so there is nothing to store before the first.
        if moment.taken != 0 {
            self.taken_since.set(moment.taken);
        }
    }

    /// Starts a run of the queue. Code that runs while the executor is idle takes no time from it.
    #[inline(always)]
    pub(super) fn start_run(&self, was_idle: bool, moment: Moment) {
        // Nothing has passed if the clock stepped back.
        if was_idle && let Some(ticks) = moment.now.checked_sub(self.since.get()) {
            self.idle.add(ticks);
        }
        if moment.taken != 0 {
            self.taken_at_update.set(moment.taken);
        }
        self.enter(moment);
    }

    /// Ends a poll, and returns its own ticks; `None` if the clock stepped back.
    #[inline(always)]
    pub(super) fn end_poll(&self, moment: Moment) -> Option<u64> {
        let (own, _) = moment.passed_since(self.since.get(), &self.taken_since)?;
        self.polling.add(own);
        Some(own)
    }

    /// Adds the time since `updated_at`, the last update of the busy time, to `scheduling` and `preempted`. Returns the
    /// ticks to add to the busy time; `None` if the clock stepped back.
    #[inline(always)]
    pub(super) fn add_scheduling_and_preempted(&self, updated_at: u64, moment: Moment) -> Option<u64> {
        let polling = self.polling.get();
        let polled = self.polled_since_update(polling);
        self.polling_at_update.set(polling);
        let (own, taken) = moment.passed_since(updated_at, &self.taken_at_update)?;
        // If the clock stepped back between two polls, their sum may exceed the elapsed time.
        self.scheduling.add(own.saturating_sub(polled));
        if taken != 0 {
            self.preempted.add(taken);
            self.taken_at_update.set(moment.taken);
        }
        Some(own)
    }

    #[inline(always)]
    fn polled_since_update(&self, polling: u64) -> u64 {
        polling.wrapping_sub(self.polling_at_update.get())
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
    pub(super) fn try_read<B>(&self, slot: &Slot<B>, now: impl Fn() -> u64) -> Option<ExecutorValues> {
        let state = slot.live.state();
        let mut values = ExecutorValues {
            state: state.into(),
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
        if state == WorkerState::Parked {
            values.in_progress = now().saturating_sub(self.since.get());
            values.idle = values.idle.wrapping_add(values.in_progress);
        } else if state.is_busy() {
            let moment = self.frame.moment(now)?;
            // Nothing is in progress if the clock stepped back.
            let passed = |since, taken| moment.passed_since(since, taken).unwrap_or((0, 0));
            values.in_progress = passed(self.since.get(), &self.taken_since).0;
            let (busy, taken) = passed(slot.counters.settled_at.get(), &self.taken_at_update);
            values.preempted = values.preempted.wrapping_add(taken);
            if state == WorkerState::Polling {
                values.polling = values.polling.wrapping_add(values.in_progress);
                if values.current == OVERFLOW {
                    values.overflow_active = values.overflow_active.wrapping_add(values.in_progress);
                    values.overflow_longest = values.overflow_longest.max(values.in_progress);
                }
            }
            let scheduling = busy.saturating_sub(self.polled_since_update(values.polling));
            values.scheduling = values.scheduling.wrapping_add(scheduling);
        }
        Some(values)
    }
}
