//! Slots on the heap, in segments: a lease past the last slot allocates more, and no slot ever moves.

use super::handle::SlotHandle;
use super::sealed::Sealed;
use super::{SharedSum, Storage};
use crate::cell::SharedU32;
use crate::host_cells::HostCells;
use crate::live::{LiveRecord, Transition};
use crate::record::{HeapBuckets, SlotHistogram};
use crate::registry_info::RegistryInfo;
use crate::slot::{EXTERNAL, Kept, Lease, Slot};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::Deref;
use once_cell::race::OnceBox;

pub(crate) type HeapSlot = Slot<HeapBuckets>;

/// Growable storage behind an `Arc`, for targets with an allocator and pointer-sized compare-and-swap.
///
/// Slots are in segments, each as large as all segments before it, so that a reader finds them without a lock and a
/// slot never moves. Memory grows with the number of threads that run workers at the same time, and not with the
/// configuration.
#[derive(Debug)]
pub struct HeapStorage {
    segments: [OnceBox<Arc<[HeapSlot]>>; SEGMENTS],
    /// The first segment. The getter of one worker looks here first.
    own: Arc<[HeapSlot]>,
    first: usize,
    /// The number of slots up to the last one that was ever leased. Readers read no others.
    used: SharedU32,
    /// At least the number of slots that were released and not leased again.
    free: SharedU32,
    /// The slot that `find` leased last. The next search starts here, so that leasing many free slots one after the
    /// other does not visit the earlier ones again.
    last_found: SharedU32,
    /// Nonzero once some slot serves a worker whose index differs from the slot's.
    has_strays: SharedU32,
    /// The number of buckets in a slot's histograms; `None` for a histogram that is not configured.
    poll_time: Option<usize>,
    schedule_latency: Option<usize>,
}

/// The initial number of slots for registries with more workers: configured workers that never run cost no memory.
const MOST_AT_FIRST: usize = 128;

/// Creates slots that no worker has leased yet.
fn vacant(slots: usize, poll_time: Option<usize>, schedule_latency: Option<usize>) -> Arc<[HeapSlot]> {
    let histogram = |buckets: Option<usize>| match buckets {
        Some(buckets) => Kept::Yes(SlotHistogram::new(HeapBuckets::new(buckets))),
        None => Kept::No,
    };
    let slot = || Slot::new(Lease::vacant(), histogram(poll_time), histogram(schedule_latency));
    (0..slots).map(|_| slot()).collect()
}

/// Segments double in size, so these hold more threads than an operating system starts.
const SEGMENTS: usize = 20;

impl HeapStorage {
    pub(crate) fn new(first: usize, poll_time: Option<usize>, schedule_latency: Option<usize>) -> Self {
        let first = first.clamp(1, MOST_AT_FIRST);
        let own = vacant(first, poll_time, schedule_latency);
        let segments = [const { OnceBox::new() }; SEGMENTS];
        // The list is new, so no other thread has set it.
        let _ = segments[0].set(Box::new(Arc::clone(&own)));
        Self {
            segments,
            own,
            first,
            used: SharedU32::new(0),
            free: SharedU32::new(0),
            last_found: SharedU32::new(0),
            has_strays: SharedU32::new(0),
            poll_time,
            schedule_latency,
        }
    }

    /// Returns the segment, and allocates it if it does not exist.
    fn segment(&self, number: usize) -> Option<&Arc<[HeapSlot]>> {
        let cell = self.segments.get(number)?;
        Some(cell.get_or_init(|| {
            let slots = self.slots_before(number).max(self.first);
            Box::new(vacant(slots, self.poll_time, self.schedule_latency))
        }))
    }

    /// Returns an existing slot that `claim` takes. `claim` must not take a vacant slot.
    pub(crate) fn find(&self, claim: impl Fn(&Lease) -> bool) -> Option<SlotHandle> {
        // While no slot is free, the cost of a lease does not depend on their number.
        if self.free.load_acquire() == 0 {
            return None;
        }
        let used = self.used.load_acquire() as usize;
        let start = used.min(self.last_found.load_acquire() as usize);
        let is_claimed = |number: &usize| self.at(*number).is_some_and(|slot| claim(&slot.lease));
        let number = (start..used).chain(0..start).find(is_claimed)?;
        let _ = self.free.add(u32::MAX);
        self.last_found.store_release(number as u32);
        let segment = self.chunk_of(number);
        let index = number - self.slots_before(segment);
        Some(SlotHandle::new(self.segment(segment)?, index))
    }

    /// Releases a slot. Only its holder may call this.
    pub(crate) fn release(&self, lease: &Lease) {
        // This comes before the slot can be leased again, so that the number is never too low.
        let _ = self.free.add(1);
        lease.release();
    }

    /// Returns the slot with this number, if it exists.
    #[inline(always)]
    pub(crate) fn at(&self, slot: usize) -> Option<&HeapSlot> {
        let number = self.chunk_of(slot);
        self.segments
            .get(number)?
            .get()?
            .get(slot - self.slots_before(number))
    }

    /// Returns the number of the segment that contains a slot.
    #[inline(always)]
    fn chunk_of(&self, slot: usize) -> usize {
        match slot / self.first {
            0 => 0,
            times => times.ilog2() as usize + 1,
        }
    }

    /// Returns the number of slots in the segments before this one.
    fn slots_before(&self, number: usize) -> usize {
        match number {
            0 => 0,
            n => self.first << (n - 1),
        }
    }

    /// Leases a vacant slot for `worker`.
    pub(crate) fn claim_vacant(&self, worker: usize) -> Option<SlotHandle> {
        self.find_or_grow(|lease, number| {
            let is_claimed = lease.claim_vacant(worker);
            if is_claimed && number != worker && worker != EXTERNAL {
                self.has_strays.store_release(1);
            }
            is_claimed
        })
    }

    /// Makes readers read the first `slots` slots, before anything is counted there. A reader that sees the end of a task that was
    /// spawned there also sees this, so a reader that sums the spawns after the ends finds the spawn.
    fn use_slots(&self, slots: usize) {
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        loop {
            let used = self.used.load_acquire();
            if used >= slots || self.used.claim(used, slots) {
                return;
            }
        }
    }

    /// Returns the first slot that `claim` takes with its number. Allocates slots until it takes one.
    pub(crate) fn find_or_grow(&self, claim: impl Fn(&Lease, usize) -> bool) -> Option<SlotHandle> {
        // The slots before these served some worker: `use_slots` comes after a claim, and claims are made in order.
        let first = self.used.load_acquire() as usize;
        for number in self.chunk_of(first)..SEGMENTS {
            let segment = self.segment(number)?;
            let before = self.slots_before(number);
            let mut slots = segment.iter().enumerate().skip(first.saturating_sub(before));
            if let Some((index, _)) = slots.find(|(i, slot)| claim(&slot.lease, before + i)) {
                self.use_slots(before + index + 1);
                return Some(SlotHandle::new(segment, index));
            }
        }
        None
    }
}

impl Sealed for HeapStorage {
    type Buckets = HeapBuckets;

    const HAS_STRAYS: bool = true;

    type Name = Box<str>;
    type RegistryInfo = Inline<RegistryInfo<Box<str>>>;
    type Host = HostCells<SharedBuckets>;
    type SharedBuckets = SharedBuckets;

    fn is_submitted(slot: &Slot<Self::Buckets>, live: &LiveRecord) -> bool {
        slot.live.is_submitted(live)
    }

    fn submitted(slot: &Slot<Self::Buckets>, _: &LiveRecord) -> Transition {
        slot.live.submitted()
    }

    fn slots(&self) -> impl Iterator<Item = &HeapSlot> {
        let mut left = self.used.load_acquire() as usize;
        self.segments
            .iter()
            .map_while(OnceBox::get)
            .flat_map(move |segment| {
                let used = left.min(segment.len());
                left -= used;
                &segment[..used]
            })
    }

    #[inline]
    fn only_slot(&self, worker: usize) -> Option<&HeapSlot> {
        // Ordering: acquire, pairs with the release of `claim_vacant`: a reader that knows of a count in such a slot
        // finds the slot.
        if self.has_strays.load_acquire() != 0 {
            return None;
        }
        let slot = self.own.get(worker).or_else(|| self.at(worker))?;
        (slot.lease.worker() == Some(worker)).then_some(slot)
    }

    fn host(host: &Self::Host) -> Option<&HostCells<SharedBuckets>> {
        Some(host)
    }

    fn shared_buckets(buckets: &Self::SharedBuckets) -> &[SharedSum] {
        &buckets.0
    }
}

/// A value that dereferences to itself, where static storage has a reference.
#[derive(Debug)]
pub struct Inline<V>(pub(crate) V);

impl<V> Deref for Inline<V> {
    type Target = V;

    #[inline(always)]
    fn deref(&self) -> &V {
        &self.0
    }
}

/// Many-writer buckets in a box.
#[derive(Debug)]
pub struct SharedBuckets(Box<[SharedSum]>);

impl SharedBuckets {
    pub(crate) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| SharedSum::new(0)).collect())
    }
}

impl Storage for HeapStorage {
    type Counts = Vec<u64>;
    type Rows<V: Clone + Debug> = Vec<V>;
    type External<V: Clone + Debug> = Vec<V>;
    type Locations<V: Clone + Debug> = Vec<V>;
    type Text = String;
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    extern crate std;

    use super::*;
    use core::cell::Cell;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Counts the slots that leases visit, in any order of the workers.
    #[test]
    fn the_slots_that_leases_visit_are_linear_in_the_leases() {
        const SLOTS: usize = 20_000;
        let visits = Cell::new(0);
        let visit = |is_claimed: bool| {
            visits.set(visits.get() + 1);
            is_claimed
        };
        let storage = HeapStorage::new(1, None, None);
        let worker = |i: usize| SLOTS - i;
        let new = (0..SLOTS).map(|i| storage.find_or_grow(|lease, _| visit(lease.claim_vacant(worker(i)))));
        let leased: Vec<_> = new.map(Option::unwrap).collect();
        assert!(visits.take() <= 2 * SLOTS);
        assert!(storage.find(|_| visit(false)).is_none(), "no slot is free");
        assert_eq!(visits.take(), 0);

        for slot in &leased {
            storage.release(&slot.lease);
        }
        for i in 0..SLOTS {
            storage.find(|lease| visit(lease.claim_again(worker(i)))).unwrap();
        }
        assert!(visits.take() <= 3 * SLOTS);

        // One thread after the other takes the same slot.
        let slot = &leased[SLOTS / 2];
        storage.release(&slot.lease);
        storage.find(Lease::claim_free).unwrap();
        for _ in 0..SLOTS {
            storage.release(&slot.lease);
            storage.find(|lease| visit(lease.claim_free())).unwrap();
        }
        assert!(visits.take() <= 2 * SLOTS);
    }
}
