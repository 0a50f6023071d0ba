//! A worker: the hooks that a scheduler's loop calls, over a batch of its own.

use crate::catalog::WorkerNumber;
use crate::live::{LocationId, WorkerState};
use crate::record::{Batch, BatchHistogram, Hooks, PollStart, Recorded, sampling_seed};
use crate::registry::{Registry, RegistryRef};
use crate::slot::{EXTERNAL, Lease, MAX_WORKERS};
use crate::storage::{HeapSlot, HeapStorage, SlotHandle};
use crate::sync::RECORDING;
use crate::tasks::TaskEnd;
use crate::time::Timestamp;
use core::fmt;

/// Why no slot could be leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LeaseError {
    /// A worker index above what a lease can name.
    WorkerIndex {
        /// What was asked for.
        worker: usize,
        /// Indices stay below this.
        limit: usize,
    },
    /// Every slot that the storage can hold is leased.
    Exhausted,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkerIndex { worker, limit } => {
                write!(
                    f,
                    "worker index {worker} is too large: number workers from 0 and stay below {limit}"
                )
            }
            Self::Exhausted => f.write_str(
                "every slot is leased: drop the `Worker` of a thread that ended before leasing another",
            ),
        }
    }
}

impl core::error::Error for LeaseError {}

/// The recording side of one worker: batches what its hooks see and submits it to the slot that it leases.
///
/// One thread runs it at a time: it can be sent, not shared and not cloned. Hooks take `&self` and never panic, block
/// or allocate. Dropping it submits and gives the slot back; the next lease of the same index goes on from its totals.
///
/// # The life of a worker
///
/// ```text
///            (1)┌────────┐(2)                    (4)┌─────────┐
///        ┌─────▶│ PARKED │──────┐          ┌───────▶│ POLLING │
///        │      └────────┘      ▼          │        └─────────┘
///   ┌────┴────┐           ┌───────────┐(3) ▼             │
///   │ RUNNING │◀──────────│ SEARCHING │──▶┌─────────┐(5) │
///   └─────────┘           └───────────┘   │ RUNNING │◀───┘
///                               ▲      (6)└────┬────┘
///                               └──────────────┘
/// ```
///
/// 1. [`park`](Self::park), just before blocking. Settles busy time, submits.
/// 2. [`unpark`](Self::unpark), just after. Submits.
/// 3. [`start_processing_scheduled_tasks`](Self::start_processing_scheduled_tasks): busy time begins.
/// 4. [`start_poll`](Self::start_poll), before each poll of a spawned task.
/// 5. [`end_poll`](Self::end_poll), after it. Submits once the interval has passed.
/// 6. [`end_processing_scheduled_tasks`](Self::end_processing_scheduled_tasks): out of work, searching or in the driver. Busy time ends.
///
/// # Clock readings
///
/// One per poll in a row of polls: where [`start_poll`](Self::start_poll) directly follows [`end_poll`](Self::end_poll), the end
/// of the one poll is the start of the next. That charges the scheduler's own work between the two (about 10 ns) to the second.
/// The same reading serves an [`end_processing_scheduled_tasks`](Self::end_processing_scheduled_tasks) that directly follows.
///
/// Every other hook in between discards the reading, and the next poll takes its own. So does the first poll after
/// [`start_processing_scheduled_tasks`](Self::start_processing_scheduled_tasks). A scheduler that does other work between two
/// polls, and calls no hook for it, calls [`discard_last_timestamp`](Self::discard_last_timestamp).
pub struct Worker<R: RegistryRef<Storage = HeapStorage>> {
    registry: R,
    slot: SlotHandle,
    batch: Batch,
    index: usize,
}

impl<R: RegistryRef<Storage = HeapStorage>> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> Worker<R> {
    /// Leases a slot for worker `index`: a free one that served this index before, else a fresh one.
    ///
    /// Two threads may answer to one index at the same time (a worker handed over in the middle of a poll): each has a slot of
    /// its own, and the worker's numbers are their sum. An index past the described number of workers is one of a pool that has
    /// grown: snapshots list it, and those between as idle.
    ///
    /// # Errors
    /// [`LeaseError`] if the index is 2^30 - 1 or more, or if there can be no more slots.
    pub fn lease(registry: R, index: usize) -> Result<Self, LeaseError> {
        if index >= MAX_WORKERS {
            return Err(LeaseError::WorkerIndex {
                worker: index,
                limit: MAX_WORKERS,
            });
        }
        Self::lease_tagged(registry, index)
    }

    /// Leases any free slot, for pools whose threads come and go. The worker's index is the slot's: what the last
    /// thread on it counted goes on.
    ///
    /// # Errors
    /// [`LeaseError::Exhausted`] if there can be no more slots.
    pub fn lease_any(registry: R) -> Result<Self, LeaseError> {
        let heap = &registry.storage;
        let slot = heap
            .find(Lease::claim_free)
            .or_else(|| heap.find_or_grow(Lease::claim_vacant))
            .ok_or(LeaseError::Exhausted)?;
        let index = slot.lease.worker().unwrap_or_default();
        Ok(Self::resume(registry, slot, index))
    }

    /// Leases a slot for a thread that polls this runtime's tasks and is none of its workers. What it counts stands in
    /// [`Snapshot::foreign`](crate::Snapshot::foreign), and in every total.
    ///
    /// # Errors
    /// [`LeaseError::Exhausted`] if there can be no more slots.
    pub fn lease_external(registry: R) -> Result<Self, LeaseError> {
        Self::lease_tagged(registry, EXTERNAL)
    }

    fn lease_tagged(registry: R, index: usize) -> Result<Self, LeaseError> {
        let heap = &registry.storage;
        let slot = heap
            .find(|lease| lease.claim_again(index))
            .or_else(|| heap.claim_vacant(index))
            .ok_or(LeaseError::Exhausted)?;
        Ok(Self::resume(registry, slot, index))
    }

    fn resume(registry: R, slot: SlotHandle, index: usize) -> Self {
        let mut batch = Batch::resume(&slot.counters);
        let side = |config: Option<&crate::histogram::HistogramConfig>, slot: &Option<_>| match (config, slot)
        {
            (Some(_), Some(slot)) => Some(BatchHistogram::new(slot)),
            _ => None,
        };
        batch.poll_time = side(registry.poll_time_config(), &slot.poll_time);
        batch.schedule_latency = side(registry.schedule_latency_config(), &slot.schedule_latency);
        let worker = Self {
            registry,
            slot,
            batch,
            index,
        };
        // Leases of one slot that end after a few polls don't all begin alike.
        let polls = worker.batch.counters.poll_count.get();
        let seed = sampling_seed(worker.registry.info.epoch ^ polls, index as u64);
        worker.hooks().seed_sampling(seed);
        worker.hooks().latch(worker.registry.switches.latch());
        worker
    }

    #[inline(always)]
    fn hooks(&self) -> Hooks<'_, crate::cell::Local, BatchHistogram, R::Clock> {
        let registry: &Registry<HeapStorage, R::Clock> = &self.registry;
        Hooks {
            counters: &self.batch.counters,
            state: &self.batch.state,
            live: &self.slot.live,
            poll_time: registry.info.poll_time.of(self.batch.poll_time.as_ref()),
            schedule_latency: registry
                .info
                .schedule_latency
                .of(self.batch.schedule_latency.as_ref()),
            clock: &registry.clock,
            scale: &registry.info.scale,
            timed: registry.is_timed(),
            interval: registry.info.interval,
        }
    }

    /// The worker's index.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The handle of the registry that the worker was leased from.
    pub fn registry(&self) -> &R {
        &self.registry
    }

    /// A clock reading, for stamps. Zero ticks without a clock.
    #[inline]
    pub fn now(&self) -> Timestamp {
        self.registry.now()
    }

    /// The worker is about to block until there is work. One clock reading; submits. Each park needs its
    /// [`unpark`](Self::unpark): `park_unpark_count` is odd while the worker is parked.
    pub fn park(&self) {
        self.hooks().park();
        self.submit();
    }

    /// The worker woke up. One clock reading; submits.
    pub fn unpark(&self) {
        self.hooks().unpark();
        self.submit();
    }

    /// The worker turns to its tasks: busy time begins. One clock reading, none if it was busy already.
    #[inline]
    pub fn start_processing_scheduled_tasks(&self) {
        self.hooks().start_processing();
    }

    /// The worker ran out of tasks, to search or to turn the driver: busy time ends. One clock reading.
    #[inline]
    pub fn end_processing_scheduled_tasks(&self) {
        self.hooks().end_processing();
    }

    /// A spawned task is about to be polled, however it reached this worker. Each start needs its end: a second one in a row
    /// counts no poll, and its schedule latency is one too many.
    ///
    /// Returns the schedule latency, if it was recorded.
    #[inline(always)]
    pub fn start_poll(&self, start: PollStart) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if flags.is_sampling() {
            return self.start_sampled_poll(start.scheduled_at, start.spawn_location);
        }
        hooks.start_plain_poll(flags, start.spawn_location);
        Recorded::NOTHING
    }

    /// The poll ended, by returning or by a panic. Outside a poll it counts nothing, and submits what a full pending count asked for.
    ///
    /// Returns the duration of the poll, if it was recorded.
    #[inline(always)]
    pub fn end_poll(&self) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if flags.asks_more() {
            return self.end_other_poll();
        }
        if hooks.end_untimed_poll(flags) {
            self.submit_untimed_polls();
        }
        Recorded::NOTHING
    }

    // Out of line, as are the two below: with everything switched off, the hooks of a poll are then so short that the
    // caller keeps its registers.
    #[inline(never)]
    fn start_sampled_poll(&self, scheduled_at: Option<Timestamp>, spawn_location: LocationId) -> Recorded {
        let hooks = self.hooks();
        let start = PollStart {
            scheduled_at,
            spawn_location,
        };
        let outcome = hooks.start_sampled_poll(hooks.flags(), start);
        // A second request with no end of a poll in between is heeded here, or the pending count would overflow.
        if outcome.due && hooks.ask_for_submit(true) {
            self.submit_batch(false);
        }
        outcome.recorded
    }

    #[inline(never)]
    fn end_other_poll(&self) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if !flags.is_measured() {
            // A pending count asked for a submit.
            hooks.end_untimed_poll(flags);
            self.submit_untimed_polls();
            return Recorded::NOTHING;
        }
        let outcome = hooks.end_measured_poll(flags);
        if outcome.due | flags.is_full() {
            self.submit_batch(false);
        }
        outcome.recorded
    }

    #[cold]
    #[inline(never)]
    fn submit_untimed_polls(&self) {
        self.hooks().settle_untimed_polls();
        self.submit_batch(false);
    }

    /// The next poll takes a clock reading of its own. Call it after work that belongs to no poll and that no other hook
    /// reports, such as waking another worker between two polls.
    #[inline]
    pub fn discard_last_timestamp(&self) {
        self.hooks().discard_last_timestamp();
    }

    /// Says where the task being polled was spawned, for who only learns it after [`start_poll`](Self::start_poll).
    pub fn set_spawn_location(&self, spawn_location: LocationId) {
        self.slot.live.set_spawn_location(spawn_location);
    }

    /// Whether a poll is open: after [`start_poll`](Self::start_poll), before its end.
    #[inline]
    pub fn is_polling(&self) -> bool {
        self.hooks().is_polling()
    }

    /// How long the last poll took, in ticks of the clock, if it was measured and the worker has neither begun another nor stopped
    /// processing tasks.
    #[inline]
    pub fn last_poll(&self) -> Option<u64> {
        self.hooks().last_poll()
    }

    /// The thread may have left the worker at any time after the last reading: busy time ends there, and no reading is
    /// taken. For hosts that say nothing when a thread gives its worker away.
    #[inline]
    pub fn end_busy_at_last_timestamp(&self) {
        self.hooks().end_busy_at_last_timestamp();
    }

    /// Records a poll that is over: for several threads that share this worker under a lock, and so can't hold it open
    /// while they poll. The live record does not show it. Submits if a histogram pending count asks for it a second time.
    pub fn record_poll(&self, start: PollStart, started: Timestamp, ended: Timestamp) {
        let hooks = self.hooks();
        if hooks.record_poll(start, started, ended) && hooks.ask_for_submit(true) {
            self.submit();
        }
    }

    /// A task was scheduled from this worker onto its own queue.
    #[inline]
    pub fn inc_local_schedule_count(&self) {
        self.hooks().count(|counters| &counters.local_schedule_count, 1);
    }

    /// This many tasks were taken from another worker's queue.
    #[doc(alias = "incr_steal_count")]
    #[inline]
    pub fn inc_steal_count(&self, tasks: u64) {
        self.hooks().count(|counters| &counters.steal_count, tasks);
    }

    /// A steal succeeded, of one or more tasks.
    #[doc(alias = "incr_steal_operations")]
    #[inline]
    pub fn inc_steal_operations(&self) {
        self.hooks().count(|counters| &counters.steal_operations, 1);
    }

    /// The local queue overflowed, and this many tasks moved to the global one.
    #[doc(alias = "incr_overflow_count")]
    #[inline]
    pub fn inc_overflow_count(&self, tasks: u64) {
        let hooks = self.hooks();
        hooks.count(|counters| &counters.overflow_count, 1);
        hooks.count(|counters| &counters.overflow_tasks, tasks);
    }

    /// A poll returned `Pending` because its cooperative budget was spent.
    #[inline]
    pub fn inc_budget_forced_yield_count(&self) {
        self.hooks()
            .count(|counters| &counters.budget_forced_yield_count, 1);
    }

    /// A root future (`block_on`) was polled on this worker.
    #[inline]
    pub fn inc_root_polls(&self) {
        self.hooks().count(|counters| &counters.root_polls, 1);
        self.slot.live.progress();
    }

    /// A measured future inside a measured task was polled.
    #[inline]
    pub fn inc_nested_polls(&self) {
        self.hooks().count(|counters| &counters.nested_polls, 1);
    }

    /// A task was accepted on this worker's thread. Visible at once.
    #[inline]
    pub fn task_spawned(&self) {
        self.slot.tasks.spawned();
        self.discard_last_timestamp();
    }

    /// A task ended on this worker's thread. Visible at once.
    #[inline]
    pub fn task_ended(&self, end: TaskEnd) {
        self.slot.tasks.ended(end);
        self.discard_last_timestamp();
    }

    /// The adapter's number for the thread that now runs the worker; zero for none. Submitted by the next submit.
    pub fn set_thread(&self, thread: u64) {
        self.batch.counters.thread.set(thread);
    }

    /// What this worker's slot has counted up to this moment, what is not submitted yet included. `None` for a gauge.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.batch.counters.get(number)
    }

    /// How often a duration was not recorded because the clock had stepped back: over this worker's life, what is not submitted
    /// yet included.
    pub fn clock_steps(&self) -> u64 {
        self.batch.counters.clock_steps.get()
    }

    /// The runtime's tick: submits what has gathered. Not to be called in the middle of a poll.
    #[inline]
    pub fn tick(&self) {
        self.submit();
    }

    /// Publishes the batch. Readers see all of it or nothing; its cost is what was touched since the last time.
    ///
    /// In the middle of a poll it submits what was complete before that poll, and leaves the schedule latencies, of
    /// which the poll going on has added one, to a submit at its end.
    #[inline]
    pub fn submit(&self) {
        self.submit_batch(self.is_polling());
        self.discard_last_timestamp();
    }

    /// A latency is recorded when its poll starts: in the middle of one, a reader would see a sample too many.
    #[inline]
    fn submit_batch(&self, in_poll: bool) {
        if !RECORDING {
            return;
        }
        let hooks = self.hooks();
        hooks.ask_for_submit(in_poll);
        hooks.before_submit(self.registry.switches.latch());
        let slot: &HeapSlot = &self.slot;
        slot.seq.write(|| {
            slot.counters.copy(&self.batch.counters);
            if let (Some(batch), Some(slot)) = (&self.batch.poll_time, &slot.poll_time) {
                batch.submit(slot);
            }
            if let (Some(batch), Some(slot), false) =
                (&self.batch.schedule_latency, &slot.schedule_latency, in_poll)
            {
                batch.submit(slot);
            }
        });
        slot.live.set_submitted(in_poll);
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> Drop for Worker<R> {
    fn drop(&mut self) {
        let hooks = self.hooks();
        hooks.end_poll();
        hooks.end_processing();
        self.batch.counters.thread.set(0);
        self.submit();
        let ticks = if self.registry.is_timed() {
            self.now().ticks()
        } else {
            crate::live::UNTIMED
        };
        self.slot.live.enter(WorkerState::Idle, ticks);
        self.registry.storage.release(&self.slot.lease);
    }
}
