//! The slot's side of a histogram: single-writer cells under the slot's sequence count.

use super::bucket_cells::{BucketCells, bit};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use super::buckets::HeapBuckets;
use super::hooks::RecordValue;
use crate::cell::{OwnedU64, U64Cell};
use crate::histogram::HistogramConfig;
use crate::sync::const_unless_loom;
use core::fmt::Debug;

/// Bucket counts with their sum, minimum and maximum. The count of samples is the sum of the buckets, so the two can't
/// disagree.
#[derive(Debug)]
pub(crate) struct SlotHistogram<B> {
    buckets: B,
    /// One bit for each segment of buckets that was ever touched, so that a reader skips the others.
    blocks: OwnedU64,
    sum: OwnedU64,
    min: OwnedU64,
    max: OwnedU64,
}

impl<B> SlotHistogram<B> {
    const_unless_loom! {
        pub(crate) const fn new(buckets: B) -> Self {
            Self {
                buckets,
                blocks: OwnedU64::new(0),
                sum: OwnedU64::new(0),
                min: OwnedU64::new(u64::MAX),
                max: OwnedU64::new(0),
            }
        }
    }
}

/// The target of a batch's submit.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl SlotHistogram<HeapBuckets> {
    /// Returns the number of buckets that it holds.
    pub(crate) fn capacity(&self) -> usize {
        self.buckets.capacity()
    }

    /// Returns the cells of the buckets. A caller that adds to them must mark them.
    #[inline(always)]
    pub(crate) fn cells(&self) -> &[OwnedU64] {
        self.buckets.cells()
    }

    /// Marks the segments that were touched, for readers.
    #[inline(always)]
    pub(crate) fn mark(&self, blocks: u64) {
        self.blocks.set(self.blocks.get() | blocks);
    }

    /// Stores the sum, minimum and maximum.
    #[inline(always)]
    pub(crate) fn settle(&self, sum: u64, min: u64, max: u64) {
        self.sum.set(sum);
        self.min.set(min);
        self.max.set(max);
    }
}

impl<B> SlotHistogram<B> {
    /// Outlined, because a select between two 64-bit values would cost every record more than a branch.
    #[cold]
    #[inline(never)]
    fn saturate(&self) {
        self.sum.set(u64::MAX);
    }
}

impl<B: BucketCells> SlotHistogram<B> {
    /// Marks a bucket as touched, for readers.
    #[inline(always)]
    fn mark_bucket(&self, bucket: usize) {
        let block = self.bit(bucket);
        let blocks = self.blocks.get();
        if blocks & block == 0 {
            self.blocks.set(blocks | block);
        }
    }

    /// Returns the current sum, minimum and maximum.
    pub(crate) fn extremes(&self) -> (u64, u64, u64) {
        (self.sum.get(), self.min.get(), self.max.get())
    }

    /// Returns the count of one bucket.
    pub(crate) fn bucket(&self, i: usize) -> u64 {
        self.buckets.get(i)
    }

    /// Copies the counts of every segment that was ever touched, and returns the bits of those segments.
    #[inline(always)]
    pub(crate) fn read(&self, counts: &mut [u64]) -> u64 {
        let touched = if B::GROUPED { self.blocks.get() } else { u64::MAX };
        self.buckets.copy(touched, counts);
        touched
    }

    /// The bit of the segment that contains a bucket.
    #[inline(always)]
    pub(crate) fn bit(&self, bucket: usize) -> u64 {
        bit(bucket, self.buckets.block_shift())
    }
}

/// Records directly in the slot, for a writer inside a write section.
impl<B: BucketCells> RecordValue for SlotHistogram<B> {
    const MEAN: bool = false;

    // Outlined: both histograms share it. Inlined twice, it costs 420 more bytes of flash on a Cortex-M0 and saves no
    // instruction.
    #[inline(never)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index(value);
        self.buckets.add_one(i);
        if B::GROUPED {
            self.mark_bucket(i);
        }
        match self.sum.get().checked_add(value) {
            Some(sum) => self.sum.set(sum),
            None => self.saturate(),
        }
        if value < self.min.get() {
            self.min.set(value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
        false
    }
}
