//! The cells that hold values, by their writers.
//!
//! - [`Local`]: one owner, no atomics. A batch is made of these.
//! - [`OwnedU64`], [`OwnedU32`]: one writer, any number of readers; loads and stores only. A slot is made of these. On a target
//!   without 64-bit atomics, each is two 32-bit words, which are consistent only under the slot's sequence count.
//! - [`WholeU64`]: one writer, readable whole without a sequence count: on a target without 64-bit atomics, its high word is
//!   stored twice. [`OwnedCounter`] is a counter over it.
//! - [`OwnedCounter`]: one writer, readable at any time *without* a sequence count, on every target.
//! - [`SharedCounter`], [`SharedSum`], [`SharedU32`]: many writers. No hot path uses them. Each consists of 32-bit words, so that no
//!   target with compare-and-swap needs a lock, which the code that an interrupt preempts may hold.
//! - [`Stamp`]: any thread or interrupt sets it, and one context takes it; two 32-bit words on a target without 64-bit atomics.
//!
//! Hooks are written once over the trait [`U64Cell`], which the first two implement.

mod counter;
mod owned;
mod shared;
mod shared_counter;
mod tick_stamp;
mod whole;

use crate::sync::Cell;

pub(crate) use counter::OwnedCounter;
pub(crate) use owned::{OwnedU32, OwnedU64};
pub(crate) use shared::{SharedSum, SharedU32};
pub(crate) use shared_counter::SharedCounter;
pub(crate) use tick_stamp::Stamp;
pub(crate) use whole::WholeU64;

/// A batch's cell: plain memory with one owner.
pub(crate) type Local = Cell<u64>;

/// A cell with one writer.
pub(crate) trait U64Cell {
    /// The 32-bit cell of the same family.
    type Narrow: U32Cell;
    /// A cell for a value that only a batch keeps.
    type Kept: U64Cell + Default + core::fmt::Debug;

    fn get(&self) -> u64;
    fn set(&self, value: u64);

    /// Returns the low 32 bits, with one load on a 32-bit target.
    #[inline(always)]
    fn low(&self) -> u32 {
        self.get() as u32
    }

    /// Wraps, because recording never panics; 2^64 events do not occur in practice.
    #[inline(always)]
    fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }
}

/// The count of a bucket that its one writer increments directly in the slot, one sample at a time.
pub trait BucketCell: core::fmt::Debug + 'static {
    /// Creates an empty bucket.
    const EMPTY: Self;
    /// The count at which a bucket is full. A 64-bit bucket never reaches it in practice.
    const FULL: u64;
    /// Returns the count.
    fn count(&self) -> u64;
    /// Adds one sample, unless the bucket is full.
    fn count_one(&self);
}

// Constructors of loom's cells are not const, and models have no such buckets.
#[cfg(not(metrics_core_loom))]
impl BucketCell for OwnedU64 {
    const EMPTY: Self = Self::new(0);
    const FULL: u64 = u64::MAX;

    #[inline(always)]
    fn count(&self) -> u64 {
        self.get()
    }

    #[inline(always)]
    fn count_one(&self) {
        self.add(1);
    }
}

#[cfg(not(metrics_core_loom))]
impl BucketCell for OwnedU32 {
    const EMPTY: Self = Self::new(0);
    const FULL: u64 = u32::MAX as u64;

    #[inline(always)]
    fn count(&self) -> u64 {
        u64::from(self.get())
    }

    #[inline(always)]
    fn count_one(&self) {
        self.set(self.get().saturating_add(1));
    }
}

/// The cell of a value that is not kept: no memory, always zero.
#[derive(Debug, Default)]
pub(crate) struct Nothing;

impl U64Cell for Nothing {
    type Narrow = Cell<u32>;
    type Kept = Self;

    #[inline(always)]
    fn get(&self) -> u64 {
        0
    }

    #[inline(always)]
    fn set(&self, _: u64) {}
}

/// The 32-bit form, for values that fit: one load on every target.
pub(crate) trait U32Cell: Default + core::fmt::Debug {
    fn get(&self) -> u32;
    fn set(&self, value: u32);
}

impl U32Cell for Cell<u32> {
    #[inline(always)]
    fn get(&self) -> u32 {
        Cell::get(self)
    }

    #[inline(always)]
    fn set(&self, value: u32) {
        Cell::set(self, value);
    }
}

impl U64Cell for Local {
    type Narrow = Cell<u32>;
    type Kept = Self;

    #[inline(always)]
    fn get(&self) -> u64 {
        Cell::get(self)
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        Cell::set(self, value);
    }
}
