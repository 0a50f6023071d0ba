//! The values that the hooks around a poll take and return.

use core::time::Duration;

use crate::live::LocationId;
use crate::time::Timestamp;

/// The data that a worker has about the task that it is about to poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollStart {
    /// The time at which the task became scheduled: at its spawn, or at the first wake since its last poll
    /// ([`WakeStamp`](crate::WakeStamp)). Without it, the poll has no schedule latency.
    pub scheduled_at: Option<Timestamp>,
    /// The spawn location of the task.
    pub spawn_location: LocationId,
}

/// The duration that a hook measured, whether or not a histogram keeps it: the poll's duration at its end, or its
/// schedule latency at its start.
///
/// It is empty if the poll was not measured: its switch is off, sampling did not select it, or the clock stepped back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded(pub(super) Option<u64>);

impl Recorded {
    pub(crate) const NOTHING: Self = Self(None);

    /// Returns the recorded nanoseconds.
    #[inline(always)]
    pub const fn nanos(self) -> Option<u64> {
        self.0
    }

    /// Returns the recorded duration.
    #[inline(always)]
    pub fn duration(self) -> Option<Duration> {
        self.0.map(Duration::from_nanos)
    }
}
