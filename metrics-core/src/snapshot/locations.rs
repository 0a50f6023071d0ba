//! One spawn location or group in a snapshot.

use super::Snapshot;
use crate::catalog::LocationColumn;
use crate::histogram::BucketRange;
use crate::live::LocationId;
use crate::locations::{LocationCensus, LocationValues, bucket_range};
use crate::storage::{Rows, Storage};
use core::time::Duration;

/// The tasks that a [`LocationSnapshot`] describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LocationKind {
    /// The tasks of one spawn location or of one explicit name.
    Location,
    /// The tasks without a known spawn location.
    Unknown,
    /// The tasks of all locations beyond the configured [capacity](crate::Builder::locations).
    Other,
    /// The futures of one group, such as the requests of one route. Their polls are parts of polls of tasks, which the
    /// other kinds count.
    Group,
    /// The futures of all groups beyond the configured [capacity](crate::Builder::locations).
    OtherGroups,
}

/// The metrics of the tasks of one spawn location, or of the futures of one group, summed over the workers.
///
/// The values of polls come from whole polls: the number of measured polls is the sum of the buckets. Under
/// [`Sampling::OneIn`](crate::Sampling::OneIn), times are those of the polls that were measured, and a long poll may be
/// missing; the number of polls is exact.
#[derive(Debug)]
pub struct LocationSnapshot<S: Storage> {
    pub(crate) kind: LocationKind,
    pub(crate) location: LocationId,
    pub(crate) name: S::Text,
    pub(crate) spawned: u64,
    pub(crate) ended: u64,
    pub(crate) values: LocationValues,
    pub(crate) stalls: Option<u64>,
    pub(crate) census: Option<LocationCensus>,
}

impl<S: Storage> Clone for LocationSnapshot<S> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ..*self
        }
    }
}

impl<S: Storage> LocationSnapshot<S> {
    /// Returns the tasks that the values describe.
    pub fn kind(&self) -> LocationKind {
        self.kind
    }

    /// Returns whether the values are those of a group or of groups, and not those of tasks.
    pub fn is_group(&self) -> bool {
        matches!(self.kind, LocationKind::Group | LocationKind::OtherGroups)
    }

    /// Returns the spawn location or the number of the group; [`LocationId::UNKNOWN`] if the values are those of no single location.
    pub fn location(&self) -> LocationId {
        self.location
    }

    /// Returns the location's file and line, the explicit name, or the name of the group. It is `unknown` or `other` for
    /// the tasks of no single location, `other groups` for those of no single group, and empty if no name is known.
    pub fn name(&self) -> &str {
        match self.kind {
            LocationKind::Location | LocationKind::Group => self.name.as_ref(),
            LocationKind::Unknown => "unknown",
            LocationKind::Other => "other",
            LocationKind::OtherGroups => "other groups",
        }
    }

    /// Returns the number of tasks that were spawned and have not ended.
    pub fn alive(&self) -> u64 {
        self.spawned.saturating_sub(self.ended)
    }

    /// Returns the number of tasks that were spawned.
    pub fn spawned(&self) -> u64 {
        self.spawned
    }

    /// Returns the number of tasks that ended in any way.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Returns the number of polls, measured or not.
    pub fn poll_count(&self) -> u64 {
        self.values.polls
    }

    /// Returns the number of polls whose time was measured.
    pub fn measured_polls(&self) -> u64 {
        self.values.measured_polls()
    }

    /// Returns the key by which the list of a snapshot is sorted.
    #[cfg(any(all(feature = "alloc", target_has_atomic = "ptr"), feature = "serde"))]
    pub(crate) fn key_of(kind: LocationKind, location: LocationId) -> u32 {
        match kind {
            LocationKind::Unknown => 0,
            LocationKind::Location | LocationKind::Group => location.as_u32(),
            LocationKind::Other => u32::MAX - 1,
            LocationKind::OtherGroups => u32::MAX,
        }
    }

    #[cfg(any(all(feature = "alloc", target_has_atomic = "ptr"), feature = "serde"))]
    pub(crate) fn key(&self) -> u32 {
        Self::key_of(self.kind, self.location)
    }

    fn is_measured(&self) -> bool {
        self.values.poll_time_buckets.iter().any(|&bucket| bucket != 0)
    }

    /// Returns the time of all measured polls together. `None` if none was measured.
    pub fn poll_time(&self) -> Option<Duration> {
        self.is_measured()
            .then(|| Duration::from_nanos(self.values.poll_time))
    }

    /// Returns the time of the longest measured poll. `None` if none was measured.
    pub fn longest_poll(&self) -> Option<Duration> {
        self.is_measured()
            .then(|| Duration::from_nanos(self.values.longest_poll))
    }

    /// Returns the number of measured polls in each bucket. [`bucket_range`](Self::bucket_range) returns the bounds.
    pub fn poll_time_buckets(&self) -> &[u64] {
        &self.values.poll_time_buckets
    }

    /// Returns the range of poll times of a bucket in nanoseconds; `None` if there is no such bucket. Each bucket is
    /// four times as wide as the one before, from 1 us to 1 s.
    pub fn bucket_range(bucket: usize) -> Option<BucketRange> {
        bucket_range(bucket)
    }

    /// Returns the number of polls whose schedule latency was measured.
    pub fn measured_latencies(&self) -> u64 {
        self.values.latencies
    }

    /// Returns the schedule latency of all measured polls together: the time that tasks were ready and waited for their
    /// polls. `None` if none was measured.
    pub fn schedule_latency(&self) -> Option<Duration> {
        (self.values.latencies != 0).then(|| Duration::from_nanos(self.values.latency))
    }

    /// Returns the longest measured schedule latency. `None` if none was measured.
    pub fn longest_schedule_latency(&self) -> Option<Duration> {
        (self.values.latencies != 0).then(|| Duration::from_nanos(self.values.longest_latency))
    }

    /// Returns the number of polls that a watchdog found to be stalls. A stall during a poll of a group counts in the row
    /// of the group, and in no other. `None` until a watchdog counts stalls.
    pub fn stall_count(&self) -> Option<u64> {
        self.stalls
    }

    /// Returns what the alive tasks are doing. `None` without a census ([`Builder::census`](crate::Builder::census)),
    /// and for groups.
    pub fn census(&self) -> Option<&LocationCensus> {
        self.census.as_ref()
    }

    /// Returns a value by its column: a count, or nanoseconds. `None` if it was not measured.
    pub fn column(&self, column: LocationColumn) -> Option<u64> {
        let (measured, latencies) = (self.is_measured(), self.values.latencies != 0);
        match column {
            LocationColumn::Alive => Some(self.alive()),
            LocationColumn::Spawned => Some(self.spawned),
            LocationColumn::Ended => Some(self.ended),
            LocationColumn::PollCount => Some(self.values.polls),
            LocationColumn::PollTime => measured.then_some(self.values.poll_time),
            LocationColumn::LongestPoll => measured.then_some(self.values.longest_poll),
            LocationColumn::ScheduleLatency => latencies.then_some(self.values.latency),
            LocationColumn::LongestScheduleLatency => latencies.then_some(self.values.longest_latency),
            LocationColumn::StallCount => self.stalls,
            LocationColumn::Queued => self.census.map(|census| census.queued),
            LocationColumn::Polling => self.census.map(|census| census.polling),
            LocationColumn::Waiting => self.census.map(|census| census.waiting),
            LocationColumn::Unwakeable => self.census.map(|census| census.unwakeable),
            LocationColumn::LongestWait => {
                let longest = self.census.and_then(|census| census.longest_wait);
                longest.map(|wait| wait.as_nanos() as u64)
            }
        }
    }
}

/// Metrics per spawn location.
impl<S: Storage> Snapshot<S> {
    /// Returns the metrics of each spawn location and of each group that has spawned or polled, in the order of their
    /// numbers.
    /// `None` if the registry keeps none ([`Builder::locations`](crate::Builder::locations)).
    ///
    /// A worker records a poll here when the poll ends, without a submit: the sum of `poll_count` over the locations, without
    /// the [groups](LocationSnapshot::is_group), is the total's [`poll_count`](crate::Measurements::poll_count) if every worker is parked or has submitted. A
    /// location whose values were being written during every attempt to read them keeps its earlier values.
    pub fn locations(&self) -> Option<&[LocationSnapshot<S>]> {
        self.locations.as_ref().map(Rows::as_slice)
    }

    /// Returns the locations with the largest value of `column` first. Those without a value come last. Empty if the
    /// registry keeps none.
    #[cfg(feature = "alloc")]
    pub fn locations_by(&self, column: LocationColumn) -> alloc::vec::Vec<&LocationSnapshot<S>> {
        let mut sorted: alloc::vec::Vec<_> = self.locations().unwrap_or_default().iter().collect();
        // Stable: equal values stay in the order of their numbers.
        sorted.sort_by_key(|location| core::cmp::Reverse(location.column(column)));
        sorted
    }
}
