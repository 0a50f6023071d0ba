//! Slots on the heap, in segments: a lease past the last one makes more, and nothing ever moves.

use super::handle::SlotHandle;
use super::sealed::Sealed;
use super::{SharedSum, Storage};
use crate::cell::SharedU32;
use crate::live::{LiveRecord, Transition};
use crate::record::{HeapBuckets, SlotHistogram};
use crate::registry::{HostCells, RegistryInfo};
use crate::slot::{EXTERNAL, Lease, Slot};
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
/// Slots come in segments, each as large as all before it, so that a reader finds them without a lock and a slot never moves.
/// Memory grows with the threads that ran workers at the same time, never with what was only configured.
#[derive(Debug)]
pub struct HeapStorage {
    segments: [OnceBox<Arc<[HeapSlot]>>; SEGMENTS],
    /// The first segment: a getter of one worker looks here first.
    own: Arc<[HeapSlot]>,
    first: usize,
    /// Slots up to the last one that was ever leased: a reader looks at no others.
    used: SharedU32,
    /// At least as many slots as were given back and not leased again.
    free: SharedU32,
    /// Not 0 once some slot serves a worker that has another index than the slot.
    has_strays: SharedU32,
    /// Buckets of a slot's histograms; `None` for one that was never switched on.
    poll_time: Option<usize>,
    schedule_latency: Option<usize>,
}

/// What is configured and never used must not be paid for: a registry of more workers begins with slots for so many.
const MOST_AT_FIRST: usize = 128;

/// Slots that no worker was given yet.
fn vacant(slots: usize, poll_time: Option<usize>, schedule_latency: Option<usize>) -> Arc<[HeapSlot]> {
    let histogram = |buckets: Option<usize>| buckets.map(|n| SlotHistogram::new(HeapBuckets::new(n)));
    let slot = || Slot::new(Lease::vacant(), histogram(poll_time), histogram(schedule_latency));
    (0..slots).map(|_| slot()).collect()
}

/// Segments double, so these hold more threads than an operating system starts.
const SEGMENTS: usize = 20;

impl HeapStorage {
    pub(crate) fn new(first: usize, poll_time: Option<usize>, schedule_latency: Option<usize>) -> Self {
        let first = first.clamp(1, MOST_AT_FIRST);
        let own = vacant(first, poll_time, schedule_latency);
        let segments = [const { OnceBox::new() }; SEGMENTS];
        // The list is new, so that no other thread has set it.
        let _ = segments[0].set(Box::new(Arc::clone(&own)));
        Self {
            segments,
            own,
            first,
            used: SharedU32::new(0),
            free: SharedU32::new(0),
            has_strays: SharedU32::new(0),
            poll_time,
            schedule_latency,
        }
    }

    /// The segment, made if it was not there.
    fn segment(&self, number: usize) -> Option<&Arc<[HeapSlot]>> {
        let cell = self.segments.get(number)?;
        Some(cell.get_or_init(|| {
            let slots = self.slots_before(number).max(self.first);
            Box::new(vacant(slots, self.poll_time, self.schedule_latency))
        }))
    }

    /// The first slot made so far that `claim`, which takes none that was never leased, takes.
    pub(crate) fn find(&self, claim: impl Fn(&Lease) -> bool) -> Option<SlotHandle> {
        // While no slot is free, a lease costs the same however many there are.
        if self.free.load_acquire() == 0 {
            return None;
        }
        let found = self.segments.iter().map_while(OnceBox::get).find_map(|segment| {
            let index = segment.iter().position(|slot| claim(&slot.lease))?;
            Some(SlotHandle::new(segment, index))
        });
        if found.is_some() {
            let _ = self.free.add(u32::MAX);
        }
        found
    }

    /// Gives a slot back. Only its holder may.
    pub(crate) fn release(&self, lease: &Lease) {
        // Before it can be leased again, so that the number is never too low.
        let _ = self.free.add(1);
        lease.release();
    }

    /// The slot with this number, if it was made.
    #[inline(always)]
    pub(crate) fn at(&self, slot: usize) -> Option<&HeapSlot> {
        let number = self.chunk_of(slot);
        self.segments
            .get(number)?
            .get()?
            .get(slot - self.slots_before(number))
    }

    /// The number of the segment that a slot is in.
    #[inline(always)]
    fn chunk_of(&self, slot: usize) -> usize {
        match slot / self.first {
            0 => 0,
            times => times.ilog2() as usize + 1,
        }
    }

    /// The number of slots in the segments before this one.
    fn slots_before(&self, number: usize) -> usize {
        match number {
            0 => 0,
            n => self.first << (n - 1),
        }
    }

    /// Takes a slot that served no worker yet, for `worker`.
    pub(crate) fn claim_vacant(&self, worker: usize) -> Option<SlotHandle> {
        self.find_or_grow(|lease, number| {
            let is_claimed = lease.claim_vacant(worker);
            if is_claimed && number != worker && worker != EXTERNAL {
                self.has_strays.store_release(1);
            }
            is_claimed
        })
    }

    /// Before anything is counted in the first `slots` slots. Who sees a task end that was spawned there sees this too, so
    /// that a reader which sums the spawns after the ends finds the spawn.
    fn use_slots(&self, slots: usize) {
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        loop {
            let used = self.used.load_acquire();
            if used >= slots || self.used.claim(used, slots) {
                return;
            }
        }
    }

    /// The first slot that `claim` takes, asked with its number; slots are made until it takes one.
    pub(crate) fn find_or_grow(&self, claim: impl Fn(&Lease, usize) -> bool) -> Option<SlotHandle> {
        // Those before served some worker: `use_slots` comes after a claim, and claims are made in order.
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
        // Ordering: acquire, pairs with the release of `claim_vacant`: who knows of a count in a stray slot finds the slot.
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

/// A value that derefs to itself, where fixed storage has a reference.
#[derive(Debug)]
pub struct Inline<V>(pub(crate) V);

impl<V> Deref for Inline<V> {
    type Target = V;

    #[inline(always)]
    fn deref(&self) -> &V {
        &self.0
    }
}

/// Boxed many-writer buckets.
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
    type Text = String;
}
