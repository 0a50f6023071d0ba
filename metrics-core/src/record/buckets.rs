//! Bucket counts on the heap.

use super::bucket_cells::{BucketCells, CHUNK, block_shift, each_bit, each_block};
use crate::cell::{OwnedU64, U64Cell};
use alloc::boxed::Box;

/// One 64-bit cell per bucket. A submit adds to the buckets that the batch touched.
#[derive(Debug)]
pub struct HeapBuckets {
    cells: Box<[OwnedU64]>,
    block_shift: u32,
}

impl HeapBuckets {
    /// Creates this many cells with the value zero.
    pub(crate) fn new(buckets: usize) -> Self {
        Self {
            cells: (0..buckets).map(|_| OwnedU64::new(0)).collect(),
            block_shift: block_shift(buckets),
        }
    }

    /// Returns the cells that a submit adds to.
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

    // Perf (row 8): whole chunks are copied without a loop, and most layouts have segments of one chunk.
    #[inline(always)]
    fn copy(&self, blocks: u64, to: &mut [u64]) {
        let copy = |cells: &[OwnedU64], to: &mut [u64]| {
            for (to, cell) in to.iter_mut().zip(cells) {
                *to = cell.get();
            }
        };
        if self.block_shift != CHUNK.trailing_zeros() {
            for block in each_block(blocks, self.block_shift, to.len()) {
                if let (Some(cells), Some(to)) = (self.cells.get(block.clone()), to.get_mut(block)) {
                    copy(cells, to);
                }
            }
            return;
        }
        let (cells, cells_rest) = self.cells.as_chunks::<CHUNK>();
        let (to, to_rest) = to.as_chunks_mut::<CHUNK>();
        for chunk in each_bit(blocks) {
            match (cells.get(chunk), to.get_mut(chunk)) {
                (Some(cells), Some(to)) => copy(cells, to),
                // The layout ends within its last chunk.
                _ => copy(cells_rest, to_rest),
            }
        }
    }

    fn add_one(&self, i: usize) {
        if let Some(cell) = self.cells.get(i) {
            cell.add(1);
        }
    }
}
