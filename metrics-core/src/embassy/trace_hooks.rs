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

/// The lowest bit of an executor's number, an address, is clear: setting it tells the number from "no executor".
const CLAIMED: u32 = 1;

/// A clock that stands at a reading.
struct At(u64);

impl TimeSource for At {
    #[inline(always)]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0)
    }

    // The rate was read from the registry's clock when that was made; nobody asks this one.
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
    /// `_embassy_trace_poll_start`: `executor` begins to run its queue, on the core with this number.
    ///
    /// On one core an executor that begins while another runs has preempted it, and takes its time from it. Cores must
    /// be numbered from zero; one whose number is not below `EXECUTORS` is not watched for preemption.
    pub fn poll_start(&'static self, executor: u32, core: usize) {
        let Some((index, this)) = self.executor_or_claim(executor) else {
            return;
        };
        let top = self.tops.get(core).filter(|_| EXECUTORS > 1);
        // Nothing charges an executor that does not run, so this needs no second look.
        let before = self.taken_from(index);
        // Ordering: relaxed, here and below: this core only, and an interrupt puts back what it found.
        let beneath = top.map_or(NONE, |top| top.load(Ordering::Relaxed));
        if let Some(top) = top {
            top.store(index as u32, Ordering::Relaxed);
        }
        let moment = self.moment(index);
        if top.is_some() {
            // An interrupt before the store charged the executor beneath. One between the store and the reading
            // charged this one, which had not yet begun: pass it on.
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

    /// `_embassy_trace_task_ready_begin`: `task` is about to be queued: at its spawn, or by a waker in any context on any core.
    pub fn task_ready_begin(&'static self, executor: u32, task: u32) {
        match self
            .executor(executor)
            .and_then(|(index, _)| self.row(index, task))
        {
            Some((_, row)) => row.wake(self.ticks()),
            None => self.overflow_wakes.increment_release(),
        }
    }

    /// `_embassy_trace_task_exec_begin`: `executor` has taken `task` off its queue and polls it.
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
            // The reading is this poll's: what embassy did since the last one ended is scheduling.
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

    /// `_embassy_trace_task_end`: `task` ended. embassy calls this inside the task's last poll, when the task may already have been
    /// spawned again by somebody else.
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

    /// `_embassy_trace_executor_idle`: `executor` has run its queue once. It is idle; the core is, too, unless this
    /// executor had preempted another.
    pub fn executor_idle(&'static self, executor: u32) {
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let moment = self.moment(index);
        let passed = this.enter(ExecutorState::Idle, moment);
        self.record(index, moment.now, |worker, hooks| {
            hooks.exclude(passed.taken);
            // What embassy did since its last poll ended is scheduling, and the reading after it is at hand.
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
            // An interrupt between the reading and the store charged this executor, which is leaving: pass it on. From
            // here on an interrupt charges the executor beneath by itself.
            this.charge(
                beneath as usize,
                self.taken_from(index).saturating_sub(leaving.taken),
            );
        }
    }

    /// Whether any of the tasks without a row is alive.
    fn overflow_alive(&self) -> bool {
        let ended = self
            .executors
            .iter()
            .fold(0_u64, |sum, executor| sum.wrapping_add(executor.overflow_ended()));
        self.overflow_spawned
            .load_acquire()
            .is_some_and(|spawned| spawned > ended)
    }

    /// Writes an executor's worker, by a reading that was taken already.
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

    /// What has been taken from an executor by those that preempted it.
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

    /// The time, and what had been taken from an executor by then: read again if something was charged in between.
    ///
    /// That happens when an interrupt executor runs between the two, so a second time is rare; the last of [`READS`] tries
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

    /// The slot of an executor that a hook named before.
    #[inline]
    fn executor(&self, id: u32) -> Option<(usize, &Executor<EXECUTORS>)> {
        self.executors
            .iter()
            .enumerate()
            .find(|(_, executor)| executor.is(id | CLAIMED))
    }

    /// The slot of an executor, taken for it the first time; `None` when there are more executors than slots.
    fn executor_or_claim(&self, id: u32) -> Option<(usize, &Executor<EXECUTORS>)> {
        // Two contexts may name the same executor for the first time at once. Both go through the slots in order, so
        // the one that loses a slot looks whether it lost it to the other.
        self.executors.iter().enumerate().find(|(_, executor)| {
            executor.is(id | CLAIMED) || executor.try_claim(id | CLAIMED) || executor.is(id | CLAIMED)
        })
    }

    /// Rows from where a task's would be in an empty table.
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
                // Rows are never given back, so the task's can't lie behind one that nobody has taken.
                None if row.is_free() => return None,
                _ => {}
            }
        }
        None
    }

    /// The task's row, taken for it the first time; `None` when the table is full.
    ///
    /// Nobody else claims a row for the same task meanwhile: embassy lets one context at a time spawn it.
    fn row_or_claim(&self, executor: usize, task: u32) -> Option<(usize, &Row)> {
        self.row(executor, task)
            .or_else(|| self.probe(task).find(|(_, row)| row.try_claim(executor, task)))
    }
}
