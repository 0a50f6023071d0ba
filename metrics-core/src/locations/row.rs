//! One row: the cells of one spawn location on one worker.

use super::{BUCKETS, LocationValues, bucket_of};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::cell::SharedCounter;
use crate::cell::{OwnedCounter, OwnedU64, U64Cell};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::host_cells::LocationEvent;
use crate::seq::SeqCount;
use crate::sync::const_unless_loom;
use core::array::from_fn;

/// The metrics of one spawn location on one worker.
///
/// The worker writes a row in place at the end of each poll, so the cost of a poll does not depend on the number of
/// rows. The sequence count makes the values of a row consistent with each other. The counts of tasks are not under the
/// sequence count: readers load all ends before all spawns, as in [`TaskCells`](crate::tasks::TaskCells).
#[derive(Debug)]
pub(crate) struct LocationRow {
    seq: SeqCount,
    polls: OwnedU64,
    poll_time: OwnedU64,
    longest_poll: OwnedU64,
    latencies: OwnedU64,
    latency: OwnedU64,
    longest_latency: OwnedU64,
    poll_time_buckets: [OwnedU64; BUCKETS],
    spawned: OwnedCounter,
    ended: OwnedCounter,
}

// docs/MICROCONTROLLERS.md has this figure.
#[cfg(all(feature = "record", target_arch = "arm", target_os = "none"))]
const _: () = assert!(size_of::<LocationRow>() == 172);

impl LocationRow {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                seq: SeqCount::new(),
                polls: OwnedU64::new(0),
                poll_time: OwnedU64::new(0),
                longest_poll: OwnedU64::new(0),
                latencies: OwnedU64::new(0),
                latency: OwnedU64::new(0),
                longest_latency: OwnedU64::new(0),
                poll_time_buckets: empty_buckets(),
                spawned: OwnedCounter::new(),
                ended: OwnedCounter::new(),
            }
        }
    }

    /// Counts a poll, with its duration and its schedule latency in nanoseconds if they were measured.
    #[inline(always)]
    pub(crate) fn record(&self, poll_time: Option<u64>, latency: Option<u64>) {
        self.seq.write(|| {
            self.polls.add(1);
            if let Some(nanos) = poll_time {
                add(&self.poll_time, &self.longest_poll, nanos);
                if let Some(bucket) = self.poll_time_buckets.get(bucket_of(nanos)) {
                    bucket.add(1);
                }
            }
            if let Some(nanos) = latency {
                self.latencies.add(1);
                add(&self.latency, &self.longest_latency, nanos);
            }
        });
    }

    #[inline(always)]
    pub(crate) fn spawned(&self) {
        self.spawned.increment_release();
    }

    #[inline(always)]
    pub(crate) fn ended(&self) {
        self.ended.increment_release();
    }

    pub(crate) fn load_spawned(&self) -> u64 {
        self.spawned.load_acquire()
    }

    pub(crate) fn load_ended(&self) -> u64 {
        self.ended.load_acquire()
    }

    /// Returns `true` if no poll was ever recorded.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn is_unused(&self) -> bool {
        self.seq.begin() == Some(0)
    }

    /// Tries once to read the values; `None` during a write.
    pub(crate) fn try_read(&self) -> Option<LocationValues> {
        self.seq.try_read(|| LocationValues {
            polls: self.polls.get(),
            poll_time: self.poll_time.get(),
            longest_poll: self.longest_poll.get(),
            poll_time_buckets: from_fn(|bucket| self.poll_time_buckets.get(bucket).map_or(0, U64Cell::get)),
            latencies: self.latencies.get(),
            latency: self.latency.get(),
            longest_latency: self.longest_latency.get(),
        })
    }
}

#[cfg(not(metrics_core_loom))]
const fn empty_buckets() -> [OwnedU64; BUCKETS] {
    [const { OwnedU64::new(0) }; BUCKETS]
}

/// The constructors of loom's cells are not const.
#[cfg(metrics_core_loom)]
fn empty_buckets() -> [OwnedU64; BUCKETS] {
    from_fn(|_| OwnedU64::new(0))
}

#[inline(always)]
fn add(sum: &OwnedU64, longest: &OwnedU64, nanos: u64) {
    sum.set(sum.get().saturating_add(nanos));
    if nanos > longest.get() {
        longest.set(nanos);
    }
}

/// The tasks of one spawn location that threads outside the workers spawned or ended, and its stalls.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[derive(Debug)]
pub(crate) struct SharedLocationRow {
    pub(crate) spawned: SharedCounter,
    pub(crate) ended: SharedCounter,
    pub(crate) stalls: SharedCounter,
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl SharedLocationRow {
    pub(crate) fn new() -> Self {
        Self {
            spawned: SharedCounter::new(),
            ended: SharedCounter::new(),
            stalls: SharedCounter::new(),
        }
    }

    pub(crate) fn count(&self, event: LocationEvent) {
        let counter = match event {
            LocationEvent::Spawned => &self.spawned,
            LocationEvent::Ended => &self.ended,
            LocationEvent::Stalled => &self.stalls,
        };
        counter.increment_release();
    }
}
