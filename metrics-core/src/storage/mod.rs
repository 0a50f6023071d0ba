//! Where slots and snapshots live: on the heap, growing, or in a `static` of fixed capacity.

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

/// How a registry's slots and its snapshots are stored. Sealed: [`StaticStorage`] and, with the feature `alloc`, `HeapStorage` are all there are.
pub trait Storage: sealed::Sealed + Debug + 'static {
    /// Bucket counts in a snapshot.
    type Counts: Counts;
    /// A list in a snapshot, an entry a slot or a worker.
    type Rows<V: Clone + Debug>: Rows<V>;
    /// The entry of external threads in a snapshot: room for none where the program fixes every writer.
    type External<V: Clone + Debug>: Rows<V>;
    /// Text in a snapshot: the name of a runtime or a thread. Cut where it is full.
    type Text: Text;
}

/// What only this crate may see of a storage.
pub(crate) mod sealed {
    use super::{BucketCells, Debug, SharedSum, Slot};
    use crate::live::{LiveRecord, Transition};
    use crate::registry::{HostCells, RegistryInfo};
    use core::ops::Deref;

    pub trait Sealed {
        /// A slot's bucket counts.
        type Buckets: BucketCells + Debug;
        /// The runtime's name in a registry.
        type Name: AsRef<str> + Debug;
        /// Where a registry keeps what never changes.
        type RegistryInfo: Deref<Target = RegistryInfo<Self::Name>> + Debug;
        /// The cells that only a host has.
        type Host: Debug;
        /// Bucket counts with many writers.
        type SharedBuckets: Debug;

        /// The count at which a bucket is full.
        const BUCKET_FULL: u64 = u64::MAX;

        /// Whether a slot may serve a worker that has another index than the slot.
        const HAS_STRAYS: bool;

        /// The slots made so far: vacant, free and leased.
        fn slots(&self) -> impl Iterator<Item = &Slot<Self::Buckets>>;

        /// The slot that serves this worker, if it is known to be the only one.
        fn only_slot(&self, worker: usize) -> Option<&Slot<Self::Buckets>>;

        /// Whether a slot has everything that had ended by this record: always, where hooks write the slot itself.
        fn is_submitted(_: &Slot<Self::Buckets>, _: &LiveRecord) -> bool {
            true
        }

        /// The last poll or state up to which a slot has everything.
        fn submitted(_: &Slot<Self::Buckets>, live: &LiveRecord) -> Transition {
            live.transition
        }

        /// The cells that only a host has, if this storage has them.
        fn host(host: &Self::Host) -> Option<&HostCells<Self::SharedBuckets>>;

        /// The cells of many-writer buckets.
        fn shared_buckets(buckets: &Self::SharedBuckets) -> &[SharedSum];
    }
}

/// A list that may have a fixed capacity.
pub trait Rows<V>: Default + Clone + Debug {
    /// A list without entries.
    const EMPTY: Self;
    /// Appends.
    ///
    /// # Errors
    /// Gives the value back if the list is full.
    fn try_push(&mut self, value: V) -> Result<(), V>;
    /// The entries.
    fn as_slice(&self) -> &[V];
    /// The entries, to change.
    fn as_mut_slice(&mut self) -> &mut [V];
    /// Forgets every entry.
    fn clear(&mut self);
}

/// Text that may have a fixed capacity.
pub trait Text: Default + Clone + Debug + PartialEq + Write + AsRef<str> {
    /// No text.
    const EMPTY: Self;
    /// Forgets the text, keeping its memory.
    fn clear(&mut self);
}

#[cfg(feature = "alloc")]
impl<V: Clone + Debug> Rows<V> for alloc::vec::Vec<V> {
    const EMPTY: Self = Self::new();

    fn try_push(&mut self, value: V) -> Result<(), V> {
        self.push(value);
        Ok(())
    }

    fn as_slice(&self) -> &[V] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [V] {
        self
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

    fn as_slice(&self) -> &[V] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [V] {
        self
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
