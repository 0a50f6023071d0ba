//! The recording side of one worker: hooks for a scheduler's loop, which batch what they record.

mod details;
mod groups;
mod lease;

pub use groups::GroupPoll;
pub use lease::LeaseError;

use crate::catalog::WorkerNumber;
use crate::flight::FlightEventKind;
use crate::live::{LocationId, WorkerState};
use crate::locations::LocationRow;
use crate::record::{Batch, BatchHistogram, Hooks, PollStart, Recorded};
use crate::registry::{Registry, RegistryRef};
use crate::storage::{HeapSlot, HeapStorage, SlotHandle};
use crate::sync::RECORDING;
use crate::tasks::TaskEnd;
use crate::time::Timestamp;
use core::fmt;
use details::PollDetails;

/// The recording side of one worker. Its hooks record into a batch, which [`submit`](Self::submit) writes to the slot
/// that the worker leases.
///
/// One thread at a time runs a worker: it is `Send`, but neither `Sync` nor `Clone`. Hooks take `&self` and never
/// panic, block or allocate. Dropping the worker submits the batch and releases the slot; the next lease of the same
/// index continues from its totals.
///
/// ```
/// use metrics_core::{Builder, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock)?;
/// let worker = Worker::lease(registry.clone(), 0)?;
/// worker.start_poll(PollStart::default());
/// // Poll the task here.
/// worker.end_poll();
/// worker.submit();
/// # #[cfg(feature = "record")]
/// assert_eq!(RuntimeMetrics::new(registry).poll_count()?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// 1. [`park`](Self::park), just before the thread blocks. Ends busy time and submits.
/// 2. [`unpark`](Self::unpark), just after the thread wakes. Submits.
/// 3. [`start_processing_scheduled_tasks`](Self::start_processing_scheduled_tasks), before the worker runs tasks. Busy
///    time begins.
/// 4. [`start_poll`](Self::start_poll), before each poll of a spawned task.
/// 5. [`end_poll`](Self::end_poll), after it. Submits once the interval has passed.
/// 6. [`end_processing_scheduled_tasks`](Self::end_processing_scheduled_tasks), when the worker has no tasks left and
///    searches for work or runs the driver. Busy time ends.
///
/// # Clock reads
///
/// Consecutive polls take one clock read each: if [`start_poll`](Self::start_poll) directly follows
/// [`end_poll`](Self::end_poll), the end of the first poll is also the start of the second. The second poll then
/// includes the scheduler's own work between the two (about 10 ns). An
/// [`end_processing_scheduled_tasks`](Self::end_processing_scheduled_tasks) that directly follows uses the same
/// timestamp.
///
/// Every other hook discards the timestamp, and the next poll reads the clock again. So does the first poll after
/// [`start_processing_scheduled_tasks`](Self::start_processing_scheduled_tasks). A scheduler that does other work
/// between two polls without a call to a hook must call [`discard_last_timestamp`](Self::discard_last_timestamp).
// The bound is here because `Drop`, which submits, needs it and must have the bounds of the type.
pub struct Worker<R: RegistryRef<Storage = HeapStorage>> {
    registry: R,
    slot: SlotHandle,
    batch: Batch,
    index: usize,
    details: Option<PollDetails>,
}

impl<R: RegistryRef<Storage = HeapStorage>> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> Worker<R> {
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

    /// Returns the worker's index.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the handle of the registry that the worker was leased from.
    pub fn registry(&self) -> &R {
        &self.registry
    }

    /// Returns the clock's current timestamp, or zero ticks without a clock.
    #[inline]
    pub fn now(&self) -> Timestamp {
        self.registry.now()
    }

    /// Reports that the worker is about to block until there is work. Reads the clock once and submits.
    ///
    /// Each call needs a matching [`unpark`](Self::unpark): `park_unpark_count` is odd while the worker is parked.
    pub fn park(&self) {
        self.hooks().park();
        self.record_state(FlightEventKind::Park);
        self.submit();
    }

    /// Reports that the worker woke up. Reads the clock once and submits.
    pub fn unpark(&self) {
        self.hooks().unpark();
        self.record_state(FlightEventKind::Unpark);
        self.submit();
    }

    /// Records a change of state that the live record now shows.
    fn record_state(&self, kind: FlightEventKind) {
        if RECORDING && let Some(details) = &self.details {
            details.enter(kind, self.slot.live.entered_at());
        }
    }

    /// Reports that the worker starts to run its tasks: busy time begins. Reads the clock once, unless the worker is
    /// already busy.
    #[inline]
    pub fn start_processing_scheduled_tasks(&self) {
        self.hooks().start_processing();
    }

    /// Reports that the worker has no tasks left: busy time ends. Reads the clock once, unless it directly follows the
    /// end of a measured poll.
    #[inline]
    pub fn end_processing_scheduled_tasks(&self) {
        self.hooks().end_processing();
    }

    /// Reports that a spawned task is about to be polled. Each call needs a matching [`end_poll`](Self::end_poll): a
    /// second call in a row counts no poll, but records a schedule latency.
    ///
    /// Returns the schedule latency, if it was recorded.
    #[inline(always)]
    pub fn start_poll(&self, start: PollStart) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if flags.is_sampling() {
            return self.start_sampled_poll(start.scheduled_at, start.spawn_location, false);
        }
        hooks.start_plain_poll(flags, start.spawn_location);
        Recorded::NOTHING
    }

    /// Decides at random whether the schedule latency of a poll is measured, if the switch is
    /// [`Sampling::OneIn`](crate::Sampling::OneIn). `None` if it is measured for every poll or for none.
    ///
    /// [`start_poll`](Self::start_poll) decides this itself, when the wake has already read the clock. A runtime that
    /// decides it when the task's previous poll starts avoids the clock reads of wakes whose poll is not measured. It
    /// then starts the poll with [`start_chosen_poll`](Self::start_chosen_poll).
    #[inline]
    pub fn choose_latency(&self) -> Option<bool> {
        self.hooks().choose_latency()
    }

    /// Reports a poll as [`start_poll`](Self::start_poll) does, after [`choose_latency`](Self::choose_latency) has
    /// decided whether its schedule latency is measured: if `scheduled_at` is set, it is.
    #[inline]
    pub fn start_chosen_poll(&self, start: PollStart) -> Recorded {
        self.start_sampled_poll(start.scheduled_at, start.spawn_location, true)
    }

    /// Reports that the poll ended, by a return or by a panic. Outside a poll, this counts nothing and submits if a
    /// pending count is full.
    ///
    /// Returns the duration of the poll, if it was recorded.
    #[inline(always)]
    pub fn end_poll(&self) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if flags.needs_full_end() {
            return self.end_other_poll();
        }
        if hooks.end_untimed_poll(flags) {
            self.submit_untimed_polls();
        }
        Recorded::NOTHING
    }

    // Outlined, as are the two functions below: with all sampling off, the hooks of a poll are then so short that the
    // caller keeps its registers.
    #[inline(never)]
    fn start_sampled_poll(
        &self,
        scheduled_at: Option<Timestamp>,
        spawn_location: LocationId,
        latency_is_chosen: bool,
    ) -> Recorded {
        let hooks = self.hooks();
        let start = PollStart {
            scheduled_at,
            spawn_location,
        };
        let outcome = hooks.start_sampled_poll(hooks.flags(), start, latency_is_chosen);
        if let Some(details) = &self.details {
            details.start_poll(outcome.recorded);
        }
        // A second request with no end of a poll in between is served here, before the pending count is full.
        if outcome.due && hooks.request_submit(true) {
            self.submit_batch(false);
        }
        outcome.recorded
    }

    #[inline(never)]
    fn end_other_poll(&self) -> Recorded {
        let hooks = self.hooks();
        let flags = hooks.flags();
        if !flags.is_measured() {
            let due = hooks.end_untimed_poll(flags);
            if flags.keeps_details() {
                self.end_detailed_poll(Recorded::NOTHING);
            }
            if due | flags.is_full() {
                self.submit_untimed_polls();
            }
            return Recorded::NOTHING;
        }
        let outcome = hooks.end_measured_poll(flags);
        if flags.keeps_details() {
            self.end_detailed_poll(outcome.recorded);
        }
        if outcome.due | flags.is_full() {
            self.submit_batch(false);
        }
        outcome.recorded
    }

    #[inline(never)]
    fn end_detailed_poll(&self, poll_time: Recorded) {
        if let Some(details) = &self.details {
            let start = self.hooks().last_poll_start();
            let location = self.slot.live.polled_location();
            details.end_poll(location, start, poll_time, self.registry.scale());
        }
    }

    #[cold]
    #[inline(never)]
    fn submit_untimed_polls(&self) {
        self.hooks().stamp_untimed_polls();
        self.submit_batch(false);
    }

    /// Makes the next poll read the clock. Call this after work that belongs to no poll and that no other hook
    /// reports, such as a wake of another worker between two polls.
    #[inline]
    pub fn discard_last_timestamp(&self) {
        self.hooks().discard_last_timestamp();
    }

    /// Sets the spawn location of the task that is being polled, if it was not known at
    /// [`start_poll`](Self::start_poll).
    pub fn set_spawn_location(&self, spawn_location: LocationId) {
        self.slot.live.set_spawn_location(spawn_location);
    }

    /// Returns `true` between [`start_poll`](Self::start_poll) and [`end_poll`](Self::end_poll).
    #[inline]
    pub fn is_polling(&self) -> bool {
        self.hooks().is_polling()
    }

    /// Returns the duration of the last poll in ticks of the clock. `None` if it was not measured, if another poll has
    /// started, or if the worker has stopped running tasks.
    #[inline]
    pub fn last_poll(&self) -> Option<u64> {
        self.hooks().last_poll()
    }

    /// Returns the end of the last poll. `None` if it was not measured, if another poll has started, or if the worker has
    /// stopped running tasks.
    #[inline]
    pub fn last_poll_end(&self) -> Option<Timestamp> {
        self.hooks().last_poll_end()
    }

    /// Reports that no thread runs the worker until its next hook, and submits. Busy time ends. For schedulers that run
    /// a worker only inside a call, such as `block_on`. Reads the clock once, unless it directly follows the end of a
    /// measured poll.
    ///
    /// Call this outside a poll. Dropping the worker does the same and also releases its slot.
    pub fn idle(&self) {
        let now = self.hooks().end_state();
        self.batch.counters.thread.set(0);
        self.submit();
        self.slot.live.enter(WorkerState::Idle, now);
    }

    /// Ends busy time at the last timestamp, without a clock read. For runtimes that don't report when a thread gives
    /// its worker away: the thread may have left the worker at any time after that timestamp.
    #[inline]
    pub fn end_busy_at_last_timestamp(&self) {
        self.hooks().end_busy_at_last_timestamp();
    }

    /// Records a poll that has ended, for threads that share this worker under a lock and can't hold the lock while
    /// they poll. The live record does not show the poll. Submits if a histogram's pending count is full and requests
    /// it a second time.
    pub fn record_poll(&self, start: PollStart, started: Timestamp, ended: Timestamp) {
        let hooks = self.hooks();
        let poll = hooks.record_poll(start, started, ended);
        if let Some(row) = self.location_row(start.spawn_location) {
            row.record(poll.poll_time.nanos(), poll.schedule_latency.nanos());
        }
        if poll.due && hooks.request_submit(true) {
            self.submit();
        }
    }

    /// Counts a task that was scheduled from this worker onto its own queue.
    #[inline]
    pub fn inc_local_schedule_count(&self) {
        self.hooks().count(|counters| &counters.local_schedule_count, 1);
    }

    /// Adds to the number of tasks that this worker took from another worker's queue.
    #[doc(alias = "incr_steal_count")]
    #[inline]
    pub fn inc_steal_count(&self, tasks: u64) {
        self.hooks().count(|counters| &counters.steal_count, tasks);
    }

    /// Counts a successful steal, of one or more tasks.
    #[doc(alias = "incr_steal_operations")]
    #[inline]
    pub fn inc_steal_operations(&self) {
        self.hooks().count(|counters| &counters.steal_operations, 1);
    }

    /// Counts an overflow of the local queue and adds the number of tasks that moved to the global queue.
    #[doc(alias = "incr_overflow_count")]
    #[inline]
    pub fn inc_overflow_count(&self, tasks: u64) {
        let hooks = self.hooks();
        hooks.count(|counters| &counters.overflow_count, 1);
        hooks.count(|counters| &counters.overflow_tasks, tasks);
    }

    /// Counts a poll that returned `Pending` because the task's cooperative budget was exhausted.
    #[inline]
    pub fn inc_budget_forced_yield_count(&self) {
        self.hooks()
            .count(|counters| &counters.budget_forced_yield_count, 1);
    }

    /// Counts a poll of a root future (`block_on`) on this worker, without showing it in the live record.
    #[inline]
    pub fn inc_root_polls(&self) {
        self.hooks().count(|counters| &counters.root_polls, 1);
        // During a poll, the number of the transition must not change: it identifies that poll.
        if !self.is_polling() {
            self.slot.live.progress();
        }
    }

    /// Reports that a root future is about to be polled on this worker. The live record shows the poll until
    /// [`end_root_poll`](Self::end_root_poll). No histogram includes it, and `poll_count` does not count it.
    ///
    /// If a task is polled inside the root future, call this again when that poll has ended. During the poll of a task
    /// it does nothing.
    pub fn start_root_poll(&self, location: LocationId) {
        if !self.is_polling() {
            self.hooks().start_root_poll(location);
        }
    }

    /// Counts a poll of a root future that has ended, whether it returned or panicked.
    pub fn end_root_poll(&self) {
        self.hooks().count(|counters| &counters.root_polls, 1);
        if !self.is_polling() {
            self.hooks().end_root_poll();
        }
    }

    /// Counts a poll of a measured future inside a measured task.
    #[inline]
    pub fn inc_nested_polls(&self) {
        self.hooks().count(|counters| &counters.nested_polls, 1);
    }

    #[inline(always)]
    fn location_row(&self, location: LocationId) -> Option<&LocationRow> {
        self.details.as_ref().filter(|_| RECORDING)?.row(location)
    }

    /// Counts a task without a known spawn location that was spawned on this worker's thread. Readers see it at once,
    /// without a submit.
    #[inline]
    pub fn task_spawned(&self) {
        self.task_spawned_at(LocationId::UNKNOWN);
    }

    /// Counts a task that was spawned at this location, on this worker's thread. Readers see it at once, without a
    /// submit.
    #[inline]
    pub fn task_spawned_at(&self, location: LocationId) {
        if let Some(row) = self.location_row(location) {
            row.spawned();
        }
        self.slot.tasks.spawned();
        self.discard_last_timestamp();
    }

    /// Counts a task without a known spawn location that ended on this worker's thread. Readers see it at once, without
    /// a submit.
    #[inline]
    pub fn task_ended(&self, end: TaskEnd) {
        self.task_ended_at(LocationId::UNKNOWN, end);
    }

    /// Counts a task that was spawned at this location and ended on this worker's thread. Readers see it at once,
    /// without a submit.
    #[inline]
    pub fn task_ended_at(&self, location: LocationId, end: TaskEnd) {
        if let Some(row) = self.location_row(location) {
            row.ended();
        }
        self.slot.tasks.ended(end);
        self.discard_last_timestamp();
    }

    /// Sets the adapter's number for the thread that runs the worker; zero for none. Readers see it after the next
    /// submit.
    pub fn set_thread(&self, thread: u64) {
        self.batch.counters.thread.set(thread);
    }

    /// Returns the current value of this worker's counter, including what is not submitted yet. `None` for a gauge.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.batch.counters.get(number)
    }

    /// Returns the number of durations that this worker did not record because the clock stepped back, including what
    /// is not submitted yet.
    pub fn clock_steps(&self) -> u64 {
        self.batch.counters.clock_steps.get()
    }

    /// Submits the batch if there is anything in it. Call it from the runtime's tick, outside a poll.
    #[inline]
    pub fn tick(&self) {
        self.submit();
    }

    /// Writes the batch to the worker's slot. Readers see the whole batch or nothing of it. The cost depends on the
    /// number of cells changed since the last submit.
    ///
    /// In the middle of a poll, this submits everything that was complete before the poll, except schedule latencies:
    /// the poll in progress has already recorded one, so they wait for the next submit outside a poll.
    #[inline]
    pub fn submit(&self) {
        self.submit_batch(self.is_polling());
        self.discard_last_timestamp();
    }

    /// Submits the batch. In the middle of a poll, schedule latencies are left out: that of the poll in progress is
    /// already recorded, so a reader would see more samples than polls.
    #[inline]
    fn submit_batch(&self, in_poll: bool) {
        if !RECORDING {
            return;
        }
        let hooks = self.hooks();
        hooks.request_submit(in_poll);
        hooks.before_submit(self.registry.switches.latch());
        let slot: &HeapSlot = &self.slot;
        slot.seq.write(|| {
            slot.counters.copy(&self.batch.counters);
            if let (Some(batch), Some(slot)) = (&self.batch.poll_time, slot.poll_time.as_ref()) {
                batch.submit(slot);
            }
            if let (Some(batch), Some(slot), false) = (
                &self.batch.schedule_latency,
                slot.schedule_latency.as_ref(),
                in_poll,
            ) {
                batch.submit(slot);
            }
        });
        slot.live.set_submitted(self.is_polling());
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> Drop for Worker<R> {
    fn drop(&mut self) {
        self.end_poll();
        self.idle();
        self.registry.storage.release(&self.slot.lease);
    }
}
