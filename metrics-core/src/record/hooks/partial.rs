//! Hooks for adapters that call only some of them: a wrapper on an executor without hooks reports whole polls.
//!
//! Only a [`Worker`](crate::Worker) has these. A microcontroller's executor calls every hook.

use super::state::{BUSY, CAN_REUSE, DETAILED, FULL, PARKED, POLLING, RECENT, SEARCHING};
use super::{Hooks, PollStart, RecordValue, Recorded};
use crate::cell::{U32Cell, U64Cell};
use crate::live::{LocationId, UNTIMED};
use crate::time::{TimeSource, Timestamp};

/// The outcome of [`Hooks::record_poll`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WholePoll {
    /// Whether the batch must be submitted soon.
    pub(crate) due: bool,
    pub(crate) poll_time: Recorded,
    pub(crate) schedule_latency: Recorded,
}

impl<C: U64Cell, H: RecordValue, T: TimeSource> Hooks<'_, C, H, T> {
    /// Starts the worker's own random sequence.
    pub(crate) fn seed_sampling(&self, seed: u32) {
        self.state.sampling.seed(seed);
    }

    /// Makes the flags show that the worker keeps details of each poll.
    pub(crate) fn request_details(&self) {
        self.state.flags.set(self.state.flags.get() | DETAILED);
    }

    /// Decides whether the schedule latency of a poll is measured. `None` if it is measured for all polls or for none.
    #[inline(always)]
    pub(crate) fn choose_latency(&self) -> Option<bool> {
        self.state.sampling.draw_latency()
    }

    /// Returns the start of the last measured poll in ticks.
    #[inline(always)]
    pub(crate) fn last_poll_start(&self) -> u64 {
        self.state.poll_started_at.get()
    }

    /// Returns `true` during a poll.
    #[inline(always)]
    pub(crate) fn is_polling(&self) -> bool {
        self.state.flags.get() & POLLING != 0
    }

    /// Returns the ticks of the last poll, if it was measured.
    #[inline(always)]
    pub(crate) fn last_poll(&self) -> Option<u64> {
        let started = self.state.poll_started_at.get();
        let measured = self.state.flags.get() & RECENT != 0 && started != UNTIMED;
        measured
            .then(|| self.state.last_timestamp.get().checked_sub(started))
            .flatten()
    }

    /// Returns the end of the last poll, if it was measured.
    #[inline(always)]
    pub(crate) fn last_poll_end(&self) -> Option<Timestamp> {
        let measured = self.state.flags.get() & (RECENT | POLLING) == RECENT
            && self.state.poll_started_at.get() != UNTIMED;
        measured.then(|| Timestamp::from_ticks(self.state.last_timestamp.get()))
    }

    /// Notes whether a pending count requests a submit. Returns `true` if one had already requested it.
    pub(crate) fn request_submit(&self, request: bool) -> bool {
        let flags = self.state.flags.get();
        self.state
            .flags
            .set(if request { flags | FULL } else { flags & !FULL });
        flags & FULL != 0
    }

    /// Ends the current state, because no thread runs the worker until the next hook. Returns the time: the end of the last
    /// poll, if nothing happened since. Another thread may run the worker since then.
    pub(crate) fn end_state(&self) -> u64 {
        let flags = self.state.flags.get();
        let now = self.end_of_busy_time(flags);
        self.settle(flags, now);
        self.state
            .flags
            .set(flags & !(BUSY | CAN_REUSE | RECENT | PARKED | SEARCHING));
        now
    }

    /// Ends busy time at the last timestamp. The time after it is not known and does not count.
    pub(crate) fn end_busy_at_last_timestamp(&self) {
        let flags = self.state.flags.get();
        if flags & BUSY == 0 {
            return;
        }
        let mut since = UNTIMED;
        if flags & RECENT != 0 {
            since = self.state.last_timestamp.get();
            self.settle(flags, since);
        }
        self.state.flags.set(flags & !(BUSY | CAN_REUSE | RECENT));
        self.live.leave(since);
    }

    /// Shows a poll of a root future in the live record.
    #[cold]
    pub(crate) fn start_root_poll(&self, location: LocationId) {
        self.live.start_uncounted_poll(location, self.read());
    }

    pub(crate) fn end_root_poll(&self) {
        self.live.end_uncounted_poll(self.state.flags.get() & BUSY != 0);
    }

    /// Records a poll that has ended, from its two timestamps.
    pub(crate) fn record_poll(&self, start: PollStart, started: Timestamp, ended: Timestamp) -> WholePoll {
        self.count(|counters| &counters.poll_count, 1);
        let draw = self.draw(self.state.flags.get(), false);
        let mut poll = WholePoll::default();
        if let Some(scheduled_at) = start.scheduled_at
            && draw.schedule_latency
        {
            match self.scale.nanos_across_cores(started, scheduled_at) {
                Some(nanos) => {
                    poll.schedule_latency = Recorded(Some(nanos));
                    if let Some((config, histogram)) = self.schedule_latency {
                        poll.due |= histogram.record(config, nanos);
                    }
                }
                None => self.counters.clock_steps.add(1),
            }
        }
        if draw.poll_time {
            match self.scale.checked_nanos(ended, started) {
                Some(nanos) => {
                    poll.poll_time = Recorded(Some(nanos));
                    self.mean(nanos);
                    if let Some((config, histogram)) = self.poll_time {
                        poll.due |= histogram.record(config, nanos);
                    }
                }
                None => self.counters.clock_steps.add(1),
            }
        }
        poll
    }
}
