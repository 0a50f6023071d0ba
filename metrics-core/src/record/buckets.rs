//! Bucket counts on a heap.

use super::slot_histogram::{BucketCells, block_shift};
use crate::cell::{OwnedU64, U64Cell};
use alloc::boxed::Box;

/// One 64-bit cell per bucket. A submit adds to the buckets that the batch touched.
#[derive(Debug)]
pub struct HeapBuckets {
    cells: Box<[OwnedU64]>,
    block_shift: u32,
}

impl HeapBuckets {
    /// Cells for so many buckets, each zero.
    pub(crate) fn new(buckets: usize) -> Self {
        Self {
            cells: (0..buckets).map(|_| OwnedU64::new(0)).collect(),
            block_shift: block_shift(buckets),
        }
    }

    /// The cells that a submit adds to.
    #[inline(always)]
    pub(super) fn cells(&self) -> &[OwnedU64] {
        &self.cells
    }
}

impl BucketCells for HeapBuckets {
    const GROUPED: bool = true;

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.cells.len()
    }

    #[inline(always)]
    fn block_shift(&self) -> u32 {
        self.block_shift
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        self.cells.get(i).map_or(0, OwnedU64::get)
    }

    fn add_one(&self, i: usize) {
        if let Some(cell) = self.cells.get(i) {
            cell.add(1);
        }
    }
}
