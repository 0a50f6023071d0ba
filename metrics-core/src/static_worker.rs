//! The recording side of a worker of a `static` registry: it writes directly to the slot.

use crate::cell::OwnedU64;
use crate::live::LocationId;
use crate::record::{Hooks, PollStart, Recorded, SlotHistogram};
use crate::registry::Registry;
use crate::storage::{BucketWidth, Buckets64, StaticSlot, StaticStorage};
use crate::tasks::TaskEnd;
use crate::time::{TimeSource, Timestamp};
use core::future::{Future, poll_fn};
use core::pin::pin;

/// The recording side of one worker of a `static` registry. It writes in place: no batch, no heap, no compare-and-swap
/// and no critical section.
///
/// It is a `Copy` reference, because hooks on a microcontroller are functions without state. The caller guarantees
/// exclusive use: **only one context at a time calls the hooks of one worker**. An executor and the tasks that it
/// polls are one context. An interrupt that preempts it must use a different worker (one per executor) or only read; a
/// reader that interrupts a write reports the worker as stale. Concurrent use loses counts and can leave the worker
/// unreadable until its next hook, but it is never undefined behaviour.
///
/// ```
/// use core::time::Duration;
/// use metrics_core::{Builder, MetricSet, NoClock, PollStart, Registry, RuntimeMetrics, StaticRegistryConfig, StaticStorage};
///
/// const CONFIG: StaticRegistryConfig<1, 1> = match Builder::new().measures(MetricSet::ALL).describe(0, Duration::ZERO) {
///     Ok(config) => config,
///     Err(_) => panic!("invalid configuration"),
/// };
/// static METRICS: Registry<StaticStorage<1, 1>, NoClock> = Registry::new(&CONFIG, NoClock);
///
/// let worker = METRICS.worker(0).expect("there is one worker");
/// worker.start_poll(PollStart::default());
/// // Poll the task here.
/// worker.end_poll();
/// # #[cfg(feature = "record")]
/// assert_eq!(RuntimeMetrics::new(&METRICS).poll_count(), Ok(Some(1)));
/// ```
#[derive(Debug)]
pub struct StaticWorker<T: 'static, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth = Buckets64> {
    pub(crate) registry: &'static Registry<StaticStorage<WORKERS, BUCKETS, C>, T>,
    pub(crate) fixed: &'static StaticSlot<BUCKETS, C>,
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
    /// Returns the recording side of worker `index`, or `None` if there is no such worker.
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
        self.write_section(|| hook(&self.hooks(&self.registry.clock)));
    }

    /// Runs `write` in a write section: a reader sees all of it or nothing.
    #[inline(always)]
    pub(crate) fn write_section(self, write: impl FnOnce()) {
        self.fixed.slot.seq.write(write);
    }

    /// Returns the hooks with a clock. A caller that has already read the time passes a clock other than the
    /// registry's.
    #[inline(always)]
    pub(crate) fn hooks<K: TimeSource>(self, clock: &K) -> StaticHooks<'_, K, BUCKETS, C> {
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

    /// The worker latches the switches between two polls, as a batch does at a submit.
    #[inline(always)]
    fn latch<K: TimeSource>(self, hooks: &StaticHooks<'_, K, BUCKETS, C>) {
        hooks.latch(self.registry.switches.latch());
    }

    /// Latches the switches between two polls, for a caller whose hooks then never have to exist in memory.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    #[inline(always)]
    pub(crate) fn latch_if_changed(self) {
        #[cold]
        #[inline(never)]
        fn changed<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>(
            worker: StaticWorker<T, WORKERS, BUCKETS, C>,
        ) {
            worker.latch(&worker.hooks(&worker.registry.clock));
        }
        if !self.fixed.state.is_latched(self.registry.switches.latch()) {
            changed(self);
        }
    }

    /// Returns the clock's current timestamp, or zero ticks without a clock.
    #[inline]
    pub fn now(self) -> Timestamp {
        self.registry.now()
    }

    /// Reports that the worker is about to wait for an interrupt.
    pub fn park(self) {
        self.write(|hooks| {
            hooks.park();
            self.latch(hooks);
        });
    }

    /// Reports that the worker woke up.
    pub fn unpark(self) {
        self.write(|hooks| {
            hooks.unpark();
            self.latch(hooks);
        });
    }

    /// Reports that the worker starts to run its tasks: busy time begins.
    pub fn start_processing_scheduled_tasks(self) {
        self.write(|hooks| {
            self.latch(hooks);
            hooks.start_processing();
        });
    }

    /// Reports that the worker has no tasks left: busy time ends.
    pub fn end_processing_scheduled_tasks(self) {
        self.write(Hooks::end_processing);
    }

    /// Reports that a task is about to be polled.
    ///
    /// Returns the schedule latency, if it was recorded. The histogram contains it at once, so a reader in the middle
    /// of the poll sees one sample more than polls.
    // Always inlined, as is `end_poll`: otherwise a Cortex-M0 spends a third of the call on values that the caller
    // knows.
    #[inline(always)]
    pub fn start_poll(self, start: PollStart) -> Recorded {
        let hooks = self.hooks(&self.registry.clock);
        if start.scheduled_at.is_some() {
            // Not a closure: the compiler outlines a closure that two calls share, and the hooks then have to exist in
            // memory.
            let seq = self.fixed.slot.seq.open();
            let outcome = hooks.start_poll(start);
            self.fixed.slot.seq.close(seq);
            outcome.recorded
        } else {
            // This writes only what no reader sees, and the live record, which has its own sequence check.
            hooks.start_poll(start).recorded
        }
    }

    /// Reports that the poll ended. Returns its duration, if it was recorded.
    #[inline(always)]
    pub fn end_poll(self) -> Recorded {
        let hooks = self.hooks(&self.registry.clock);
        let seq = self.fixed.slot.seq.open();
        let outcome = hooks.end_poll();
        self.fixed.slot.seq.close(seq);
        if outcome.due {
            self.run_due_work();
        }
        outcome.recorded
    }

    /// Polls a future as a task of this worker, and records each poll. For executors whose polls call no hooks.
    ///
    /// It allocates nothing: the result contains the future and a copy of this reference. The schedule latency is not
    /// recorded, because no waker is wrapped. A measured future that is polled inside a poll of this worker is part of
    /// that poll, and is counted as a nested poll.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use metrics_core::{Builder, MetricSet, NoClock, Registry, RuntimeMetrics, StaticRegistryConfig, StaticStorage};
    /// # const CONFIG: StaticRegistryConfig<1, 1> = match Builder::new().measures(MetricSet::ALL).describe(0, Duration::ZERO) {
    /// #     Ok(config) => config,
    /// #     Err(_) => panic!("invalid configuration"),
    /// # };
    /// # static METRICS: Registry<StaticStorage<1, 1>, NoClock> = Registry::new(&CONFIG, NoClock);
    /// use core::pin::pin;
    /// use core::task::{Context, Waker};
    /// use metrics_core::LocationId;
    ///
    /// let worker = METRICS.worker(0).expect("there is one worker");
    /// let mut blink = pin!(worker.measure(LocationId::from_u32(1), async { 7 }));
    /// let poll = blink.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert!(poll.is_ready());
    /// # #[cfg(feature = "record")]
    /// assert_eq!(RuntimeMetrics::new(&METRICS).poll_count(), Ok(Some(1)));
    /// ```
    pub async fn measure<F: Future>(self, spawn_location: LocationId, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let start = || {
                self.start_poll(PollStart {
                    spawn_location,
                    ..PollStart::default()
                })
            };
            self.measure_poll(start, || future.as_mut().poll(cx), || self.end_poll())
        })
        .await
    }

    /// Calls `start` and `end` around a poll, or counts a nested poll if this worker is in one.
    pub(crate) fn measure_poll<P>(
        self,
        start: impl FnOnce() -> Recorded,
        poll: impl FnOnce() -> P,
        end: impl FnOnce() -> Recorded,
    ) -> P {
        if self.hooks(&self.registry.clock).flags().is_polling() {
            self.write(|hooks| hooks.count(|counters| &counters.nested_polls, 1));
            return poll();
        }
        start();
        let output = poll();
        end();
        output
    }

    /// The work that a batch does at a submit. Outlined, with its own hooks, so that the hooks of an ordinary poll
    /// never have to exist in memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn run_due_work(self) {
        self.write(|hooks| hooks.before_submit(self.registry.switches.latch()));
    }

    /// Makes the next poll read the clock. Call this after work that belongs to no poll and that no other hook
    /// reports.
    pub fn discard_last_timestamp(self) {
        // No reader sees the flags.
        self.hooks(&self.registry.clock).discard_last_timestamp();
    }

    /// Counts a task that was scheduled from this worker onto its own queue.
    pub fn inc_local_schedule_count(self) {
        self.write(|hooks| hooks.count(|counters| &counters.local_schedule_count, 1));
    }

    /// Counts a poll that returned `Pending` because the task's cooperative budget was exhausted.
    pub fn inc_budget_forced_yield_count(self) {
        self.write(|hooks| hooks.count(|counters| &counters.budget_forced_yield_count, 1));
    }

    /// Counts a task that was spawned on this worker's executor. Readers see it at once.
    pub fn task_spawned(self) {
        self.fixed.slot.tasks.spawned();
        self.discard_last_timestamp();
    }

    /// Counts a task of this worker's executor that ended. Readers see it at once.
    pub fn task_ended(self, end: TaskEnd) {
        self.fixed.slot.tasks.ended(end);
        self.discard_last_timestamp();
    }
}
