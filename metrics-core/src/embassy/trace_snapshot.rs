//! Snapshots of the times of each executor, and of the table of tasks.

use core::fmt::Debug;

use super::EmbassyMetrics;
use super::executor::{ExecutorState, ExecutorValues};
use super::task_row::Row;
use crate::catalog::WorkerNumber;
use crate::slot::read_with_retries;
use crate::storage::sealed::Sealed;
use crate::storage::{BucketWidth, Rows};
use crate::sync::spin_loop;
use crate::table::permille;
use crate::time::{TimeScale, TimeSource, Timestamp};

/// One executor.
///
/// Times are in nanoseconds since the executor's first poll, from the same clock read. Without a clock they are all
/// zero, and [`share`](Self::share) is `None`.
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
    /// The time in its current state, which is not part of the four above yet.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub in_progress: u64,
    /// The number of polls that ended.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub polls: u64,
    /// Whether it was being written: the values are those of the previous snapshot, or zero if there was none.
    pub stale: bool,
}

/// One task on one executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskRow {
    /// The executor's index, which is that of its worker in the registry.
    pub executor: u32,
    /// embassy's number for the task: `SpawnToken::id`, the low 32 bits of the address of its storage.
    pub task: u32,
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
    /// Nanoseconds in polls, without preemption.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub active: u64,
    /// Nanoseconds in the run queue, until the poll started.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub waiting: u64,
    /// The longest poll in nanoseconds, without preemption.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub longest: u64,
    /// Whether it is being polled.
    pub polling: bool,
    /// Whether it was being written: the values are those of the previous snapshot, or zero if there was none.
    pub stale: bool,
}

/// The tasks without a row, in total.
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
        [
            self.idle,
            self.scheduling,
            self.polling,
            self.preempted,
            self.in_progress,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Returns the share of its time that the executor spent in `state`, in thousandths; `None` if no time has passed.
    ///
    /// The time in progress counts for the current state. Preemption counts for no state.
    pub fn share(&self, state: ExecutorState) -> Option<u32> {
        permille(self.spent(state), self.total())
    }

    /// Returns the nanoseconds in `state`, including the time in progress.
    pub fn spent(&self, state: ExecutorState) -> u64 {
        let settled = match state {
            ExecutorState::New => 0,
            ExecutorState::Idle => self.idle,
            ExecutorState::Scheduling => self.scheduling,
            ExecutorState::Polling => self.polling,
        };
        settled.saturating_add(if state == self.state { self.in_progress } else { 0 })
    }
}

impl<S: TraceRows> TraceSnapshot<S> {
    /// Returns the row of a task on the executor with this index.
    pub fn task(&self, executor: u32, task: u32) -> Option<&TaskRow> {
        self.tasks
            .as_slice()
            .iter()
            .find(|row| row.executor == executor && row.task == task)
    }

    /// Returns the change since `earlier`, a snapshot of the same run of the program.
    ///
    /// Counts and times are differences, the time in progress counts for its state, and [`longest`](TaskRow::longest)
    /// and states are those of this snapshot. A row that `earlier` lacks is included as it is.
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
                *row = ExecutorRow {
                    idle: row
                        .spent(ExecutorState::Idle)
                        .saturating_sub(before.spent(ExecutorState::Idle)),
                    scheduling: row
                        .spent(ExecutorState::Scheduling)
                        .saturating_sub(before.spent(ExecutorState::Scheduling)),
                    polling: row
                        .spent(ExecutorState::Polling)
                        .saturating_sub(before.spent(ExecutorState::Polling)),
                    preempted: row.preempted.saturating_sub(before.preempted),
                    in_progress: 0,
                    polls: row.polls.saturating_sub(before.polls),
                    ..*row
                };
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
        interval
    }
}

impl<T: TimeSource, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C: BucketWidth>
    EmbassyMetrics<T, EXECUTORS, TASKS, BUCKETS, C>
{
    /// Takes a snapshot of executors and tasks.
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
    pub fn trace_into<S: TraceRows>(&self, snapshot: &mut TraceSnapshot<S>) {
        let scale = self.registry.scale();
        let now = if self.registry.is_timed() {
            self.registry.clock().now().ticks()
        } else {
            0
        };
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
            match read_with_retries(|| executor.try_read(), relax) {
                Some(values) => {
                    row.read(&values, scale, now);
                    overflow.add(&values, scale);
                    row.stale = false;
                }
                None => row.stale = true,
            }
            let slot = self.registry.storage.slots().nth(index);
            if let Some(polls) = slot.and_then(|slot| slot.counter(WorkerNumber::PollCount, relax).ok()) {
                row.polls = polls;
            }
        }
        // Read after the ends, so that no more tasks appear to have ended than were spawned.
        overflow.spawned = self.overflow_spawned.load_acquire().unwrap_or(0);
        overflow.wakes = self.overflow_wakes.load_acquire().unwrap_or(0);
        snapshot.overflow.advance(&overflow);
        let keyed = self.rows.iter().filter_map(|row| Some((row.key()?, row)));
        for ((executor, task), row) in keyed {
            let executor = executor as u32;
            let rows = snapshot.tasks.as_mut_slice();
            let known = rows
                .iter()
                .position(|known| known.executor == executor && known.task == task);
            let known = known.unwrap_or(rows.len());
            let Some(to) = at(&mut snapshot.tasks, known) else {
                break;
            };
            (to.executor, to.task) = (executor, task);
            to.read(row, scale);
        }
    }
}

impl ExecutorRow {
    fn read(&mut self, values: &ExecutorValues, scale: &TimeScale, now: u64) {
        self.state = values.state;
        self.idle = scale.nanos_of(values.idle);
        self.scheduling = scale.nanos_of(values.scheduling);
        self.polling = scale.nanos_of(values.polling);
        self.preempted = scale.nanos_of(values.preempted);
        self.in_progress = match values.state {
            ExecutorState::New => 0,
            _ => scale.nanos(Timestamp::from_ticks(now), Timestamp::from_ticks(values.since)),
        };
    }
}

impl TaskRow {
    fn read(&mut self, row: &Row, scale: &TimeScale) {
        // The ends are read before the spawns, and the polls before the wakes, so that neither pair is ever
        // inconsistent.
        let values = read_with_retries(|| row.try_read(), relax);
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
