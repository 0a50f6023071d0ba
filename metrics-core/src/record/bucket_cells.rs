//! The cells of a histogram's buckets.

use core::ops::Range;

/// The bucket counts of a slot: on a heap, in an array, or in narrower cells for small chips.
///
/// Sealed by its cells: only this crate can create one.
pub trait BucketCells {
    /// Whether touched segments of buckets are marked, so that a reader skips the others. For few buckets, reading all
    /// is faster than setting a bit.
    const GROUPED: bool;
    /// The number of buckets that it holds.
    fn capacity(&self) -> usize;
    /// A segment has `2^block_shift` buckets.
    fn block_shift(&self) -> u32;
    /// Returns the count of bucket `i`; zero past the end.
    fn get(&self, i: usize) -> u64;
    /// Adds one to bucket `i`. Does nothing past the end.
    fn add_one(&self, i: usize);
    /// Copies the counts of each segment whose bit is set.
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

/// Buckets that a batch submits to. Heap storage has only whole chunks, and no other storage has a batch.
pub(crate) const CHUNK: usize = 8;

/// Buckets in place take one sample at a time: no batch submits to them.
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

/// A segment has `2^block_shift` buckets: as few as 64 bits can cover, and at least a chunk.
pub(crate) const fn block_shift(buckets: usize) -> u32 {
    let bits = usize::BITS - (buckets.saturating_sub(1) / u64::BITS as usize).leading_zeros();
    let chunk = CHUNK.trailing_zeros();
    if bits < chunk { chunk } else { bits }
}

/// The bit of the segment that contains a bucket.
#[inline(always)]
pub(super) fn bit(bucket: usize, shift: u32) -> u64 {
    1_u64.wrapping_shl((bucket >> shift) as u32)
}

/// Iterates over the numbers of the set bits.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[inline(always)]
pub(crate) fn each_bit(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(bit)
    })
}

/// Iterates over the buckets of each segment whose bit is set.
#[inline(always)]
pub(crate) fn each_block(mut bits: u64, shift: u32, buckets: usize) -> impl Iterator<Item = Range<usize>> {
    core::iter::from_fn(move || {
        let first = (bits != 0).then(|| (bits.trailing_zeros() as usize) << shift)?;
        bits &= bits - 1;
        (first < buckets).then(|| first..(first + (1 << shift)).min(buckets))
    })
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
