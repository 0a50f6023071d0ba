//! Bucket counts on a heap: 32 bits that every submit touches, 16 more that few ever reach.

use super::slot::{BucketCells, CHUNK, block_shift, each_block, update_block};
use crate::cell::{OwnedU16, OwnedU32, U32Cell};
use alloc::boxed::Box;
use core::cell::Cell;

/// Bucket counts of 48 bits, in whole chunks.
///
/// The low halves lie apart, so that a submit and a read go through half the memory that 64-bit counts take: until some
/// bucket has seen 2^32 samples the high halves are all zero, and not looked at. A full bucket, after 2^48 - 1 samples
/// (nine years of a million a second), stays so, and the reading says it
/// ([`is_saturated`](crate::HistogramReading::is_saturated)).
#[derive(Debug)]
pub struct HeapBuckets {
    low: Box<[OwnedU32]>,
    high: Box<[OwnedU16]>,
    /// Not zero once a count has outgrown its low half.
    carried: OwnedU32,
    block_shift: u32,
}

impl HeapBuckets {
    /// The count at which a bucket stays.
    pub(crate) const FULL: u64 = (1 << 48) - 1;

    /// Room for as many buckets, rounded up to whole chunks.
    pub(crate) fn new(buckets: usize) -> Self {
        let cells = buckets.next_multiple_of(CHUNK);
        Self {
            low: (0..cells).map(|_| OwnedU32::new(0)).collect(),
            high: (0..cells).map(|_| OwnedU16::new(0)).collect(),
            carried: OwnedU32::new(0),
            block_shift: block_shift(cells),
        }
    }

    /// Adds what a batch has counted in one bucket, and says whether that may be its first; nothing past the end.
    #[inline(always)]
    pub(super) fn add_lane(&self, i: usize, count: u8) -> bool {
        let Some(low) = self.low.get(i) else {
            return false;
        };
        let first = low.get() == 0;
        self.add_to(low, i, count);
        first
    }

    /// The same for the chunk of buckets that begins at `first`, taking the counts; nothing unless all of it is there.
    #[inline(always)]
    pub(super) fn add_chunk(&self, first: usize, lanes: &[Cell<u8>; CHUNK]) {
        if let Some(low) = self.low.get(first..first + CHUNK) {
            for (i, (low, lane)) in low.iter().zip(lanes).enumerate() {
                self.add_to(low, first + i, lane.take());
            }
        }
    }

    #[inline(always)]
    fn add_to(&self, low: &OwnedU32, i: usize, count: u8) {
        let (sum, carry) = low.get().overflowing_add(count.into());
        low.set(sum);
        if carry {
            self.carry(low, i);
        }
    }

    /// Moves the high half on, or fills the bucket for good.
    #[cold]
    #[inline(never)]
    fn carry(&self, low: &OwnedU32, i: usize) {
        let Some(high) = self.high.get(i) else { return };
        match high.get().checked_add(1) {
            Some(sum) => high.set(sum),
            None => low.set(u32::MAX),
        }
        self.carried.set(1);
    }
}

impl BucketCells for HeapBuckets {
    const GROUPED: bool = true;

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.low.len()
    }

    #[inline(always)]
    fn block_shift(&self) -> u32 {
        self.block_shift
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        let low = self.low.get(i).map_or(0, U32Cell::get);
        if self.carried.get() == 0 {
            return low.into();
        }
        let high = self.high.get(i).map_or(0, OwnedU16::get);
        u64::from(high) << u32::BITS | u64::from(low)
    }

    /// Nobody records straight into a heap's slot.
    fn add_one(&self, i: usize) {
        self.add_lane(i, 1);
    }

    fn update(&self, blocks: u64, now: &mut [u64], before: &mut [u64]) -> u64 {
        let narrow = self.carried.get() == 0 && self.block_shift == CHUNK.trailing_zeros();
        let mut changed = 0;
        let mut left = blocks;
        while left != 0 {
            let first = (left.trailing_zeros() as usize) << self.block_shift;
            let bit = left & left.wrapping_neg();
            left ^= bit;
            // The common block is of eight low halves, all there.
            let moved = match (
                now.get_mut(first..).and_then(<[u64]>::first_chunk_mut),
                before.get_mut(first..).and_then(<[u64]>::first_chunk_mut),
                self.low.get(first..).and_then(<[OwnedU32]>::first_chunk),
            ) {
                (Some(now), Some(before), Some(low)) if narrow => update_chunk(low, now, before),
                _ => each_block(bit, self.block_shift, now.len())
                    .any(|block| update_block(self, block, now, before)),
            };
            if moved {
                changed |= bit;
            }
        }
        changed
    }
}

/// Brings a chunk up to date, and says whether it had changed.
#[inline(always)]
fn update_chunk(low: &[OwnedU32; CHUNK], now: &mut [u64; CHUNK], before: &mut [u64; CHUNK]) -> bool {
    // All are looked at before anything is decided: one branch, and most often none differs.
    let differences = |(known, cell): (&u64, &OwnedU32)| known ^ u64::from(cell.get());
    let differ = now
        .iter()
        .zip(low)
        .map(differences)
        .fold(0, core::ops::BitOr::bitor);
    if differ == 0 {
        return false;
    }
    *before = *now;
    for (now, cell) in now.iter_mut().zip(low) {
        *now = cell.get().into();
    }
    true
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn counts_past_the_low_half_and_stays_when_full() {
        let buckets = HeapBuckets::new(9);
        assert_eq!(buckets.capacity(), 16, "whole chunks");
        buckets.low[1].set(u32::MAX - 2);
        buckets.add_lane(1, 200);
        assert_eq!(buckets.get(1), u64::from(u32::MAX) + 198);
        let mut now = [0, 197, 0, 0, 0, 0, 0, 0, 0];
        let mut before = [1; 9];
        assert_eq!(
            buckets.update(0b11, &mut now, &mut before),
            0b01,
            "the low half alone is equal"
        );
        assert_eq!(now[1], buckets.get(1));
        assert_eq!(
            before,
            [0, 197, 0, 0, 0, 0, 0, 0, 1],
            "the other block is as it was"
        );

        buckets.high[9].set(u16::MAX);
        buckets.low[9].set(u32::MAX - 1);
        for _ in 0..3 {
            buckets.add_chunk(8, &[0, 1, 0, 0, 0, 0, 0, 0].map(Cell::new));
        }
        assert_eq!(buckets.get(9), HeapBuckets::FULL);
        assert_eq!(buckets.get(8), 0, "its neighbour knows nothing of it");
        buckets.add_lane(16, 1);
        buckets.add_chunk(16, &[1; CHUNK].map(Cell::new));
    }
}
