//! Slots in a `static`: as many as a const parameter says, no heap, const-constructed.

use super::sealed::Sealed;
use super::{SharedU64, Storage};
use crate::cell::OwnedU64;
use crate::record::{HooksState, SlotHistogram};
use crate::registry::{Facts, HostCells};
use crate::slot::{Lease, Slot};
use core::fmt::Debug;

/// Storage for `WORKERS` workers with histograms of up to `BUCKETS` buckets, usable from a `static`.
///
/// Each slot has one writer that the program fixes ([`DirectWorker`](crate::DirectWorker)); a snapshot holds
/// [`heapless`] vectors of the same capacity.
#[derive(Debug)]
pub struct Fixed<const WORKERS: usize, const BUCKETS: usize> {
    slots: [FixedSlot<BUCKETS>; WORKERS],
}

/// A slot and what its hooks remember, which on a heap lies in the worker's batch.
// In this order what every poll touches lies together, at the front: see `Registry`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FixedSlot<const BUCKETS: usize> {
    pub(crate) state: HooksState<OwnedU64>,
    pub(crate) slot: Slot<[OwnedU64; BUCKETS]>,
}

/// Longest name that a snapshot of fixed storage keeps, in bytes.
const NAME_BYTES: usize = 24;

impl<const WORKERS: usize, const BUCKETS: usize> Fixed<WORKERS, BUCKETS> {
    pub(crate) const fn new(poll_time: bool, schedule_latency: bool) -> Self {
        let mut slots = [const { FixedSlot::new() }; WORKERS];
        let mut i = 0;
        while i < WORKERS {
            slots[i].slot.lease = Lease::fixed(i);
            if poll_time {
                slots[i].slot.poll_time = Some(SlotHistogram::new([const { OwnedU64::new(0) }; BUCKETS]));
            }
            if schedule_latency {
                slots[i].slot.schedule_latency =
                    Some(SlotHistogram::new([const { OwnedU64::new(0) }; BUCKETS]));
            }
            i += 1;
        }
        Self { slots }
    }

    #[inline(always)]
    pub(crate) fn get(&self, worker: usize) -> Option<&FixedSlot<BUCKETS>> {
        self.slots.get(worker)
    }
}

impl<const BUCKETS: usize> FixedSlot<BUCKETS> {
    const fn new() -> Self {
        Self {
            state: HooksState::new(),
            slot: Slot::new(Lease::vacant(), None, None),
        }
    }
}

impl<const WORKERS: usize, const BUCKETS: usize> Sealed for Fixed<WORKERS, BUCKETS> {
    type Buckets = [OwnedU64; BUCKETS];
    type Name = &'static str;
    type Facts = &'static Facts<&'static str>;
    type Host = ();
    type SharedBuckets = ();

    fn slots(&self) -> impl Iterator<Item = &Slot<[OwnedU64; BUCKETS]>> {
        self.slots.iter().map(|fixed| &fixed.slot)
    }

    fn host((): &()) -> Option<&HostCells<()>> {
        None
    }

    fn shared_buckets((): &()) -> &[SharedU64] {
        &[]
    }
}

impl<const WORKERS: usize, const BUCKETS: usize> Storage for Fixed<WORKERS, BUCKETS> {
    type Counts = heapless::Vec<u64, BUCKETS>;
    type Rows<V: Clone + Debug> = heapless::Vec<V, WORKERS>;
    type Text = heapless::String<NAME_BYTES>;
}
