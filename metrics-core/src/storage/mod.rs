//! The storage of slots and snapshots: on the heap, where it grows, or in a `static` with fixed capacity.

#[cfg(not(metrics_core_loom))]
mod fixed_slots;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[cfg_attr(not(any(feature = "record", metrics_core_loom)), path = "handle_off.rs")]
mod handle;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod heap;

use crate::cell::SharedSum;
use crate::histogram::Counts;
use crate::record::BucketCells;
use crate::slot::Slot;
use core::fmt::{Debug, Write};
use core::ops::DerefMut;

#[cfg(not(metrics_core_loom))]
pub(crate) use fixed_slots::StaticSlot;
#[cfg(not(metrics_core_loom))]
pub use fixed_slots::{BucketWidth, Buckets32, Buckets64, StaticStorage};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use handle::SlotHandle;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use heap::HeapStorage;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use heap::{HeapSlot, Inline, SharedBuckets};

/// The storage of a registry's slots and of its snapshots. This trait is sealed: [`StaticStorage`] and, with the
/// feature `alloc`, `HeapStorage` implement it.
pub trait Storage: sealed::Sealed + Debug + 'static {
    /// The bucket counts in a snapshot.
    type Counts: Counts;
    /// A list in a snapshot, with one entry per slot or worker.
    type Rows<V: Clone + Debug>: Rows<V>;
    /// The entry of external threads in a snapshot. It is always empty if the program fixes every writer.
    type External<V: Clone + Debug>: Rows<V>;
    /// The list of spawn locations in a snapshot. It is always empty if the storage keeps none.
    type Locations<V: Clone + Debug>: Rows<V>;
    /// Text in a snapshot, such as the name of a runtime or a thread. It is truncated if it is full.
    type Text: Text;
}

/// The parts of a storage that only this crate uses.
pub(crate) mod sealed {
    use super::{BucketCells, Debug, SharedSum, Slot};
    use crate::host_cells::HostCells;
    use crate::live::{LiveRecord, Transition};
    use crate::registry_info::RegistryInfo;
    use core::ops::Deref;

    pub trait Sealed {
        /// The bucket counts of a slot.
        type Buckets: BucketCells + Debug;
        /// The runtime's name in a registry.
        type Name: AsRef<str> + Debug;
        /// The storage of the part of a registry that never changes.
        type RegistryInfo: Deref<Target = RegistryInfo<Self::Name>> + Debug;
        /// The cells that exist only under an operating system.
        type Host: Debug;
        /// Bucket counts with many writers.
        type SharedBuckets: Debug;

        /// The count at which a bucket is full.
        const BUCKET_FULL: u64 = u64::MAX;

        /// Whether a slot may serve a worker whose index differs from the slot's.
        const HAS_STRAYS: bool;

        /// Returns the existing slots: vacant, free and leased.
        fn slots(&self) -> impl Iterator<Item = &Slot<Self::Buckets>>;

        /// Returns the slot that serves this worker, if it is known to be the only one.
        fn only_slot(&self, worker: usize) -> Option<&Slot<Self::Buckets>>;

        /// Returns `true` if a slot has everything that had ended at the time of this record. It is always true if
        /// hooks write directly to the slot.
        fn is_submitted(_: &Slot<Self::Buckets>, _: &LiveRecord) -> bool {
            true
        }

        /// Returns the last poll or state for which the slot has everything.
        fn submitted(_: &Slot<Self::Buckets>, live: &LiveRecord) -> Transition {
            live.transition
        }

        /// Returns the cells that exist only under an operating system, if this storage has them.
        fn host(host: &Self::Host) -> Option<&HostCells<Self::SharedBuckets>>;

        /// Returns the cells of many-writer buckets.
        fn shared_buckets(buckets: &Self::SharedBuckets) -> &[SharedSum];
    }
}

/// A list whose capacity may be fixed.
pub trait Rows<V>: Default + Clone + Debug + DerefMut<Target = [V]> {
    /// Creates an empty list.
    const EMPTY: Self;
    /// Appends an entry.
    ///
    /// # Errors
    /// Returns the entry if the list is full.
    fn try_push(&mut self, value: V) -> Result<(), V>;
    /// Removes all entries.
    fn clear(&mut self);

    /// Returns the entries.
    fn as_slice(&self) -> &[V] {
        self
    }

    /// Returns the entries, mutably.
    fn as_mut_slice(&mut self) -> &mut [V] {
        self
    }
}

/// Text whose capacity may be fixed.
pub trait Text: Default + Clone + Debug + PartialEq + Write + AsRef<str> {
    /// Creates an empty text.
    const EMPTY: Self;
    /// Clears the text and keeps its memory.
    fn clear(&mut self);
}

#[cfg(feature = "alloc")]
impl<V: Clone + Debug> Rows<V> for alloc::vec::Vec<V> {
    const EMPTY: Self = Self::new();

    fn try_push(&mut self, value: V) -> Result<(), V> {
        self.push(value);
        Ok(())
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl<V: Clone + Debug, const N: usize> Rows<V> for heapless::Vec<V, N> {
    const EMPTY: Self = Self::new();

    fn try_push(&mut self, value: V) -> Result<(), V> {
        self.push(value)
    }

    fn clear(&mut self) {
        self.clear();
    }
}

#[cfg(feature = "alloc")]
impl Text for alloc::string::String {
    const EMPTY: Self = Self::new();

    fn clear(&mut self) {
        self.clear();
    }
}

impl<const N: usize> Text for heapless::String<N> {
    const EMPTY: Self = Self::new();

    fn clear(&mut self) {
        self.clear();
    }
}
