//! The writer for a `static`: the same hooks, straight into the slot, inside its write section.

use crate::cell::OwnedU64;
use crate::record::{Hooks, PollStart, Recorded, SlotHistogram};
use crate::registry::Registry;
use crate::storage::{BucketWidth, Buckets64, StaticSlot, StaticStorage};
use crate::tasks::TaskEnd;
use crate::time::{TimeSource, Timestamp};

/// One worker of a `static` registry, written in place: no batch, no heap, no compare-and-swap, no critical section.
///
/// Hooks on a microcontroller are functions without state of their own, so this is a copyable reference that any of them can
/// make at any time, and exclusivity is the caller's: **one context at a time calls the hooks of one worker**. An
/// executor and what it polls are one context. An interrupt that preempts it must use a worker of its own (one executor, one
/// worker), or only read: a reader that interrupts a write section is told that the worker is busy. Broken
/// exclusivity loses counts and can leave a worker unreadable until its next hook; it is never undefined behaviour.
#[derive(Debug)]
pub struct StaticWorker<T: 'static, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth = Buckets64> {
    registry: &'static Registry<StaticStorage<WORKERS, BUCKETS, C>, T>,
    fixed: &'static StaticSlot<BUCKETS, C>,
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Clone
    for StaticWorker<T, WORKERS, BUCKETS, C>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Copy
    for StaticWorker<T, WORKERS, BUCKETS, C>
{
}

impl<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
    Registry<StaticStorage<WORKERS, BUCKETS, C>, T>
{
    /// The writer of worker `index`, or `None` past the last.
    #[inline]
    pub fn worker(&'static self, index: usize) -> Option<StaticWorker<T, WORKERS, BUCKETS, C>> {
        Some(StaticWorker {
            registry: self,
            fixed: self.storage.get(index)?,
        })
    }
}

pub(crate) type StaticHooks<'a, T, const BUCKETS: usize, C> =
    Hooks<'a, OwnedU64, SlotHistogram<[<C as BucketWidth>::Cell; BUCKETS]>, T>;

impl<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
    StaticWorker<T, WORKERS, BUCKETS, C>
{
    #[inline(always)]
    fn write(self, hook: impl FnOnce(&StaticHooks<'static, T, BUCKETS, C>)) {
        self.write_by(&self.registry.clock, hook);
    }

    /// The same by another clock, for a caller that has taken the reading.
    #[inline(always)]
    pub(crate) fn write_by<'a, K: TimeSource>(
        self,
        clock: &'a K,
        hook: impl FnOnce(&StaticHooks<'a, K, BUCKETS, C>),
    ) {
        self.fixed.slot.seq.write(|| hook(&self.hooks(clock)));
    }

    #[inline(always)]
    fn hooks<K: TimeSource>(self, clock: &K) -> StaticHooks<'_, K, BUCKETS, C> {
        let slot = &self.fixed.slot;
        let info = &self.registry.info;
        Hooks {
            counters: &slot.counters,
            state: &self.fixed.state,
            live: &slot.live,
            poll_time: info.poll_time.of(slot.poll_time.as_ref()),
            schedule_latency: info.schedule_latency.of(slot.schedule_latency.as_ref()),
            clock,
            scale: &info.scale,
            timed: self.registry.is_timed(),
            interval: info.interval,
        }
    }

    /// The switches are taken over between two polls, as a batch takes them over at a submit.
    #[inline(always)]
    pub(crate) fn latch<K: TimeSource>(self, hooks: &StaticHooks<'_, K, BUCKETS, C>) {
        hooks.latch(self.registry.switches.latch());
    }

    /// A clock reading, for stamps. Zero ticks without a clock.
    #[inline]
    pub fn now(self) -> Timestamp {
        self.registry.now()
    }

    /// The worker is about to wait for an interrupt.
    pub fn park(self) {
        self.write(|hooks| {
            hooks.park();
            self.latch(hooks);
        });
    }

    /// The worker woke up.
    pub fn unpark(self) {
        self.write(|hooks| {
            hooks.unpark();
            self.latch(hooks);
        });
    }

    /// The worker turns to its tasks: busy time begins.
    pub fn start_processing_scheduled_tasks(self) {
        self.write(|hooks| {
            self.latch(hooks);
            hooks.start_processing();
        });
    }

    /// The worker ran out of tasks: busy time ends.
    pub fn end_processing_scheduled_tasks(self) {
        self.write(Hooks::end_processing);
    }

    /// A task is about to be polled. Its schedule latency is there at once: who reads in the middle of the poll finds a sample
    /// more than polls. Returns the schedule latency, if it was recorded.
    // Always inlined, as is the end: a Cortex-M0 would spend a third of the call on what is known where it is made.
    #[inline(always)]
    pub fn start_poll(self, start: PollStart) -> Recorded {
        self.start_poll_by(&self.registry.clock, start)
    }

    #[inline(always)]
    pub(crate) fn start_poll_by<K: TimeSource>(self, clock: &K, start: PollStart) -> Recorded {
        let hooks = self.hooks(clock);
        if start.scheduled_at.is_some() {
            // No closure: one that two calls share is compiled apart, and the hooks then have to exist in memory.
            let seq = self.fixed.slot.seq.open();
            let outcome = hooks.start_poll(start);
            self.fixed.slot.seq.close(seq);
            outcome.recorded
        } else {
            // Only what no reader sees is written, and the live record, which has a sequence count of its own.
            hooks.start_poll(start).recorded
        }
    }

    /// The poll ended. Returns its duration, if it was recorded.
    #[inline(always)]
    pub fn end_poll(self) -> Recorded {
        self.end_poll_by(&self.registry.clock, 0)
    }

    /// Ends a poll of which `excluded` ticks were not its own.
    #[inline(always)]
    pub(crate) fn end_poll_by<K: TimeSource>(self, clock: &K, excluded: u64) -> Recorded {
        let hooks = self.hooks(clock);
        let seq = self.fixed.slot.seq.open();
        hooks.exclude(excluded);
        let outcome = hooks.end_poll();
        self.fixed.slot.seq.close(seq);
        if outcome.due {
            self.settle();
        }
        outcome.recorded
    }

    /// What a batch does when it submits. Out of line and with hooks of its own, so that those of the ordinary poll
    /// never have to exist in memory.
    #[cold]
    #[inline(never)]
    fn settle(self) {
        self.write(|hooks| hooks.before_submit(self.registry.switches.latch()));
    }

    /// The next poll takes a clock reading of its own. Call it after work that belongs to no poll and that no other hook
    /// reports.
    pub fn discard_last_timestamp(self) {
        // No reader sees the flags.
        self.hooks(&self.registry.clock).discard_last_timestamp();
    }

    /// A task was scheduled from this worker onto its own queue.
    pub fn inc_local_schedule_count(self) {
        self.write(|hooks| hooks.count(|counters| &counters.local_schedule_count, 1));
    }

    /// A poll returned `Pending` because its cooperative budget was spent.
    pub fn inc_budget_forced_yield_count(self) {
        self.write(|hooks| hooks.count(|counters| &counters.budget_forced_yield_count, 1));
    }

    /// A task was accepted by this worker's executor. Visible at once.
    pub fn task_spawned(self) {
        self.fixed.slot.tasks.spawned();
        self.discard_last_timestamp();
    }

    /// A task of this worker's executor ended. Visible at once.
    pub fn task_ended(self, end: TaskEnd) {
        self.fixed.slot.tasks.ended(end);
        self.discard_last_timestamp();
    }
}
