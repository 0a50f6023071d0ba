//! Bucket counts on the heap.

use super::segments::{CHUNK, Segments};
use super::slot_histogram::BucketCells;
use crate::cell::{OwnedU64, U64Cell};
use alloc::boxed::Box;

/// One 64-bit cell per bucket, in whole chunks. A submit adds to the chunks that the batch touched.
#[derive(Debug)]
pub struct HeapBuckets {
    chunks: Box<[[OwnedU64; CHUNK]]>,
    segments: Segments,
    /// One bit for each segment that was ever touched, so that a reader skips the others.
    touched: OwnedU64,
}

impl HeapBuckets {
    /// Creates this many cells with the value zero.
    pub(crate) fn new(buckets: usize) -> Self {
        let chunks = buckets.div_ceil(CHUNK);
        let chunk = |_| core::array::from_fn(|_| OwnedU64::new(0));
        Self {
            chunks: (0..chunks).map(chunk).collect(),
            segments: Segments::of(chunks),
            touched: OwnedU64::new(0),
        }
    }

    /// Returns the cells that a submit adds to. A caller that adds to them must mark their segments.
    #[inline(always)]
    pub(crate) fn chunks(&self) -> &[[OwnedU64; CHUNK]] {
        &self.chunks
    }

    /// Returns the bit of the segment that contains a chunk.
    #[inline(always)]
    pub(crate) fn segment(&self, chunk: usize) -> u64 {
        self.segments.bit(chunk)
    }

    /// Marks the segments that were touched, for readers.
    #[inline(always)]
    pub(crate) fn mark(&self, segments: u64) {
        self.touched.set(self.touched.get() | segments);
    }

    /// Copies the counts of every segment that was ever touched, and returns the bits of those segments.
    #[inline(always)]
    pub(crate) fn read(&self, counts: &mut [[u64; CHUNK]]) -> u64 {
        let touched = self.touched.get();
        self.segments.each_chunk(touched, |chunk| {
            if let (Some(cells), Some(counts)) = (self.chunks.get(chunk), counts.get_mut(chunk)) {
                *counts = cells.each_ref().map(OwnedU64::get);
            }
        });
        touched
    }
}

impl BucketCells for HeapBuckets {
    fn count(&self, bucket: usize) -> u64 {
        self.chunks.as_flattened().get(bucket).map_or(0, OwnedU64::get)
    }
}
