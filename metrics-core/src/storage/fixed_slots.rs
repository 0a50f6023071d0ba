//! Slots in a `static`: their number is a const parameter, and there is no heap.

use super::sealed::Sealed;
use super::{SharedSum, Storage};
use crate::cell::{BucketCell, OwnedU32, OwnedU64};
use crate::host_cells::HostCells;
use crate::record::{HooksState, SlotHistogram, sampling_seed};
use crate::registry_info::RegistryInfo;
use crate::slot::{Kept, Lease, Slot};
use core::fmt::Debug;
use core::mem::{forget, replace};
use core::ops::Deref;

/// The width of the bucket counts of [`StaticStorage`]. This trait is sealed: [`Buckets64`] and [`Buckets32`]
/// implement it.
pub trait BucketWidth: Debug + 'static {
    /// The cell of one bucket.
    #[doc(hidden)]
    type Cell: BucketCell;
    /// The configuration of the registry: a reference, or no data at all.
    #[doc(hidden)]
    type Info: Deref<Target = RegistryInfo<&'static str>> + Debug + 'static;
}

/// 64-bit bucket counts, which are never full.
#[derive(Clone, Copy, Debug)]
pub struct Buckets64;

/// 32-bit bucket counts for small chips, which use half the RAM.
///
/// A bucket stays full after 2^32 - 1 samples and never starts over. The histogram then has fewer samples than were
/// measured and reports that ([`HistogramReading::is_saturated`](crate::HistogramReading::is_saturated)). Sum, minimum
/// and maximum continue in 64 bits.
#[derive(Clone, Copy, Debug)]
pub struct Buckets32;

impl BucketWidth for Buckets64 {
    type Cell = OwnedU64;
    type Info = &'static RegistryInfo<&'static str>;
}

impl BucketWidth for Buckets32 {
    type Cell = OwnedU32;
    type Info = &'static RegistryInfo<&'static str>;
}

/// Storage for `WORKERS` workers with histograms of up to `BUCKETS` buckets, for a registry in a `static`.
///
/// `C` is the width of the bucket counts: [`Buckets64`] or, for small chips, [`Buckets32`].
///
/// Each slot has one writer that the program fixes ([`StaticWorker`](crate::StaticWorker)). A snapshot holds
/// [`heapless`] vectors of the same capacity.
#[derive(Debug)]
pub struct StaticStorage<const WORKERS: usize, const BUCKETS: usize, C: BucketWidth = Buckets64> {
    slots: [StaticSlot<BUCKETS, C>; WORKERS],
}

/// A slot and the state of its hooks, which on a heap is in the worker's batch.
// With this field order, everything that each poll accesses is together at the front: see `Registry`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct StaticSlot<const BUCKETS: usize, C: BucketWidth> {
    pub(crate) state: HooksState<OwnedU64>,
    pub(crate) slot: Slot<[C::Cell; BUCKETS]>,
}

/// The longest name in a snapshot of static storage, in bytes.
const NAME_BYTES: usize = 24;

impl<const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> StaticStorage<WORKERS, BUCKETS, C> {
    pub(crate) const fn new(poll_time: bool, schedule_latency: bool) -> Self {
        let mut slots = [const { StaticSlot::zeros() }; WORKERS];
        let mut i = 0;
        while i < WORKERS {
            slots[i].slot.lease = Lease::fixed(i);
            slots[i].state = HooksState::new(sampling_seed(0, i as u64));
            // Forgotten, not dropped: a constant can't know that a histogram needs no destructor.
            if !poll_time {
                forget(replace(&mut slots[i].slot.poll_time, Kept::No));
            }
            if !schedule_latency {
                forget(replace(&mut slots[i].slot.schedule_latency, Kept::No));
            }
            i += 1;
        }
        Self { slots }
    }

    /// Slots that are all zeros, so that a `static` takes no flash. The worker must call
    /// [`begin`](StaticSlot::begin) first.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    pub(crate) const fn zeros() -> Self {
        Self {
            slots: [const { StaticSlot::zeros() }; WORKERS],
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, worker: usize) -> Option<&StaticSlot<BUCKETS, C>> {
        self.slots.get(worker)
    }
}

impl<const BUCKETS: usize, C: BucketWidth> StaticSlot<BUCKETS, C> {
    const fn zeros() -> Self {
        Self {
            state: HooksState::new(0),
            slot: Slot::new(Lease::vacant(), Self::histogram(), Self::histogram()),
        }
    }

    const fn histogram() -> Kept<SlotHistogram<[C::Cell; BUCKETS]>> {
        Kept::Yes(SlotHistogram::new([const { C::Cell::EMPTY }; BUCKETS]))
    }

    /// Sets the words that are not zero, for the worker with this number.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    pub(crate) fn begin(&self, worker: usize) {
        self.slot.lease.fix(worker);
        self.state.sampling.seed(sampling_seed(0, worker as u64));
    }
}

impl<const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Sealed
    for StaticStorage<WORKERS, BUCKETS, C>
{
    type Buckets = [C::Cell; BUCKETS];

    const BUCKET_FULL: u64 = C::Cell::FULL;

    const HAS_STRAYS: bool = false;

    type Name = &'static str;
    type RegistryInfo = C::Info;
    type Host = ();
    type SharedBuckets = ();

    fn slots(&self) -> impl Iterator<Item = &Slot<[C::Cell; BUCKETS]>> {
        self.slots.iter().map(|fixed| &fixed.slot)
    }

    fn only_slot(&self, worker: usize) -> Option<&Slot<[C::Cell; BUCKETS]>> {
        self.slots.get(worker).map(|fixed| &fixed.slot)
    }

    fn host((): &()) -> Option<&HostCells<()>> {
        None
    }

    fn shared_buckets((): &()) -> &[SharedSum] {
        &[]
    }
}

impl<const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Storage
    for StaticStorage<WORKERS, BUCKETS, C>
{
    type Counts = heapless::Vec<u64, BUCKETS>;
    type Rows<V: Clone + Debug> = heapless::Vec<V, WORKERS>;
    type External<V: Clone + Debug> = heapless::Vec<V, 0>;
    type Locations<V: Clone + Debug> = heapless::Vec<V, 0>;
    type Text = heapless::String<NAME_BYTES>;
}
