//! The hooks of an executor that reads the clock itself and excludes the time that preempted it.
//!
//! Each takes one timestamp. Such an executor uses no timestamp of an earlier hook, so the state of the other hooks is
//! not kept, except for the switches.

use super::state::MEASURED;
use super::{Hooks, RecordValue};
use crate::cell::{U32Cell, U64Cell};
use crate::live::{LocationId, WorkerState};
use crate::time::{TimeSource, Timestamp};

impl<C: U64Cell, H: RecordValue, T: TimeSource> Hooks<'_, C, H, T> {
    /// Ends a wait. Returns `true` if busy time begins, and `false` if it goes on. `now` is
    /// [`UNTIMED`](crate::live::UNTIMED) without a clock, here and below.
    #[inline(always)]
    pub(crate) fn start_run_at(&self, now: u64) -> bool {
        self.counters.park_unpark_count.add(1);
        if self.live.is(WorkerState::Running) || self.live.is(WorkerState::Polling) {
            return false;
        }
        self.counters.settled_at.set(now);
        self.live
            .transition(WorkerState::Running, LocationId::UNKNOWN, now);
        true
    }

    /// Starts a poll of a task that was queued at `queued_at`.
    #[inline(always)]
    pub(crate) fn start_poll_at(&self, now: u64, spawn_location: LocationId, queued_at: Option<u64>) {
        let flags = self.state.flags.get();
        let draw = self.draw(flags, false);
        let measured = if draw.poll_time { MEASURED } else { 0 };
        self.state.flags.set(flags & !MEASURED | measured);
        if let Some(queued_at) = queued_at.filter(|_| draw.schedule_latency) {
            let (now, queued_at) = (Timestamp::from_ticks(now), Timestamp::from_ticks(queued_at));
            match self.scale.nanos_across_cores(now, queued_at) {
                Some(nanos) => {
                    if let Some((config, histogram)) = self.schedule_latency {
                        histogram.record(config, nanos);
                    }
                }
                None => self.counters.clock_steps.add(1),
            }
        }
        self.live.start_poll(spawn_location, now);
    }

    /// Ends a poll that took this many ticks; `None` if the clock stepped back.
    #[inline(always)]
    pub(crate) fn end_poll_after(&self, ticks: Option<u64>) {
        self.counters.poll_count.add(1);
        self.live.end_poll(true);
        match ticks {
            Some(ticks) if self.flags().is_measured() => {
                if let Some((config, histogram)) = self.poll_time {
                    histogram.record(config, self.scale.nanos_of(ticks));
                }
            }
            Some(_) => {}
            None => self.counters.clock_steps.add(1),
        }
    }

    /// Returns `true` if busy time must be updated, which is at most one interval late.
    #[inline(always)]
    pub(crate) fn is_busy_time_due(&self, now: u64) -> bool {
        // An interval fits in 32 bits: an executor that did nothing for 2^32 ticks may update one interval late.
        (now as u32).wrapping_sub(self.counters.settled_at.low()) >= self.interval as u32
    }

    /// Adds busy time of this many ticks, which end at `now`; `None` if the clock stepped back.
    #[inline(always)]
    pub(crate) fn add_busy_time(&self, now: u64, ticks: Option<u64>) {
        match ticks {
            Some(ticks) => self.counters.busy_duration_total.add(self.scale.nanos_of(ticks)),
            None => self.counters.clock_steps.add(1),
        }
        self.counters.settled_at.set(now);
    }

    /// Starts a wait.
    #[inline(always)]
    pub(crate) fn park_at(&self, now: u64) {
        self.count_park();
        self.live
            .transition(WorkerState::Parked, LocationId::UNKNOWN, now);
    }
}
