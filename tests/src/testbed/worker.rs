//! The steps of a worker that both flavours share: take a task, run it, poll the driver, wait.

use super::context::Context;
use super::coop;
use super::queue::retry;
use super::task::Runnable;

/// The number of tasks between two checks of the global queue before the local queue, so that neither starves.
const GLOBAL_INTERVAL: u32 = 61;

/// The number of tasks between two polls of the I/O driver.
pub(super) const EVENT_INTERVAL: u32 = 61;

/// The maximum number of tasks taken from the LIFO slot in a row, before the next one comes from the queue.
const MAX_LIFO_POLLS: usize = 3;

impl Context {
    /// Returns the next task: from the local queue, else from the global queue.
    #[inline(never)]
    pub(super) fn next_task(&self) -> Option<Runnable> {
        let shared = &self.shared;
        let workers = shared.workers.len();
        self.with_core(|core| {
            core.tick = core.tick.wrapping_add(1);
            if core.tick % GLOBAL_INTERVAL == 0 {
                retry(|| shared.global.steal()).or_else(|| core.queue.pop())
            } else {
                core.queue
                    .pop()
                    .or_else(|| core.queue.take_global(&shared.global, workers))
            }
        })?
    }

    /// Runs a task, and after it those that it put into the LIFO slot, on one budget.
    pub(super) fn run_task(&self, task: Runnable) {
        self.stop_searching();
        coop::with_budget(|| {
            self.poll(task);
            for _ in 0..MAX_LIFO_POLLS {
                let Some(Some(next)) = self.with_core(|core| core.queue.take_lifo()) else {
                    return;
                };
                self.poll(next);
            }
            // The maximum is reached, so the next task is queued.
            self.demote_lifo();
        });
    }

    /// Polls a task once, or drops its future if it was cancelled. The hooks of the poll are in `Measured`.
    fn poll(&self, task: Runnable) {
        self.scheduled.set(task.metadata().next_poll(&self.metrics));
        task.run();
    }

    /// Hooks: `inc_overflow_count`, `discard_last_timestamp`.
    pub(super) fn demote_lifo(&self) {
        let overflowed = self.with_core(|core| core.queue.demote_lifo(&self.shared.global));
        if let Some(Some(moved)) = overflowed {
            self.metrics.inc_overflow_count(moved);
        }
        self.notify();
    }

    /// Periodically polls the I/O driver, and lets a worker that never parks submit. Hook: `tick`.
    pub(super) fn maintain(&self) {
        if self.with_core(|core| core.tick % EVENT_INTERVAL == 0) == Some(true) {
            self.shared.driver.turn_now();
            self.metrics.tick();
        }
    }

    /// Steals from the other workers, starting with the neighbour. Hooks: `inc_steal_count`, `inc_steal_operations`.
    pub(super) fn steal(&self) -> Option<Runnable> {
        let shared = &self.shared;
        let workers = &shared.workers;
        let (task, stolen) = self.with_core(|core| {
            core.searching = core.searching || shared.idle.start_searching();
            if !core.searching {
                return None;
            }
            for offset in 1..workers.len() {
                let victim = &workers[(core.index + offset) % workers.len()].queue;
                if let Some((task, count)) = core.queue.steal_from(victim) {
                    return Some((task, Some(count)));
                }
            }
            core.queue
                .take_global(&shared.global, workers.len())
                .map(|task| (task, None))
        })??;
        if let Some(count) = stolen {
            self.metrics.inc_steal_count(count);
            self.metrics.inc_steal_operations();
        }
        Some(task)
    }

    /// The last searching worker that finds work wakes another worker, because there may be more work.
    fn stop_searching(&self) {
        let was_last = self.with_core(|core| {
            core.searching && {
                core.searching = false;
                self.shared.idle.stop_searching()
            }
        });
        if was_last == Some(true) {
            self.notify();
        }
    }

    /// Wakes another worker. This takes microseconds that belong to no poll. Hook: `discard_last_timestamp`.
    fn notify(&self) {
        self.shared.notify();
        self.metrics.discard_last_timestamp();
    }

    /// Waits for work. Hooks: `park` right before, `unpark` right after.
    pub(super) fn sleep(&self) {
        let shared = &self.shared;
        let taken =
            self.with_core(|core| (core.index, core.park.take(), core::mem::take(&mut core.searching)));
        let Some((index, Some(park), searching)) = taken else {
            return;
        };
        shared.idle.sleep(index, searching);
        if shared.has_work() {
            // The work was added while this worker went to sleep. Wakes a worker, possibly this one.
            shared.notify();
        }

        self.metrics.park();
        park.park(&shared.workers[index].unpark, &shared.driver);
        self.metrics.unpark();

        let notified = !shared.idle.wake_by_itself(index);
        self.with_core(|core| {
            core.park = Some(park);
            core.searching = notified;
        });
    }
}
