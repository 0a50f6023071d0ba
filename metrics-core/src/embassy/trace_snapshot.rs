//! Snapshots of the times of each executor, and of the table of tasks.

use core::fmt::Debug;

use super::EmbassyMetrics;
use super::executor::{ExecutorState, ExecutorValues};
use super::name::TaskName;
use super::task_row::{Row, RowValues};
use crate::cell::U64Cell;
use crate::slot::read_with_retries;
use crate::storage::{BucketWidth, Rows};
use crate::sync::spin_loop;
use crate::table::permille;
use crate::time::{TimeScale, TimeSource};

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
    /// Its state.
    pub state: ExecutorState,
    /// The time without work.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub idle: u64,
    /// The time that it ran its queue, between polls.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub scheduling: u64,
    /// The time that it polled tasks.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polling: u64,
    /// The time that executors that preempted it ran while it had work.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub preempted: u64,
    /// The part of the above that belongs to its current state, without preemption.
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
    /// embassy's number for the task: `SpawnToken::id`, the low 32 bits of the address of its storage. Of an interrupt
    /// handler, its index.
    pub task: u32,
    /// Its name, if it was given one.
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
    /// Whether it is being polled.
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

impl<S: TraceRows> Default for TraceSnapshot<S> {
    fn default() -> Self {
        Self {
            executors: S::Executors::default(),
            tasks: S::Tasks::default(),
            overflow: OverflowRow::default(),
        }
    }
}

impl ExecutorRow {
    /// Returns the sum of the row's times in nanoseconds: the time since the executor's first poll.
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
    /// Counts and times are differences. States and [`longest`](TaskRow::longest) are those of this snapshot. A row that
    /// `earlier` lacks is included as it is.
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

impl<T: TimeSource, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C: BucketWidth>
    EmbassyMetrics<T, EXECUTORS, TASKS, BUCKETS, C>
{
    /// Takes a snapshot of executors and tasks. It is twice on the stack: see [`trace_into`](Self::trace_into).
    pub fn trace(&self) -> TraceSnapshot<FixedTrace<EXECUTORS, TASKS>> {
        let mut snapshot = TraceSnapshot::default();
        self.trace_into(&mut snapshot);
        snapshot
    }

    /// Takes a snapshot into an existing one, for a caller that can't spare the stack or that reads from an interrupt.
    ///
    /// A row that is being written keeps its values in `snapshot` and is marked stale. That can happen only to a
    /// reader that interrupts an executor or runs on another core. If `snapshot` can hold fewer rows than there are,
    /// the last ones are left out.
    #[inline(never)]
    pub fn trace_into<S: TraceRows>(&self, snapshot: &mut TraceSnapshot<S>) {
        let scale = self.registry.scale();
        let mut overflow = OverflowRow::default();
        for (index, executor) in self
            .executors
            .iter()
            .enumerate()
            .take_while(|(_, executor)| executor.id() != 0)
        {
            let Some(row) = at(&mut snapshot.executors, index) else {
                break;
            };
            row.id = executor.id();
            let read = self.read_consistently(index, || {
                let polls = self.registry.storage.get(index)?.slot.counters.poll_count.get();
                Some((executor.try_read(|| self.ticks())?, polls))
            });
            row.stale = read.is_none();
            if let Some((values, polls)) = read {
                row.read(&values, scale);
                row.polls = polls;
                overflow.add(&values, scale);
            }
        }
        // Read after the ends, so that no more tasks appear to have ended than were spawned.
        overflow.spawned = self.overflow_spawned.load_acquire().unwrap_or(0);
        overflow.wakes = self.overflow_wakes.load_acquire().unwrap_or(0);
        overflow.unmeasured_wakes = self.unmeasured_wakes.load_acquire().unwrap_or(0);
        snapshot.overflow.advance(&overflow);
        let keyed = self.rows.iter().enumerate().filter_map(|(number, row)| {
            let (executor, task) = row.key()?;
            Some((number, row, executor, task))
        });
        for (number, row, executor, task) in keyed {
            let Some(to) = row_of(&mut snapshot.tasks, executor as u32, task) else {
                break;
            };
            // The ends are read before the spawns, and the polls before the wakes, so that neither pair is ever
            // inconsistent.
            let values = self.read_consistently(executor, || self.read_row(number, row, executor));
            to.read(row, values, scale);
        }
        for (number, handler) in self.interrupts.iter().enumerate() {
            let Some(to) = row_of(&mut snapshot.tasks, TaskRow::INTERRUPT, number as u32) else {
                break;
            };
            to.name = TaskName::new(handler.name());
            let values = handler.read();
            to.stale = values.is_none();
            if let Some(values) = values {
                to.polls = values.runs;
                to.active = scale.nanos_of(values.active);
                to.longest = scale.nanos_of(values.longest);
            }
        }
    }

    /// Reads data that an executor's context writes; `None` if it was being written during every attempt.
    fn read_consistently<V>(&self, executor: usize, read: impl Fn() -> Option<V>) -> Option<V> {
        let slot = &self.registry.storage.get(executor)?.slot;
        read_with_retries(|| slot.seq.try_read(&read)?, relax)
    }

    /// Reads a row, with the poll in progress of its task.
    fn read_row(&self, number: usize, row: &Row, executor: usize) -> Option<RowValues> {
        let mut values = row.read();
        if values.polling {
            let executor = self.executors.get(executor)?.try_read(|| self.ticks())?;
            if executor.state == ExecutorState::Polling && executor.current == number as u32 {
                values.active = values.active.wrapping_add(executor.in_progress);
                values.longest = values.longest.max(executor.in_progress);
            }
        }
        Some(values)
    }
}

impl ExecutorRow {
    fn read(&mut self, values: &ExecutorValues, scale: &TimeScale) {
        self.state = values.state;
        self.idle = scale.nanos_of(values.idle);
        self.scheduling = scale.nanos_of(values.scheduling);
        self.polling = scale.nanos_of(values.polling);
        self.preempted = scale.nanos_of(values.preempted);
        self.in_progress = scale.nanos_of(values.in_progress);
        self.core = values.core;
    }
}

impl TaskRow {
    fn read(&mut self, row: &Row, values: Option<RowValues>, scale: &TimeScale) {
        self.name = row.name();
        self.wakes = row.wakes();
        self.spawned = row.spawned();
        self.stale = values.is_none();
        if let Some(values) = values {
            self.ended = values.ended;
            self.polls = values.polls;
            self.active = scale.nanos_of(values.active);
            self.waiting = scale.nanos_of(values.waiting);
            self.longest = scale.nanos_of(values.longest);
            self.polling = values.polling;
        }
    }
}

impl OverflowRow {
    fn add(&mut self, values: &ExecutorValues, scale: &TimeScale) {
        self.ended = self.ended.wrapping_add(values.overflow_ended);
        self.polls = self.polls.wrapping_add(values.overflow_polls);
        self.active = self.active.saturating_add(scale.nanos_of(values.overflow_active));
        self.longest = self.longest.max(scale.nanos_of(values.overflow_longest));
    }

    /// Takes newer values: an executor that was being written contributed nothing, and no count decreases.
    fn advance(&mut self, to: &Self) {
        self.spawned = self.spawned.max(to.spawned);
        self.ended = self.ended.max(to.ended);
        self.wakes = self.wakes.max(to.wakes);
        self.polls = self.polls.max(to.polls);
        self.active = self.active.max(to.active);
        self.longest = self.longest.max(to.longest);
        self.unmeasured_wakes = self.unmeasured_wakes.max(to.unmeasured_wakes);
    }
}

/// Waits between two attempts: another core may be writing.
fn relax(_: u32) {
    spin_loop();
}

/// Returns the entry at `index`, and appends it if it is the next.
fn at<V: Clone + Default>(rows: &mut impl Rows<V>, index: usize) -> Option<&mut V> {
    if index == rows.as_slice().len() {
        rows.try_push(V::default()).ok()?;
    }
    rows.as_mut_slice().get_mut(index)
}

/// Returns the row of a task, and appends it if it is new; `None` if there is no room.
fn row_of(rows: &mut impl Rows<TaskRow>, executor: u32, task: u32) -> Option<&mut TaskRow> {
    let known = rows
        .as_slice()
        .iter()
        .position(|row| row.executor == executor && row.task == task);
    let row = at(rows, known.unwrap_or(rows.as_slice().len()))?;
    (row.executor, row.task) = (executor, task);
    Some(row)
}
