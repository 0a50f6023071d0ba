//! The hooks of a worker, written once for both kinds of cells.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod partial;
#[cfg(all(
    any(target_has_atomic = "ptr", feature = "require-cas"),
    not(metrics_core_loom)
))]
mod stamped;
mod state;

pub(crate) use state::{Flags, HooksState};

use super::poll::{PollStart, Recorded};
use crate::cell::{U32Cell, U64Cell};
use crate::counters::{Counters, next_mean, next_mean_of};
use crate::histogram::HistogramConfig;
use crate::live::{Live, LocationId, UNTIMED, WorkerState};
use crate::record::sampling::Draw;
use crate::switches::Latched;
use crate::time::{TimeSource, Timestamp};
use crate::time_scale::TimeScale;
use state::{
    BUSY, CAN_REUSE, EVERY_LATENCY, EVERY_POLL, MEASURED, PARKED, POLLING, RANDOM, RECENT, SEARCHING, TIMED,
};

/// The work that a hook leaves to its caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Whether the caller must submit the batch.
    pub(crate) due: bool,
    pub(crate) recorded: Recorded,
}

impl Outcome {
    const NOTHING: Self = Self {
        due: false,
        recorded: Recorded::NOTHING,
    };
}

/// Records one value. Returns `true` if the batch requests a submit soon.
pub(crate) trait RecordValue {
    /// Whether the mean poll time is kept in addition. On a processor without a widening multiplication, it would cost
    /// as much as the histogram.
    const MEAN: bool;

    fn record(&self, config: &HistogramConfig, value: u64) -> bool;
}

/// An interval that never passes.
pub(crate) const NEVER: u64 = u64::MAX;

/// A poll without a timestamp submits if its number is a multiple of this. A submit costs tens of nanoseconds, so the
/// share of one poll is below one, and a busy worker stays visible with everything switched off.
const UNTIMED_POLLS: u64 = 64;

/// A worker's cells and its clock, borrowed for one hook.
pub(crate) struct Hooks<'a, C: U64Cell, H, T> {
    pub(crate) counters: &'a Counters<C>,
    pub(crate) state: &'a HooksState<C>,
    pub(crate) live: &'a Live,
    pub(crate) poll_time: Option<(&'a HistogramConfig, &'a H)>,
    pub(crate) schedule_latency: Option<(&'a HistogramConfig, &'a H)>,
    pub(crate) clock: &'a T,
    pub(crate) scale: &'a TimeScale,
    /// Whether the clock is available.
    pub(crate) timed: bool,
    /// The number of ticks after which the end of a poll submits.
    pub(crate) interval: u64,
}

impl<C: U64Cell, H: RecordValue, T: TimeSource> Hooks<'_, C, H, T> {
    #[inline(always)]
    fn now(&self) -> u64 {
        self.clock.now().ticks()
    }

    /// Returns a timestamp for a change of state, or [`UNTIMED`] without a clock.
    fn read(&self) -> u64 {
        if self.timed { self.now() } else { UNTIMED }
    }

    /// Latches the switches. A poll in progress keeps those with which it started.
    #[inline(always)]
    pub(crate) fn latch(&self, options: Latched) {
        if !self.state.is_latched(options) {
            self.latch_changed(options);
        }
    }

    #[cold]
    fn latch_changed(&self, options: Latched) {
        self.state.latched.set(options.bits());
        let Latched {
            poll_time,
            schedule_latency,
        } = if self.timed { options } else { Latched::OFF };
        self.state.sampling.set(poll_time, schedule_latency);
        let mode = |one_in, every| match one_in {
            0 => 0,
            1 => every,
            _ => RANDOM,
        };
        let modes = mode(poll_time, EVERY_POLL) | mode(schedule_latency, EVERY_LATENCY);
        self.state.flags.set(self.state.flags.get() & !TIMED | modes);
    }

    /// Adds the time up to `now` to the total of the current state. Nothing is added before the first hook of a worker.
    #[inline(always)]
    fn settle(&self, flags: u32, now: u64) {
        if !self.timed {
            return;
        }
        let nanos = Self::settle_parts(self.counters, self.state, self.live, self.scale, now);
        if let Some(nanos) = nanos
            && flags & BUSY != 0
        {
            self.mean_of_untimed_polls(nanos);
        }
    }

    // Passes the parts: a call that takes the address of the hooks would make them exist in memory. Outlined on a small
    // chip, where each copy of a multiplication of 64 bits takes a hundred bytes.
    #[cfg_attr(target_has_atomic = "ptr", inline(always))]
    #[cfg_attr(not(target_has_atomic = "ptr"), inline(never))]
    fn settle_parts(
        counters: &Counters<C>,
        state: &HooksState<C>,
        live: &Live,
        scale: &TimeScale,
        now: u64,
    ) -> Option<u64> {
        let total = match state.flags.get() & (BUSY | PARKED | SEARCHING) {
            PARKED => &counters.parked_duration_total,
            SEARCHING => &counters.searching_duration_total,
            0 => {
                state.settled_until.set(now);
                return None;
            }
            _ => &counters.busy_duration_total,
        };
        let since = Timestamp::from_ticks(state.settled_until.get());
        let nanos = scale.checked_nanos(Timestamp::from_ticks(now), since);
        match nanos {
            Some(nanos) => {
                total.add(nanos);
                counters.settled_at.set(now);
                state.settled_until.set(now);
            }
            None => Self::clock_stepped(counters, state, live, scale, now),
        }
        nanos
    }

    /// Restarts the current state at `now`, because the clock stepped back: its time in progress is not known. Busy time
    /// counts up to the last timestamp, so that it includes the polls that ended.
    // Passes the parts, as above.
    #[cold]
    #[inline(never)]
    fn clock_stepped(
        counters: &Counters<C>,
        state: &HooksState<C>,
        live: &Live,
        scale: &TimeScale,
        now: u64,
    ) {
        // A small chip has no flash for it.
        if cfg!(all(feature = "alloc", target_has_atomic = "ptr")) && state.flags.get() & BUSY != 0 {
            let last = Timestamp::from_ticks(state.last_timestamp.get());
            let since = Timestamp::from_ticks(state.settled_until.get());
            counters
                .busy_duration_total
                .add(scale.checked_nanos(last, since).unwrap_or(0));
        }
        counters.clock_steps.add(1);
        counters.settled_at.set(now);
        state.settled_until.set(now);
        state.polls_at_settle.set(counters.poll_count.get());
        live.restart_period(now);
    }

    pub(crate) fn start_processing(&self) {
        let flags = self.state.flags.get();
        if flags & BUSY != 0 {
            return self.discard_last_timestamp();
        }
        self.begin_busy_period(flags);
    }

    // Inlined, so that the hooks need not exist in memory.
    #[inline(always)]
    fn begin_busy_period(&self, flags: u32) {
        let now = self.read();
        self.settle(flags, now);
        self.state.polls_at_settle.set(self.counters.poll_count.get());
        self.state.poll_started_at.set(UNTIMED);
        let mut recent = 0;
        // A poll in progress keeps its start.
        if flags & POLLING == 0 && self.timed {
            self.state.last_timestamp.set(now);
            recent = RECENT;
        }
        self.state
            .flags
            .set(flags & !(CAN_REUSE | PARKED | SEARCHING) | BUSY | recent);
        self.live.enter(WorkerState::Running, now);
    }

    pub(crate) fn end_processing(&self) {
        let flags = self.state.flags.get();
        if flags & BUSY == 0 {
            return self.discard_last_timestamp();
        }
        let now = self.end_of_busy_time(flags);
        self.settle(flags, now);
        self.state
            .flags
            .set(flags & !(BUSY | CAN_REUSE | RECENT) | SEARCHING);
        self.live.enter(WorkerState::Searching, now);
    }

    /// Returns the end of the last poll, if busy time ends with it, or reads the clock.
    #[inline(always)]
    fn end_of_busy_time(&self, flags: u32) -> u64 {
        if flags & (CAN_REUSE | BUSY) == CAN_REUSE | BUSY {
            return self.state.last_timestamp.get();
        }
        self.read()
    }

    pub(crate) fn park(&self) {
        let now = self.read();
        let flags = self.state.flags.get();
        self.settle(flags, now);
        self.state
            .flags
            .set(flags & !(BUSY | CAN_REUSE | RECENT | SEARCHING) | PARKED);
        self.count_park();
        self.live.enter(WorkerState::Parked, now);
    }

    /// Counts a park, and whether it was in vain.
    #[inline(always)]
    fn count_park(&self) {
        let polls = self.counters.poll_count.get();
        let polls_at_park = polls.wrapping_add(1);
        if polls_at_park == self.counters.polls_at_park.get() {
            self.counters.noop_count.add(1);
        }
        self.counters.polls_at_park.set(polls_at_park);
        self.counters.park_count.add(1);
        self.counters.park_unpark_count.add(1);
    }

    pub(crate) fn unpark(&self) {
        self.counters.park_unpark_count.add(1);
        let flags = self.state.flags.get();
        let now = self.read();
        self.settle(flags, now);
        self.state
            .flags
            .set(flags & !(BUSY | CAN_REUSE | RECENT | PARKED) | SEARCHING);
        self.live.enter(WorkerState::Searching, now);
    }

    /// Marks an event since the last timestamp that belongs to no poll: the next poll reads the clock again.
    #[inline(always)]
    pub(crate) fn discard_last_timestamp(&self) {
        self.state.flags.set(self.state.flags.get() & !CAN_REUSE);
    }

    /// Counts an event outside the hooks of a poll.
    #[inline(always)]
    pub(crate) fn count(&self, cell: impl FnOnce(&Counters<C>) -> &C, n: u64) {
        cell(self.counters).add(n);
        self.discard_last_timestamp();
    }

    /// Starts a poll. The outcome is due if the batch must be submitted at the end of the poll.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn start_poll(&self, start: PollStart) -> Outcome {
        let flags = self.flags();
        if flags.0 & TIMED != 0 {
            return self.start_sampled_poll(flags, start, false);
        }
        self.start_plain_poll(flags, start.spawn_location);
        Outcome::NOTHING
    }

    /// Reads the flags once for a whole hook: the compiler can't know that a slot's cell has no other writer.
    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        Flags(self.state.flags.get())
    }

    /// Starts a poll if every poll's time is measured, or nothing is.
    #[inline(always)]
    pub(crate) fn start_plain_poll(&self, Flags(flags): Flags, spawn_location: LocationId) {
        if flags & EVERY_POLL == 0 {
            let flags = flags & !(MEASURED | CAN_REUSE | RECENT);
            self.state.flags.set(flags | POLLING);
            return self.begin_live(spawn_location, UNTIMED);
        }
        let since = self.reading_at_start(flags);
        let flags = flags & !(CAN_REUSE | RECENT);
        self.state.flags.set(flags | POLLING | MEASURED);
        self.begin_live(spawn_location, since);
    }

    /// Returns the histograms that measure the poll that starts.
    #[inline(always)]
    fn draw(&self, flags: u32, latency_is_chosen: bool) -> Draw {
        if flags & RANDOM != 0 {
            return self.state.sampling.draw(latency_is_chosen);
        }
        Draw {
            poll_time: flags & EVERY_POLL != 0,
            schedule_latency: flags & EVERY_LATENCY != 0,
        }
    }

    /// Starts any other poll. The outcome is due if the batch must be submitted at the end of the poll.
    #[inline(always)]
    pub(crate) fn start_sampled_poll(
        &self,
        Flags(flags): Flags,
        start: PollStart,
        latency_is_chosen: bool,
    ) -> Outcome {
        let draw = self.draw(flags, latency_is_chosen);
        let latency = start.scheduled_at.filter(|_| draw.schedule_latency);
        let mut outcome = Outcome::NOTHING;
        let mut since = UNTIMED;
        if draw.poll_time || latency.is_some() {
            // The end of the last poll can't be the start of this one if the task was woken in between.
            let is_later = |at: Timestamp| at.ticks() > self.state.last_timestamp.get();
            let reusable = if latency.is_some_and(is_later) { 0 } else { flags };
            since = self.reading_at_start(reusable);
            if let Some(scheduled_at) = latency {
                let since = Timestamp::from_ticks(since);
                match self.scale.nanos_across_cores(since, scheduled_at) {
                    Some(nanos) => {
                        if let Some((config, histogram)) = self.schedule_latency {
                            outcome.due = histogram.record(config, nanos);
                        }
                        outcome.recorded = Recorded(Some(nanos));
                    }
                    None => self.counters.clock_steps.add(1),
                }
            }
        }
        let measured = if draw.poll_time { MEASURED } else { 0 };
        self.state
            .flags
            .set(flags & !(CAN_REUSE | RECENT | MEASURED) | POLLING | measured);
        self.begin_live(start.spawn_location, since);
        outcome
    }

    /// Returns the end of the last poll, or reads the clock if anything happened since.
    #[inline(always)]
    fn reading_at_start(&self, flags: u32) -> u64 {
        if flags & (CAN_REUSE | BUSY) == CAN_REUSE | BUSY {
            return self.state.last_timestamp.get();
        }
        let now = self.now();
        self.state.last_timestamp.set(now);
        now
    }

    #[inline(always)]
    fn begin_live(&self, spawn_location: LocationId, since: u64) {
        self.live.start_poll(spawn_location, since);
    }

    /// Ends a poll. The outcome is due if the batch must be submitted now.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn end_poll(&self) -> Outcome {
        let flags = self.flags();
        if flags.is_measured() {
            self.end_measured_poll(flags)
        } else {
            Outcome {
                due: self.end_untimed_poll(flags) && self.stamp_untimed_polls(),
                recorded: Recorded::NOTHING,
            }
        }
    }

    /// Ends a poll that is not measured, if there is one. Returns `true` if the batch must be submitted, after
    /// [`stamp_untimed_polls`](Self::stamp_untimed_polls).
    #[inline(always)]
    pub(crate) fn end_untimed_poll(&self, Flags(flags): Flags) -> bool {
        if flags & POLLING == 0 {
            return false;
        }
        let polls = self.count_poll(flags);
        self.state.flags.set(flags & !POLLING);
        polls.is_multiple_of(UNTIMED_POLLS)
    }

    /// Counts the poll that ended and returns its number.
    #[inline(always)]
    fn count_poll(&self, flags: u32) -> u64 {
        let polls = self.counters.poll_count.get().wrapping_add(1);
        self.counters.poll_count.set(polls);
        self.live.end_poll(flags & BUSY != 0);
        polls
    }

    /// Ends a measured poll. The outcome is due if the batch must be submitted now.
    #[inline(always)]
    pub(crate) fn end_measured_poll(&self, Flags(flags): Flags) -> Outcome {
        self.count_poll(flags);
        let now = self.now();
        let started = self.state.last_timestamp.get();
        self.state.poll_started_at.set(started);
        let mut full = false;
        let mut recorded = Recorded::NOTHING;
        let since = Timestamp::from_ticks(started);
        match self.scale.checked_nanos(Timestamp::from_ticks(now), since) {
            Some(nanos) => {
                self.mean(nanos);
                // Not `is_some_and`: the compiler would outline the closure that two calls share.
                if let Some((config, histogram)) = self.poll_time {
                    full = histogram.record(config, nanos);
                }
                recorded = Recorded(Some(nanos));
            }
            None => Self::clock_stepped(self.counters, self.state, self.live, self.scale, now),
        }
        self.state.last_timestamp.set(now);
        self.state
            .flags
            .set(flags & !(POLLING | MEASURED) | CAN_REUSE | RECENT);
        Outcome {
            due: full || self.is_due(now),
            recorded,
        }
    }

    /// Returns `true` if the submit interval has passed.
    #[inline(always)]
    fn is_due(&self, now: u64) -> bool {
        let submitted = &self.state.submitted_at;
        if cfg!(not(target_has_atomic = "ptr")) {
            // In place there is no submit, only an update of busy time, at most one interval late, and an interval
            // fits in 32 bits: a worker that did nothing for 2^32 ticks may update one interval late.
            (now as u32).wrapping_sub(submitted.low()) >= self.interval as u32
        } else {
            now.wrapping_sub(submitted.get()) >= self.interval
        }
    }

    #[inline(always)]
    fn mean(&self, nanos: u64) {
        if H::MEAN {
            let mean = &self.counters.mean_poll_time;
            mean.set(next_mean(mean.get(), nanos));
        }
    }

    /// Updates the mean poll time if no poll is timed: the polls of a busy period then count as equally long.
    fn mean_of_untimed_polls(&self, busy: u64) {
        if !H::MEAN {
            return;
        }
        let polls = self.counters.poll_count.get();
        let untimed = polls.wrapping_sub(self.state.polls_at_settle.get());
        self.state.polls_at_settle.set(polls);
        if let Some(nanos) = busy.checked_div(untimed)
            && !self.state.sampling.measures_poll_time()
        {
            let mean = &self.counters.mean_poll_time;
            mean.set(next_mean_of(mean.get(), nanos, untimed));
        }
    }

    /// Updates busy time from one timestamp, so that it grows on a worker that never parks.
    // Inlined, although rare: a call would take the address of the hooks, which then had to exist in memory. On a
    // Cortex-M0 that costs a tenth of every poll.
    #[inline(always)]
    pub(crate) fn stamp_untimed_polls(&self) -> bool {
        if self.timed {
            self.state.last_timestamp.set(self.now());
            self.state.poll_started_at.set(UNTIMED);
            self.state.flags.set(self.state.flags.get() | CAN_REUSE | RECENT);
        }
        true
    }

    /// Prepares a submit: updates busy time as far as a timestamp is available, and latches the switches.
    pub(crate) fn before_submit(&self, options: Latched) {
        if self.state.flags.get() & RECENT != 0 {
            let now = self.state.last_timestamp.get();
            self.state.submitted_at.set(now);
            let flags = self.state.flags.get();
            if flags & BUSY != 0 {
                self.settle(flags, now);
            }
        }
        self.latch(options);
    }
}
