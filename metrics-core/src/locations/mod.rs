//! Metrics per spawn location and per group: one row for each, in each worker's slot.

mod buckets;
mod census;
mod group;
mod path;
mod row;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod rows;

pub(crate) use buckets::{BUCKETS, bucket_of, bucket_range};
pub use census::{LocationCensus, TaskActivity};
pub use group::GroupId;
pub use path::short_path;
pub(crate) use row::LocationRow;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use row::SharedLocationRow;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use rows::{LocationRows, group_row_of, row_index, row_of, rows_of};

/// The values of one row, or the sum over the rows of several workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocationValues {
    pub(crate) polls: u64,
    /// Nanoseconds, as are all times here.
    pub(crate) poll_time: u64,
    pub(crate) longest_poll: u64,
    /// Its sum is the number of measured polls.
    pub(crate) poll_time_buckets: [u64; BUCKETS],
    pub(crate) latencies: u64,
    pub(crate) latency: u64,
    pub(crate) longest_latency: u64,
}

impl LocationValues {
    /// Returns the number of polls whose duration was measured.
    pub(crate) fn measured_polls(&self) -> u64 {
        self.poll_time_buckets
            .iter()
            .fold(0, |sum, &count| sum.wrapping_add(count))
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl LocationValues {
    /// Adds the values of another worker.
    pub(crate) fn add(&mut self, other: &Self) {
        self.polls = self.polls.wrapping_add(other.polls);
        self.poll_time = self.poll_time.saturating_add(other.poll_time);
        self.longest_poll = self.longest_poll.max(other.longest_poll);
        for (bucket, other) in self.poll_time_buckets.iter_mut().zip(other.poll_time_buckets) {
            *bucket = bucket.wrapping_add(other);
        }
        self.latencies = self.latencies.wrapping_add(other.latencies);
        self.latency = self.latency.saturating_add(other.latency);
        self.longest_latency = self.longest_latency.max(other.longest_latency);
    }
}

/// The largest capacity: the location of an event of the flight recorder has 14 bits.
pub(crate) const MAX_LOCATIONS: usize = (1 << 14) - 8;
