//! Reads the times of executors and the rows of tasks into a snapshot.

use super::executor::ExecutorValues;
use super::name::TaskName;
use super::task_row::{Row, RowValues};
use super::trace_snapshot::{ExecutorRow, FixedTrace, OverflowRow, TaskRow, TraceRows, TraceSnapshot};
use super::{EmbassyConfig, EmbassyMetrics};
use crate::cell::U64Cell;
use crate::slot::{Slot, read_with_retries};
use crate::storage::{BucketWidth, Rows};
use crate::sync::spin_loop;
use crate::time::TimeSource;
use crate::time_scale::TimeScale;

impl<K, T, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C>
    EmbassyMetrics<K, T, EXECUTORS, TASKS, BUCKETS, C>
where
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
    T: TimeSource,
    C: BucketWidth,
{
    /// Takes a snapshot of executors and tasks.
    ///
    /// This needs stack for two snapshots. [`trace_into`](Self::trace_into) needs stack for none.
    pub fn trace(&self) -> TraceSnapshot<FixedTrace<EXECUTORS, TASKS>> {
        let mut snapshot = TraceSnapshot::default();
        self.trace_into(&mut snapshot);
        snapshot
    }

    /// Takes a snapshot and writes it to `snapshot`, for a caller that can't spare the stack or that reads from an interrupt.
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
            let read = self.read_consistently(index, |slot| {
                let values = executor.try_read(slot, || self.ticks())?;
                Some((values, slot.counters.poll_count.get()))
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
            // The ends are read before the spawns, and the polls before the wakes, so that no row has more ends
            // than spawns, or more polls than wakes.
            let values = self.read_consistently(executor, |slot| self.read_row(number, row, executor, slot));
            to.read(row, values, scale);
        }
        for (number, handler) in K::interrupts().iter().enumerate() {
            let Some(to) = row_of(&mut snapshot.tasks, TaskRow::INTERRUPT, number as u32) else {
                break;
            };
            to.name = TaskName::new(handler.name());
            let values = handler.read(|| self.ticks());
            to.stale = values.is_none();
            if let Some(values) = values {
                to.polling = values.running;
                to.polls = values.runs;
                to.active = scale.nanos_of(values.active);
                to.longest = scale.nanos_of(values.longest);
            }
        }
    }

    /// Reads data that an executor's context writes; `None` if it was being written during every attempt.
    fn read_consistently<V>(
        &self,
        executor: usize,
        read: impl Fn(&Slot<[C::Cell; BUCKETS]>) -> Option<V>,
    ) -> Option<V> {
        let slot = &self.registry.storage.get(executor)?.slot;
        read_with_retries(|| slot.seq.try_read(|| read(slot))?, relax)
    }

    /// Reads a row, with the poll in progress of its task.
    fn read_row(
        &self,
        number: usize,
        row: &Row,
        executor: usize,
        slot: &Slot<[C::Cell; BUCKETS]>,
    ) -> Option<RowValues> {
        let mut values = row.read();
        let executor = self.executors.get(executor)?;
        if executor.current() == number as u32 + 1 {
            let in_progress = executor.try_read(slot, || self.ticks())?.in_progress;
            values.polling = true;
            values.active = values.active.wrapping_add(in_progress);
            values.longest = values.longest.max(in_progress);
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
        self.core = values.core.wrapping_sub(1);
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
