//! Which polls become one event.

use super::event::{MAX_NANOS, Recorded};
use core::time::Duration;

/// The default for [`Builder::flight_recorder_threshold`](crate::Builder::flight_recorder_threshold).
pub const DEFAULT_FLIGHT_RECORDER_THRESHOLD: Duration = Duration::from_micros(10);

/// A burst is at most this many thresholds long: it bounds how long a burst hides at what time its polls ran.
const LONGEST_BURST: u64 = 100;

/// Which polls are folded into bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fold {
    /// In nanoseconds. A poll is folded if its duration and its schedule latency are below this.
    threshold: u64,
}

impl Fold {
    pub(crate) const fn below(threshold: Duration) -> Self {
        let nanos = threshold.as_nanos();
        Self {
            threshold: if nanos < MAX_NANOS as u128 {
                nanos as u64
            } else {
                MAX_NANOS
            },
        }
    }

    /// Returns the threshold.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) const fn threshold(self) -> Duration {
        Duration::from_nanos(self.threshold)
    }

    /// Returns `true` if the poll is no event of its own.
    #[inline(always)]
    pub(super) fn folds(self, poll: &Recorded) -> bool {
        let latency = poll.schedule_latency.unwrap_or(0);
        poll.duration < self.threshold && latency < self.threshold
    }

    /// Returns the length of a burst with a poll that starts at this offset from its start. `None` if the poll does not
    /// continue the burst: the worker did something else for longer than a short poll, or the burst would be too long.
    #[inline(always)]
    pub(super) fn extended(self, length: u32, offset: u64, poll: u64) -> Option<u32> {
        let pause = offset.saturating_sub(u64::from(length));
        let end = offset.saturating_add(poll);
        let limit = self.threshold.saturating_mul(LONGEST_BURST).min(MAX_NANOS);
        (pause < self.threshold && end <= limit).then_some(end as u32)
    }
}
