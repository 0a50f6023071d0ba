//! [`LongestLocation`] is the location that a report names for a poll.

use core::time::Duration;
use metrics_core::{LocationId, TimeScale, Timestamp};

/// Where a poll has been for the longest time without a change, as far as scans have seen: in its task, or in a group of futures that the
/// task polls. A future of a group that blocks its worker may be over before the poll is.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongestLocation {
    longest: LocationId,
    lasted: Duration,
    current: LocationId,
    since: Timestamp,
}

impl LongestLocation {
    /// The poll has been at this location since its start.
    pub(super) fn new(current: LocationId, since: Timestamp) -> Self {
        Self {
            longest: current,
            lasted: Duration::ZERO,
            current,
            since,
        }
    }

    pub(super) fn get(&self) -> LocationId {
        self.longest
    }

    /// Updates the location with that of a scan.
    pub(super) fn see(&mut self, current: LocationId, now: Timestamp, scale: &TimeScale) {
        if current != self.current {
            (self.current, self.since) = (current, now);
        }
        let lasted = Duration::from_nanos(scale.nanos(now, self.since));
        // The spawn location may become known only some time after the poll began.
        if self.longest == LocationId::UNKNOWN || lasted > self.lasted {
            (self.longest, self.lasted) = (current, lasted);
        }
    }

    /// Adjusts to a clock that stepped back to `now`.
    pub(super) fn rebase(&mut self, now: Timestamp) {
        self.since = now;
    }
}
