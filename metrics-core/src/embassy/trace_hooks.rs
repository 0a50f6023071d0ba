//! The seven trace hooks.

use super::executor::{ENDED, Executor, NONE, OVERFLOW};
use super::frame::{Frame, Moment};
use super::task_row::Row;
use super::{Configured, EmbassyConfig, EmbassyMetrics, READS};
use crate::cell::U64Cell;
use crate::live::{LocationId, UNTIMED, WorkerState};
use crate::static_worker::{StaticHooks, StaticWorker};
use crate::storage::BucketWidth;
use crate::sync::Ordering;
use crate::tasks::TaskEnd;
use crate::time::TimeSource;

/// The lowest bit of an executor's number, which is an address, is clear. It is set to distinguish the number from "no
/// executor".
const CLAIMED: u32 = 1;

impl<K, T, const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize, C>
    EmbassyMetrics<K, T, EXECUTORS, TASKS, BUCKETS, C>
where
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
    T: TimeSource,
    C: BucketWidth,
{
    /// `_embassy_trace_poll_start`: `executor` starts to run its queue, on the core with this number.
    ///
    /// On one core, an executor that starts while another runs has preempted it and takes its time from it. Number the
    /// cores from zero. Preemption is not measured on a core whose number is not below `EXECUTORS`.
    pub fn poll_start(&'static self, executor: u32, core: usize) {
        let Some((index, this)) = self.executor_or_claim(executor) else {
            return;
        };
        let Some(worker) = self.registry.worker(index) else {
            return;
        };
        worker.write_section(|| {
            let (beneath, moment) = self.enter(core, index, &this.frame);
            this.preempt((core as u32).wrapping_add(1), beneath);
            let hooks = worker.hooks(&self.registry.clock);
            if hooks.live.is(WorkerState::Idle) {
                worker.fixed.begin(index);
            }
            let was_idle = hooks.live.is(WorkerState::Parked);
            if hooks.start_run_at(moment.now) {
                this.start_run(was_idle, moment);
            } else if hooks.live.is(WorkerState::Polling) {
                // A panic ended the last poll. Its row does not count it.
                this.set_current(NONE);
                this.end_poll(moment);
                this.enter(moment);
                hooks.live.end_poll(true);
            }
            worker.latch_if_changed();
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
        match self.executor(executor) {
            Some((index, _)) => match self.row(index, task) {
                Some((_, row)) => row.wake(self.ticks()),
                None => self.overflow_wakes.increment_release(),
            },
            None if self.executors.iter().all(|slot| slot.id() != 0) => {
                self.unmeasured_wakes.increment_release();
            }
            None => self.overflow_wakes.increment_release(),
        }
    }

    /// `_embassy_trace_task_exec_begin`: `executor` has removed `task` from its queue and polls it.
    pub fn task_exec_begin(&'static self, executor: u32, task: u32) {
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let Some(worker) = self.registry.worker(index) else {
            return;
        };
        worker.write_section(|| {
            let moment = self.moment(&this.frame);
            let (current, queued_at) = if let Some((number, row)) = self.row(index, task) {
                let taken = row.take(moment.now);
                let current = if taken.alive { number as u32 + 1 } else { ENDED };
                (current, Some(taken.queued_at))
            } else {
                (if self.overflow_alive() { OVERFLOW } else { ENDED }, None)
            };
            this.set_current(current);
            if current != ENDED {
                this.enter(moment);
                let hooks = worker.hooks(&self.registry.clock);
                hooks.start_poll_at(moment.now, LocationId::from_u32(task), queued_at);
            }
        });
    }

    /// `_embassy_trace_task_exec_end`: the poll of `task` ended.
    pub fn task_exec_end(&'static self, executor: u32, task: u32) {
        let _ = task;
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let Some(worker) = self.registry.worker(index) else {
            return;
        };
        let current = this.current();
        if current == ENDED || current == NONE {
            this.set_current(NONE);
            return;
        }
        worker.write_section(|| {
            let moment = self.moment(&this.frame);
            this.set_current(NONE);
            let ticks = this.end_poll(moment);
            this.enter(moment);
            match self.rows.get(current.wrapping_sub(1) as usize) {
                Some(row) => row.end_poll(ticks.unwrap_or(0)),
                None => this.end_overflow_poll(ticks.unwrap_or(0)),
            }
            let hooks = worker.hooks(&self.registry.clock);
            hooks.end_poll_after(ticks);
            if hooks.is_busy_time_due(moment.now) {
                Self::update_in_mid_run(this, worker, moment);
            }
        });
    }

    /// Updates busy time and latches the switches in the middle of a run, so that neither waits for its end.
    #[cold]
    #[inline(never)]
    fn update_in_mid_run(
        this: &Executor,
        worker: StaticWorker<T, EXECUTORS, BUCKETS, Configured<K, EXECUTORS, BUCKETS, C>>,
        moment: Moment,
    ) {
        let hooks = worker.hooks(&worker.registry.clock);
        Self::update_busy_time(this, &hooks, moment);
        worker.latch_if_changed();
    }

    #[inline(always)]
    fn update_busy_time(
        this: &Executor,
        hooks: &StaticHooks<'_, T, BUCKETS, Configured<K, EXECUTORS, BUCKETS, C>>,
        moment: Moment,
    ) {
        let updated_at = hooks.counters.settled_at.get();
        let busy = this.add_scheduling_and_preempted(updated_at, moment);
        hooks.add_busy_time(moment.now, busy);
    }

    /// `_embassy_trace_task_end`: `task` ended. embassy calls this inside the task's last poll, when another context
    /// may already have spawned the task again.
    pub fn task_end(&'static self, executor: u32, task: u32) {
        match self
            .executor(executor)
            .and_then(|(index, this)| Some((index, this, self.registry.worker(index)?)))
        {
            Some((index, this, worker)) => {
                worker.write_section(|| match self.row(index, task) {
                    Some((_, row)) => row.end(),
                    None => this.end_overflow(),
                });
                worker.task_ended(TaskEnd::Completed);
            }
            None => self.registry.shared().task_ended(TaskEnd::Completed),
        }
    }

    /// `_embassy_trace_executor_idle`: `executor` has run its queue once and is idle. The core is idle too, unless this
    /// executor had preempted other code.
    pub fn executor_idle(&'static self, executor: u32) {
        let Some((index, this)) = self.executor(executor) else {
            return;
        };
        let Some(worker) = self.registry.worker(index) else {
            return;
        };
        worker.write_section(|| {
            let hooks = worker.hooks(&self.registry.clock);
            // Without a `poll_start` since the last call, it is idle already.
            if !hooks.live.state().is_busy() {
                return;
            }
            let moment = self.moment(&this.frame);
            Self::update_busy_time(this, &hooks, moment);
            hooks.park_at(moment.now);
            this.enter(moment);
            let (core, beneath) = this.preempting();
            self.leave(core.wrapping_sub(1) as usize, beneath, &this.frame, moment);
        });
    }

    /// Gives a name to a task that was spawned: `SpawnToken::id` is its number. Every snapshot contains the name, a
    /// serialised one too.
    pub fn name_task(&self, task: u32, name: &str) {
        let rows = self.rows.iter();
        for row in rows.filter(|row| row.key().is_some_and(|(_, number)| number == task)) {
            row.set_name(name);
        }
    }

    /// Runs the body of an interrupt handler on core 0, and records it under the name of one of the
    /// [`interrupts`](EmbassyConfig::interrupts).
    ///
    /// As with an interrupt executor, its time does not count for the executor that it interrupts. Only one context at
    /// a time may use a name. If no handler has this name, the body runs and nothing is recorded.
    pub fn with_interrupt<R>(&'static self, name: &str, body: impl FnOnce() -> R) -> R {
        self.with_interrupt_on(0, name, body)
    }

    /// Runs the body of an interrupt handler as [`with_interrupt`](Self::with_interrupt) does, on the core with this
    /// number.
    pub fn with_interrupt_on<R>(&'static self, core: usize, name: &str, body: impl FnOnce() -> R) -> R {
        let found = K::interrupts().iter().position(|handler| handler.name() == name);
        let Some((number, handler)) = found.and_then(|number| Some((number, K::interrupts().get(number)?)))
        else {
            return body();
        };
        let (beneath, started) = self.enter(core, EXECUTORS + number, &handler.frame);
        handler.start(started);
        let result = body();
        let ended = handler.end(|| self.moment(&handler.frame));
        self.leave(core, beneath, &handler.frame, ended);
        result
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

    /// Returns the time, or [`UNTIMED`] without a clock: every duration is then zero.
    #[inline(always)]
    pub(super) fn ticks(&self) -> u64 {
        if self.registry.is_timed() {
            self.registry.now().ticks()
        } else {
            UNTIMED
        }
    }

    /// Returns `true` if anything can preempt an executor.
    #[inline(always)]
    fn is_nested() -> bool {
        EXECUTORS > 1 || !K::interrupts().is_empty()
    }

    /// Returns a frame by its number: executors, followed by interrupts.
    fn frame(&self, number: u32) -> Option<&Frame> {
        let number = number.checked_sub(1)? as usize;
        match self.executors.get(number) {
            Some(executor) => Some(&executor.frame),
            None => Some(&K::interrupts().get(number.checked_sub(EXECUTORS)?)?.frame),
        }
    }

    /// Marks a frame as the one that runs on its core. Returns the number of the frame that it preempted, and the time.
    #[inline]
    fn enter(&self, core: usize, number: usize, frame: &Frame) -> (u32, Moment) {
        if !Self::is_nested() {
            return (NONE, self.moment(frame));
        }
        self.enter_nested(core, number, frame)
    }

    fn enter_nested(&self, core: usize, number: usize, frame: &Frame) -> (u32, Moment) {
        let Some(top) = self.tops.get(core) else {
            return (NONE, self.moment(frame));
        };
        let before = frame.taken();
        // Ordering: relaxed, here and below: only this core uses it, and an interrupt restores the value that it
        // found.
        let beneath = top.load(Ordering::Relaxed);
        let Some(below) = self.frame(beneath) else {
            top.store(number as u32 + 1, Ordering::Relaxed);
            return (beneath, self.moment(frame));
        };
        let version = below.open();
        top.store(number as u32 + 1, Ordering::Relaxed);
        let moment = self.moment(frame);
        // Code that ran between the store and the clock read charged this frame, which had not started yet: pass the
        // charge on.
        below.charge(moment.taken.wrapping_sub(before));
        below.begin_above(moment.now);
        below.close(version);
        (beneath, moment)
    }

    /// Removes a frame, which ended at `moment`, from its core.
    #[inline]
    fn leave(&self, core: usize, beneath: u32, frame: &Frame, moment: Moment) {
        if !Self::is_nested() {
            return;
        }
        let Some(top) = self.tops.get(core) else { return };
        let Some(below) = self.frame(beneath) else {
            return top.store(beneath, Ordering::Relaxed);
        };
        let version = below.open();
        below.end_above(moment.now);
        top.store(beneath, Ordering::Relaxed);
        // Code that ran between the clock read and the store charged this frame, which was leaving: pass the charge
        // on. From here on, code above charges the frame beneath directly.
        below.charge(frame.taken().wrapping_sub(moment.taken));
        below.close(version);
    }

    /// Returns the time and the ticks taken from a frame up to then. They are read again if anything was charged in
    /// between.
    ///
    /// That happens if other code runs between the reads, so a second attempt is rare. The last of [`READS`] attempts
    /// is used as it is.
    #[inline]
    fn moment(&self, frame: &Frame) -> Moment {
        if !Self::is_nested() {
            return Moment {
                now: self.ticks(),
                taken: 0,
            };
        }
        self.nested_moment(frame)
    }

    // Outlined: every hook calls it.
    #[inline(never)]
    fn nested_moment(&self, frame: &Frame) -> Moment {
        for _ in 1..READS {
            let before = frame.taken_low();
            let now = self.ticks();
            let taken = frame.taken();
            // A difference of 2^32 ticks would take longer than a clock read.
            if taken as u32 == before {
                return Moment { now, taken };
            }
        }
        Moment {
            now: self.ticks(),
            taken: frame.taken(),
        }
    }

    /// Returns the slot of an executor that a hook named before.
    #[inline]
    fn executor(&self, id: u32) -> Option<(usize, &Executor)> {
        // Ordering: relaxed, here and below: it is only the place where a search begins.
        let recent = self.recent.load(Ordering::Relaxed) as usize;
        match self.executors.get(recent) {
            Some(executor) if executor.is_known_as(id | CLAIMED) => Some((recent, executor)),
            _ => self.find_executor(id),
        }
    }

    #[inline(never)]
    fn find_executor(&self, id: u32) -> Option<(usize, &Executor)> {
        let found = self
            .executors
            .iter()
            .enumerate()
            .find(|(_, executor)| executor.is(id | CLAIMED))?;
        self.recent.store(found.0 as u32, Ordering::Relaxed);
        Some(found)
    }

    /// Returns the slot of an executor, and claims it the first time; `None` if there are more executors than slots.
    #[inline]
    fn executor_or_claim(&self, id: u32) -> Option<(usize, &Executor)> {
        self.executor(id).or_else(|| self.claim_executor(id))
    }

    #[cold]
    fn claim_executor(&self, id: u32) -> Option<(usize, &Executor)> {
        // Two contexts may name the same executor for the first time concurrently. Both go through the slots in order,
        // so the one that loses a slot checks whether it lost it to the other.
        self.executors.iter().enumerate().find(|(_, executor)| {
            executor.is(id | CLAIMED) || executor.try_claim(id | CLAIMED) || executor.is(id | CLAIMED)
        })
    }

    /// Returns the number of the row where a task's row would be in an empty table.
    #[inline(always)]
    fn home(task: u32) -> usize {
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4) of an address; 32-bit arithmetic and no division.
        let hash = task.wrapping_mul(0x9E37_79B9) >> 16;
        (hash as usize * TASKS) >> 16
    }

    /// Iterates over the rows, from the one where a task's row would be in an empty table.
    fn probe(&self, task: u32) -> impl Iterator<Item = (usize, &Row)> {
        let start = Self::home(task);
        let (before, from) = self.rows.split_at(start.min(TASKS));
        (start..).zip(from).chain(before.iter().enumerate())
    }

    #[inline]
    fn row(&self, executor: usize, task: u32) -> Option<(usize, &Row)> {
        let home = Self::home(task);
        match self.rows.get(home) {
            Some(row) if row.belongs_to(executor, task) => Some((home, row)),
            _ => self.find_row(executor, task),
        }
    }

    #[inline(never)]
    fn find_row(&self, executor: usize, task: u32) -> Option<(usize, &Row)> {
        for (number, row) in self.probe(task) {
            if row.belongs_to(executor, task) {
                return Some((number, row));
            }
            // Rows are never released, so the task's row can't come after a free one.
            if row.key().is_none() && row.is_free() {
                return None;
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
