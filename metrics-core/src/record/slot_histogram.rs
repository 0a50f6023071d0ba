//! The slot's side of a histogram: cells with one writer, under the slot's sequence count.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use super::buckets::HeapBuckets;
use super::hooks::RecordValue;
use crate::cell::{OwnedU64, U64Cell};
use crate::histogram::HistogramConfig;
use crate::sync::const_unless_loom;
use core::fmt::Debug;
use core::ops::Range;

/// Where a slot keeps its bucket counts: on a heap, in an array, or in narrower cells for small chips.
///
/// Sealed by its cells: only this crate can make one.
pub trait BucketCells {
    /// Whether touched blocks of buckets are noted, so that a reader passes over the others. Few buckets are read
    /// sooner than a bit is set.
    const GROUPED: bool;
    /// How many buckets there is room for.
    fn capacity(&self) -> usize;
    /// A block has `2^block_shift` buckets.
    fn block_shift(&self) -> u32;
    /// The count of bucket `i`, zero past the end.
    fn get(&self, i: usize) -> u64;
    /// Adds one to bucket `i`; nothing past the end.
    fn add_one(&self, i: usize);
    /// Copies the counts of each block whose bit is set.
    #[inline(always)]
    fn copy(&self, blocks: u64, to: &mut [u64]) {
        for block in each_block(blocks, self.block_shift(), to.len()) {
            if let Some(to) = to.get_mut(block.clone()) {
                for (to, i) in to.iter_mut().zip(block) {
                    *to = self.get(i);
                }
            }
        }
    }
}

/// Buckets that are submitted together. Heap storage comes in whole chunks; no other is submitted into.
pub(crate) const CHUNK: usize = 8;

/// Buckets in place take one sample at a time: nobody submits a batch into them.
#[cfg(not(metrics_core_loom))]
impl<B: crate::cell::BucketCell, const BUCKETS: usize> BucketCells for [B; BUCKETS] {
    const GROUPED: bool = false;

    #[inline(always)]
    fn capacity(&self) -> usize {
        BUCKETS
    }

    #[inline(always)]
    fn block_shift(&self) -> u32 {
        const { block_shift(BUCKETS) }
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        <[B]>::get(self, i).map_or(0, B::count)
    }

    #[inline(always)]
    fn add_one(&self, i: usize) {
        if let Some(cell) = <[B]>::get(self, i) {
            cell.count_one();
        }
    }
}

/// Bucket counts with their sum, minimum and maximum. The count of samples is the sum of the buckets, so the two
/// can't disagree.
#[derive(Debug)]
pub(crate) struct SlotHistogram<B> {
    buckets: B,
    /// One bit for each block of buckets that was ever touched, so that a reader passes over the others.
    blocks: OwnedU64,
    sum: OwnedU64,
    min: OwnedU64,
    max: OwnedU64,
}

/// Buckets of a block are `2^block_shift`: as few as let 64 bits cover them all, and at least a chunk.
pub(crate) const fn block_shift(buckets: usize) -> u32 {
    let bits = usize::BITS - (buckets.saturating_sub(1) / u64::BITS as usize).leading_zeros();
    let chunk = CHUNK.trailing_zeros();
    if bits < chunk { chunk } else { bits }
}

/// The bit of the block that a bucket is in.
#[inline(always)]
fn bit(bucket: usize, shift: u32) -> u64 {
    1_u64.wrapping_shl((bucket >> shift) as u32)
}

/// The numbers of the bits that are set.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[inline(always)]
pub(crate) fn each_bit(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(bit)
    })
}

/// The buckets of each block whose bit is set.
#[inline(always)]
pub(crate) fn each_block(mut bits: u64, shift: u32, buckets: usize) -> impl Iterator<Item = Range<usize>> {
    core::iter::from_fn(move || {
        let first = (bits != 0).then(|| (bits.trailing_zeros() as usize) << shift)?;
        bits &= bits - 1;
        (first < buckets).then(|| first..(first + (1 << shift)).min(buckets))
    })
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

/// What a batch submits into.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl SlotHistogram<HeapBuckets> {
    /// How many buckets there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.buckets.capacity()
    }

    /// The cells of the buckets. Whoever adds to them marks them.
    #[inline(always)]
    pub(crate) fn cells(&self) -> &[OwnedU64] {
        self.buckets.cells()
    }

    /// Notes for readers which blocks were touched.
    #[inline(always)]
    pub(crate) fn mark(&self, blocks: u64) {
        self.blocks.set(self.blocks.get() | blocks);
    }

    /// Takes over sum, minimum and maximum.
    #[inline(always)]
    pub(crate) fn settle(&self, sum: u64, min: u64, max: u64) {
        self.sum.set(sum);
        self.min.set(min);
        self.max.set(max);
    }
}

impl<B> SlotHistogram<B> {
    /// Out of line, since a select of two 64-bit values would cost every record more than a branch.
    #[cold]
    #[inline(never)]
    fn saturate(&self) {
        self.sum.set(u64::MAX);
    }
}

impl<B: BucketCells> SlotHistogram<B> {
    /// Notes for readers that a bucket was touched.
    #[inline(always)]
    fn mark_bucket(&self, bucket: usize) {
        let block = self.bit(bucket);
        let blocks = self.blocks.get();
        if blocks & block == 0 {
            self.blocks.set(blocks | block);
        }
    }

    /// Sum, minimum and maximum as they stand.
    pub(crate) fn extremes(&self) -> (u64, u64, u64) {
        (self.sum.get(), self.min.get(), self.max.get())
    }

    /// One bucket's count.
    pub(crate) fn bucket(&self, i: usize) -> u64 {
        self.buckets.get(i)
    }

    /// Copies the counts of every block that was ever touched, and returns the bits of those blocks.
    #[inline(always)]
    pub(crate) fn read(&self, counts: &mut [u64]) -> u64 {
        let touched = if B::GROUPED { self.blocks.get() } else { u64::MAX };
        self.buckets.copy(touched, counts);
        touched
    }

    /// The bit of the block that a bucket is in.
    #[inline(always)]
    pub(crate) fn bit(&self, bucket: usize) -> u64 {
        bit(bucket, self.buckets.block_shift())
    }
}

/// Recording straight into the slot, for a writer inside a write section.
impl<B: BucketCells> RecordValue for SlotHistogram<B> {
    const MEAN: bool = false;

    // Outlined: both histograms share it. Inlined twice, it takes a Cortex-M0 420 bytes of flash more and no instruction less.
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

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::{CHUNK, block_shift};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_full_bucket_stays_full() {
        use super::BucketCells;
        use crate::cell::{OwnedU32, U32Cell};
        let cells = [OwnedU32::new(u32::MAX - 1), OwnedU32::new(0)];
        for _ in 0..3 {
            BucketCells::add_one(&cells, 0);
        }
        assert_eq!(U32Cell::get(&cells[0]), u32::MAX);
        assert_eq!(
            BucketCells::get(&cells, 1),
            0,
            "its neighbour knows nothing of it"
        );
        BucketCells::add_one(&cells, 2);
    }

    #[test]
    fn sixty_four_blocks_cover_every_bucket() {
        for buckets in 1..20_000_usize {
            let shift = block_shift(buckets);
            assert!((buckets - 1) >> shift < 64, "{buckets}");
            assert!(
                shift == CHUNK.trailing_zeros() || (buckets - 1) >> (shift - 1) >= 64,
                "{buckets}: coarser than needed"
            );
        }
    }
}
