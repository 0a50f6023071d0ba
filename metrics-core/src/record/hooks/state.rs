//! The state that the hooks keep from one call to the next, and its flags.

use crate::cell::{Nothing, OwnedU32, OwnedU64, U64Cell};
use crate::record::sampling::Sampling;
use crate::switches::Latched;
use crate::sync::const_unless_loom;

/// The state that the hooks keep from one call to the next.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct HooksState<C: U64Cell> {
    pub(super) flags: C::Narrow,
    /// The start of the poll in progress, or else the last timestamp. [`CAN_REUSE`] and [`RECENT`] define how it may
    /// be used.
    pub(super) last_timestamp: C,
    /// The start of the last measured poll.
    pub(super) poll_started_at: C::Kept,
    /// The time up to which the total of the current state is complete: [`BUSY`], [`PARKED`] or [`SEARCHING`].
    pub(super) settled_until: C,
    /// `poll_count` at the time up to which busy time is complete. The polls since then share the busy time in
    /// progress.
    pub(super) polls_at_settle: C::Kept,
    pub(super) submitted_at: C,
    /// The switches that were latched last.
    pub(super) latched: C,
    /// Selects the polls that are measured.
    pub(crate) sampling: Sampling<C::Narrow>,
}

impl HooksState<OwnedU64> {
    const_unless_loom! {
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        pub(crate) const fn new(seed: u32) -> Self {
            Self {
                flags: OwnedU32::new(0),
                last_timestamp: OwnedU64::new(0),
                poll_started_at: Nothing,
                settled_until: OwnedU64::new(0),
                polls_at_settle: Nothing,
                submitted_at: OwnedU64::new(0),
                latched: OwnedU64::new(0),
                sampling: Sampling::new(seed),
            }
        }
    }
}

impl<C: U64Cell> HooksState<C> {
    /// Returns `true` if these switches were latched last.
    #[inline(always)]
    pub(crate) fn is_latched(&self, switches: Latched) -> bool {
        self.latched.get() == switches.bits()
    }
}

/// Set from `start_processing_scheduled_tasks` to its end. The lowest bit, because the numbers of the states searching (2)
/// and running (3) differ in that bit.
pub(super) const BUSY: u32 = 1;
/// The last timestamp is the end of a poll, and no hook was called since: the next poll, or the end of processing,
/// reuses it.
pub(super) const CAN_REUSE: u32 = 1 << 1;
/// Set from `start_poll` to `end_poll`.
pub(super) const POLLING: u32 = 1 << 2;
/// The poll in progress is measured, whatever the switches are at its end.
pub(super) const MEASURED: u32 = 1 << 3;
/// The poll time of every poll is measured.
pub(super) const EVERY_POLL: u32 = 1 << 4;
/// The schedule latency of every poll is measured.
pub(super) const EVERY_LATENCY: u32 = 1 << 5;
/// The last timestamp was taken outside a poll since the worker began to run tasks. Busy time is complete up to it.
pub(super) const RECENT: u32 = 1 << 6;
/// A pending count of the batch is half full, or a submit in the middle of a poll left out the latencies: submit at
/// the next opportunity.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(super) const FULL: u32 = 1 << 8;
/// The worker keeps details of each poll: its spawn location, or an event.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(super) const DETAILED: u32 = 1 << 9;
/// At least one of the histograms samples polls: the start of a poll must decide whether to measure it.
pub(super) const RANDOM: u32 = 1 << 7;
/// The worker is parked: its time since the last change of state is parked time.
pub(super) const PARKED: u32 = 1 << 10;
/// The worker is neither parked nor busy: its time since the last change of state is time spent searching.
pub(super) const SEARCHING: u32 = 1 << 11;
/// Something is timed.
pub(super) const TIMED: u32 = EVERY_POLL | EVERY_LATENCY | RANDOM;

/// The flags, as read once by a hook.
#[derive(Clone, Copy)]
pub(crate) struct Flags(pub(super) u32);

impl Flags {
    /// Returns `true` if the start of a poll has more to do than to time every poll.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn is_sampling(self) -> bool {
        self.0 & (EVERY_LATENCY | RANDOM) != 0
    }

    /// Returns `true` during a measured poll.
    #[inline(always)]
    pub(crate) fn is_measured(self) -> bool {
        self.0 & MEASURED != 0
    }

    /// Returns `true` if the end of a poll has more to do than to count an untimed poll.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn needs_full_end(self) -> bool {
        self.0 & (MEASURED | FULL | DETAILED) != 0
    }

    /// Returns `true` if the worker keeps details of the poll in progress.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn keeps_details(self) -> bool {
        self.0 & (DETAILED | POLLING) == DETAILED | POLLING
    }

    /// Returns `true` during a poll.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn is_polling(self) -> bool {
        self.0 & POLLING != 0
    }

    /// Returns `true` if the batch requested a submit.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn is_full(self) -> bool {
        self.0 & FULL != 0
    }
}
