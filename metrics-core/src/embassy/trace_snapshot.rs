//! Snapshots of the times of each executor, and of the table of tasks.

use core::fmt::Debug;

use super::executor::ExecutorState;
use super::name::TaskName;
use crate::storage::Rows;
use crate::table::permille;

/// One executor.
///
/// Times are in nanoseconds since the executor's first poll, up to one clock read: the state that has not ended counts
/// too. Without a clock they are all zero, and [`share`](Self::share) is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExecutorRow {
    /// embassy's number for it, with the lowest bit set.
    pub id: u32,
    /// The current state.
    pub state: ExecutorState,
    /// The time without work, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub idle: u64,
    /// The time that it ran its queue, between polls, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub scheduling: u64,
    /// The time that it polled tasks, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polling: u64,
    /// The time that executors and measured interrupt handlers preempted it while it had work, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub preempted: u64,
    /// The part of these times that the current state has lasted, without preemption.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub in_progress: u64,
    /// The number of polls that ended.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polls: u64,
    /// The number of the core on which it last ran.
    pub core: u32,
    /// Whether it was being written: the values are those of the previous snapshot, or zero if there was none.
    pub stale: bool,
}

/// One task on one executor, or one interrupt handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskRow {
    /// The executor's index, which is that of its worker in the registry, or [`INTERRUPT`](Self::INTERRUPT).
    pub executor: u32,
    /// embassy's number for the task: `SpawnToken::id`, the low 32 bits of the address of its storage. For an interrupt
    /// handler, its index.
    pub task: u32,
    /// The name of the task or the handler; empty if none was given.
    pub name: TaskName,
    /// The number of spawns.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub spawned: u64,
    /// The number of ends.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub ended: u64,
    /// The number of times it was queued: by its spawn, and by each wake while it was not queued.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub wakes: u64,
    /// The number of polls that ended.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polls: u64,
    /// Nanoseconds in polls, without preemption. A poll in progress counts too.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub active: u64,
    /// Nanoseconds in the run queue, until the poll started.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub waiting: u64,
    /// The longest poll in nanoseconds, without preemption. A poll in progress counts too.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub longest: u64,
    /// Whether `longest` is an upper bound: only in an interval that had no poll longer than all polls before it.
    pub longest_is_bound: bool,
    /// Whether the task is being polled.
    pub polling: bool,
    /// Whether it was being written: the values are those of the previous snapshot, or zero if there was none.
    pub stale: bool,
}

/// The tasks without a row, in total, and the wakes on executors that are not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OverflowRow {
    /// The number of spawns.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub spawned: u64,
    /// The number of ends.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub ended: u64,
    /// The number of times a task was queued.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub wakes: u64,
    /// The number of polls that ended.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polls: u64,
    /// Nanoseconds in polls, without preemption.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub active: u64,
    /// The longest poll in nanoseconds, without preemption.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub longest: u64,
    /// The number of times a task was queued on an executor past the last slot: if this is not zero, raise `EXECUTORS`.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub unmeasured_wakes: u64,
}

/// The storage of a [`TraceSnapshot`]'s rows.
pub trait TraceRows: Clone + Debug {
    /// One row per executor.
    type Executors: Rows<ExecutorRow>;
    /// One row per task.
    type Tasks: Rows<TaskRow>;
}

/// Rows in vectors of fixed capacity.
#[derive(Clone, Copy, Debug)]
pub struct FixedTrace<const EXECUTORS: usize, const TASKS: usize>;

impl<const EXECUTORS: usize, const TASKS: usize> TraceRows for FixedTrace<EXECUTORS, TASKS> {
    type Executors = heapless::Vec<ExecutorRow, EXECUTORS>;
    type Tasks = heapless::Vec<TaskRow, TASKS>;
}

/// Rows in vectors. A host decodes a microcontroller's snapshot into these, whatever its capacity.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub struct HeapTrace;

#[cfg(feature = "alloc")]
impl TraceRows for HeapTrace {
    type Executors = alloc::vec::Vec<ExecutorRow>;
    type Tasks = alloc::vec::Vec<TaskRow>;
}

/// A snapshot of executors and tasks.
///
/// Each row is consistent in itself, but two rows are read one after the other. It formats as a table with
/// [`core::fmt::Display`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "S::Executors: serde::Serialize, S::Tasks: serde::Serialize",
        deserialize = "S::Executors: serde::Deserialize<'de>, S::Tasks: serde::Deserialize<'de>"
    ))
)]
pub struct TraceSnapshot<S: TraceRows> {
    /// One row per executor, in the order of the registry's workers.
    pub executors: S::Executors,
    /// One row per task that has a row.
    pub tasks: S::Tasks,
    /// The tasks without a row, in total.
    pub overflow: OverflowRow,
}

impl<S: TraceRows> TraceSnapshot<S> {
    /// An empty snapshot, for a `static` into which a snapshot is taken.
    pub const EMPTY: Self = Self {
        executors: S::Executors::EMPTY,
        tasks: S::Tasks::EMPTY,
        overflow: OverflowRow {
            spawned: 0,
            ended: 0,
            wakes: 0,
            polls: 0,
            active: 0,
            longest: 0,
            unmeasured_wakes: 0,
        },
    };
}

impl<S: TraceRows> Default for TraceSnapshot<S> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl ExecutorRow {
    /// Returns the sum of the row's times in nanoseconds: the time since the executor's first poll. Each of the four
    /// times is rounded down.
    pub fn total(&self) -> u64 {
        [self.idle, self.scheduling, self.polling, self.preempted]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Returns the share of its time that the executor spent in `state`, in thousandths; `None` if no time has passed.
    ///
    /// Preemption counts for no state.
    pub fn share(&self, state: ExecutorState) -> Option<u32> {
        permille(self.spent(state), self.total())
    }

    /// Returns the nanoseconds in `state`.
    pub fn spent(&self, state: ExecutorState) -> u64 {
        match state {
            ExecutorState::New => 0,
            ExecutorState::Idle => self.idle,
            ExecutorState::Scheduling => self.scheduling,
            ExecutorState::Polling => self.polling,
        }
    }
}

impl TaskRow {
    /// The [`executor`](Self::executor) of an interrupt handler. Its polls are its runs.
    pub const INTERRUPT: u32 = u32::MAX;

    /// Limits the longest poll of an interval, which has the differences since `before`.
    fn bound_longest(&mut self, before: &Self) {
        if self.longest > before.longest {
            return;
        }
        self.longest_is_bound = true;
        // All its polls are inside the interval, so none took longer than all of them.
        if !before.polling {
            self.longest = self.longest.min(self.active);
            self.longest_is_bound = self.polls.saturating_add(u64::from(self.polling)) > 1;
        }
    }
}

impl<S: TraceRows> TraceSnapshot<S> {
    /// Returns the share of its time that a core ran executors and measured interrupt handlers, in thousandths; `None`
    /// if no time has passed.
    ///
    /// This is the load of the core, whatever its executors preempt. For the load since an earlier snapshot, call
    /// [`since`](Self::since) first. Interrupt handlers count for core 0.
    pub fn core_load(&self, core: u32) -> Option<u32> {
        let executors = self.executors.as_slice().iter().filter(|row| row.core == core);
        let total = executors.clone().map(ExecutorRow::total).max()?;
        let busy = executors.map(|row| row.polling.saturating_add(row.scheduling));
        let handlers = self.tasks.as_slice().iter();
        let handlers = handlers.filter(|row| core == 0 && row.executor == TaskRow::INTERRUPT);
        let busy = busy
            .chain(handlers.map(|row| row.active))
            .fold(0, u64::saturating_add);
        permille(busy.min(total), total)
    }

    /// Returns the row of a task on the executor with this index.
    pub fn task(&self, executor: u32, task: u32) -> Option<&TaskRow> {
        self.tasks
            .as_slice()
            .iter()
            .find(|row| row.executor == executor && row.task == task)
    }

    /// Returns the change since `earlier`, a snapshot of the same run of the program.
    ///
    /// Counts and times are differences. States are those of this snapshot. [`longest`](TaskRow::longest) is the longest
    /// poll that was in progress or ended in the interval, or an upper bound of it; the overflow row keeps its longest poll
    /// so far. A row that `earlier` lacks is included as it is.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut interval = self.clone();
        for row in interval.executors.as_mut_slice() {
            if let Some(before) = earlier
                .executors
                .as_slice()
                .iter()
                .find(|before| before.id == row.id)
            {
                row.idle = row.idle.saturating_sub(before.idle);
                row.scheduling = row.scheduling.saturating_sub(before.scheduling);
                row.polling = row.polling.saturating_sub(before.polling);
                row.preempted = row.preempted.saturating_sub(before.preempted);
                row.in_progress = row.in_progress.min(row.spent(row.state));
                row.polls = row.polls.saturating_sub(before.polls);
            }
        }
        for row in interval.tasks.as_mut_slice() {
            if let Some(before) = earlier.task(row.executor, row.task) {
                row.spawned = row.spawned.saturating_sub(before.spawned);
                row.ended = row.ended.saturating_sub(before.ended);
                row.wakes = row.wakes.saturating_sub(before.wakes);
                row.polls = row.polls.saturating_sub(before.polls);
                row.active = row.active.saturating_sub(before.active);
                row.waiting = row.waiting.saturating_sub(before.waiting);
                row.bound_longest(before);
            }
        }
        let (row, before) = (&mut interval.overflow, &earlier.overflow);
        row.spawned = row.spawned.saturating_sub(before.spawned);
        row.ended = row.ended.saturating_sub(before.ended);
        row.wakes = row.wakes.saturating_sub(before.wakes);
        row.polls = row.polls.saturating_sub(before.polls);
        row.active = row.active.saturating_sub(before.active);
        row.unmeasured_wakes = row.unmeasured_wakes.saturating_sub(before.unmeasured_wakes);
        interval
    }
}
