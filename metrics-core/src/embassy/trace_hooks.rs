//! The seven trace hooks.

use super::executor::{ENDED, Executor, ExecutorState, Moment, NONE, OVERFLOW};
use super::task_row::Row;
use super::{EmbassyMetrics, READS};
use crate::live::LocationId;
use crate::record::PollStart;
use crate::static_worker::{StaticHooks, StaticWorker};
use crate::storage::BucketWidth;
use crate::sync::{Ordering, fence};
use crate::tasks::TaskEnd;
use crate::time::{TimeSource, Timestamp};
use core::time::Duration;

/// The lowest bit of an executor's number, which is an address, is clear. It is set to distinguish the number from "no
/// executor".
const CLAIMED: u32 = 1;

/// A clock that always returns the same timestamp.
struct At(u64);

impl TimeSource for At {
    #[inline(always)]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0)
    }

    // The rate was read from the registry's clock at construction, so this is never called.
    fn ticks_per_second(&self) -> u64 {
        0
    }

    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

impl<T: TimeSource, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C: BucketWidth>
    EmbassyMetrics<T, EXECUTORS, TASKS, BUCKETS, C>
{
    /// `_embassy_trace_poll_start`: `executor` starts to run its queue, on the core with this number.
    ///
    /// On one core, an executor that starts while another runs has preempted it and takes its time from it. Number the
    /// cores from zero. Preemption is not measured on a core whose number is not below `EXECUTORS`.
    pub fn poll_start(&'static self, executor: u32, core: usize) {
        let Some((index, this)) = self.executor_or_claim(executor) else {
            return;
        };
        let top = self.tops.get(core).filter(|_| EXECUTORS > 1);
        // No executor charges one that does not run, so one read is enough.
        let before = self.taken_from(index);
        // Ordering: relaxed, here and below: only this core uses it, and an interrupt restores the value that it
        // found.
        let beneath = top.map_or(NONE, |top| top.load(Ordering::Relaxed));
        if let Some(top) = top {
            top.store(index as u32, Ordering::Relaxed);
        }
        let moment = self.moment(index);
        if top.is_some() {
            // An interrupt before the store charged the executor beneath. An interrupt between the store and the clock
            // read charged this one, which had not started yet: pass the charge on.
            this.preempt(core as u32, beneath, moment.now);
            this.charge(beneath as usize, moment.taken.saturating_sub(before));
        }
        this.enter(ExecutorState::Scheduling, moment);
        self.record(index, moment.now, |worker, hooks| {
            hooks.unpark();
            worker.latch(hooks);
            hooks.start_processing();
        });
    }

    /// `_embassy_trace_task_new`: `task` was spawned on `executor`, by any context on any core.
    pub fn task_new(&'static self, executor: u32, task: u32) {
        self.registry.shared().task_spawned();
        let Some((index, _)) = self.executor_or_claim(executor) else {
            return;
        };
        match self.row_or_claim(index, task) {
            Some((_, row)) => row.spawn(),
            None => self.overflow_spawned.increment_release(),
        }
    }

    /// `_embassy_trace_task_ready_begin`: `task` is about to be queued, at its spawn or by a waker in any context on
    /// any core.
    pub fn task_ready_begin(&'static self, executor: u32, task: u32) {
        match self
            .executor(executor)
            .and_then(|(index, _)| self.row(index, task))
        {
            Some((_, row)) => row.wake(self.ticks()),
            None => self.overflow_wakes.increment_release(),
        }
    }

    /// `_embassy_trace_task_exec_begin`: `executor` has removed `task` from its queue and polls it.
    pub fn task_exec_begin(&'static self, executor: u32, task: u32) {
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let moment = self.moment(index);
        let (current, queued_at) = if let Some((number, row)) = self.row(index, task) {
            let taken = row.take(moment.now);
            let current = if taken.alive { number as u32 } else { ENDED };
            (current, Some(Timestamp::from_ticks(taken.queued_at)))
        } else {
            (if self.overflow_alive() { OVERFLOW } else { ENDED }, None)
        };
        this.set_current(current);
        if current == ENDED {
            return;
        }
        let passed = this.enter(ExecutorState::Polling, moment);
        self.record(index, moment.now, |_, hooks| {
            hooks.exclude(passed.taken);
            // The timestamp belongs to this poll: embassy's work since the last poll ended is scheduling.
            hooks.discard_last_timestamp();
            hooks.start_poll(PollStart {
                scheduled_at: queued_at.filter(|_| self.registry.is_timed()),
                spawn_location: LocationId::from_u32(task),
            });
        });
    }

    /// `_embassy_trace_task_exec_end`: the poll of `task` ended.
    pub fn task_exec_end(&'static self, executor: u32, task: u32) {
        let _ = task;
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let current = this.current();
        this.set_current(NONE);
        if current == ENDED || current == NONE {
            return;
        }
        let moment = self.moment(index);
        let passed = this.enter(ExecutorState::Scheduling, moment);
        match self.rows.get(current as usize) {
            Some(row) => row.end_poll(passed.own),
            None => this.end_overflow_poll(passed.own),
        }
        if let Some(worker) = self.registry.worker(index) {
            worker.end_poll_by(&At(moment.now), passed.taken);
        }
    }

    /// `_embassy_trace_task_end`: `task` ended. embassy calls this inside the task's last poll, when another context
    /// may already have spawned the task again.
    pub fn task_end(&'static self, executor: u32, task: u32) {
        match self.executor(executor) {
            Some((index, this)) => {
                match self.row(index, task) {
                    Some((_, row)) => row.end(),
                    None => this.end_overflow(),
                }
                if let Some(worker) = self.registry.worker(index) {
                    worker.task_ended(TaskEnd::Completed);
                }
            }
            None => self.registry.shared().task_ended(TaskEnd::Completed),
        }
    }

    /// `_embassy_trace_executor_idle`: `executor` has run its queue once. It is idle. So is the core, unless this
    /// executor had preempted another one.
    pub fn executor_idle(&'static self, executor: u32) {
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let moment = self.moment(index);
        let passed = this.enter(ExecutorState::Idle, moment);
        self.record(index, moment.now, |worker, hooks| {
            hooks.exclude(passed.taken);
            // embassy's work since its last poll ended is scheduling, and the timestamp after it is available.
            hooks.discard_last_timestamp();
            hooks.end_processing();
            hooks.park();
            worker.latch(hooks);
        });
        let (core, beneath) = this.preempting();
        if let Some(top) = self.tops.get(core as usize).filter(|_| EXECUTORS > 1) {
            let leaving = self.moment(index);
            this.charge(beneath as usize, this.polled_for(leaving.now));
            top.store(beneath, Ordering::Relaxed);
            // An interrupt between the clock read and the store charged this executor, which is leaving: pass the
            // charge on. From here on, an interrupt charges the executor beneath directly.
            this.charge(
                beneath as usize,
                self.taken_from(index).saturating_sub(leaving.taken),
            );
        }
    }

    /// Returns `true` if any of the tasks without a row is alive.
    fn overflow_alive(&self) -> bool {
        let ended = self
            .executors
            .iter()
            .fold(0_u64, |sum, executor| sum.wrapping_add(executor.overflow_ended()));
        self.overflow_spawned
            .load_acquire()
            .is_some_and(|spawned| spawned > ended)
    }

    /// Writes an executor's worker, with a timestamp that was already taken.
    #[inline(always)]
    fn record(
        &'static self,
        index: usize,
        now: u64,
        hook: impl FnOnce(StaticWorker<T, EXECUTORS, BUCKETS, C>, &StaticHooks<'_, At, BUCKETS, C>),
    ) {
        if let Some(worker) = self.registry.worker(index) {
            worker.write_by(&At(now), |hooks| hook(worker, hooks));
        }
    }

    #[inline(always)]
    fn ticks(&self) -> u64 {
        if self.registry.is_timed() {
            self.registry.now().ticks()
        } else {
            0
        }
    }

    /// Returns the ticks that other executors have taken from an executor by preemption.
    #[inline]
    fn taken_from(&self, index: usize) -> u64 {
        self.executors
            .iter()
            .fold(0, |sum, other| sum.wrapping_add(other.taken_from(index)))
    }

    #[inline]
    fn charges(&self) -> u32 {
        self.executors
            .iter()
            .fold(0, |sum, other| sum.wrapping_add(other.charges()))
    }

    /// Returns the time and the ticks taken from an executor up to then. They are read again if anything was charged
    /// in between.
    ///
    /// That happens if an interrupt executor runs between the two reads, so a second attempt is rare. The last of
    /// [`READS`] attempts is used as it is.
    /// is taken as it is.
    #[inline]
    fn moment(&self, index: usize) -> Moment {
        if EXECUTORS <= 1 {
            return Moment {
                now: self.ticks(),
                taken: 0,
            };
        }
        let mut charges = self.charges();
        for _ in 1..READS {
            let moment = Moment {
                now: self.ticks(),
                taken: self.taken_from(index),
            };
            // Ordering: acquire fence, pairs with the release in `charge`: keeps the loads above before the one below.
            fence(Ordering::Acquire);
            let after = self.charges();
            if after == charges {
                return moment;
            }
            charges = after;
        }
        Moment {
            now: self.ticks(),
            taken: self.taken_from(index),
        }
    }

    /// Returns the slot of an executor that a hook named before.
    #[inline]
    fn executor(&self, id: u32) -> Option<(usize, &Executor<EXECUTORS>)> {
        self.executors
            .iter()
            .enumerate()
            .find(|(_, executor)| executor.is(id | CLAIMED))
    }

    /// Returns the slot of an executor, and claims it the first time; `None` if there are more executors than slots.
    fn executor_or_claim(&self, id: u32) -> Option<(usize, &Executor<EXECUTORS>)> {
        // Two contexts may name the same executor for the first time concurrently. Both go through the slots in order,
        // so the one that loses a slot checks whether it lost it to the other.
        self.executors.iter().enumerate().find(|(_, executor)| {
            executor.is(id | CLAIMED) || executor.try_claim(id | CLAIMED) || executor.is(id | CLAIMED)
        })
    }

    /// Iterates over the rows, from the one where a task's row would be in an empty table.
    #[inline]
    fn probe(&self, task: u32) -> impl Iterator<Item = (usize, &Row)> {
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4) of an address; 32-bit arithmetic and no division.
        let hash = task.wrapping_mul(0x9E37_79B9) >> 16;
        let start = (hash as usize * TASKS) >> 16;
        let (before, from) = self.rows.split_at(start.min(TASKS));
        (start..).zip(from).chain(before.iter().enumerate())
    }

    #[inline]
    fn row(&self, executor: usize, task: u32) -> Option<(usize, &Row)> {
        for (number, row) in self.probe(task) {
            match row.key() {
                Some(key) if key == (executor, task) => return Some((number, row)),
                // Rows are never released, so the task's row can't come after a free one.
                None if row.is_free() => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns the task's row, and claims it the first time; `None` if the table is full.
    ///
    /// No other context claims a row for the same task concurrently: embassy allows one context at a time to spawn it.
    fn row_or_claim(&self, executor: usize, task: u32) -> Option<(usize, &Row)> {
        self.row(executor, task)
            .or_else(|| self.probe(task).find(|(_, row)| row.try_claim(executor, task)))
    }
}
