//! Bucket counts on a heap: 32 bits that every submit touches, 16 more that few ever reach.

use super::slot::{BucketCells, CHUNK, Tables, block_shift, each_block};
use crate::cell::{OwnedU16, OwnedU32, OwnedU64, U32Cell, U64Cell};
use alloc::boxed::Box;

/// Two low halves to a cell, so that a submit stores two counts at once: bucket `n` of a chunk with bucket `n + PAIRS`.
const PAIRS: usize = CHUNK / 2;
/// Of eight lanes that lie in a word, the first of each half; shifted down, the word has the others there.
const LANES_OF_A_PAIR: u64 = 0x0000_00FF_0000_00FF;
/// What is left of a low half when its top bit is moved to the high half.
const LOW_BITS: u32 = 31;
const TOP: u32 = 1 << LOW_BITS;

/// Bucket counts of 47 bits, in whole chunks.
///
/// The low halves lie apart, so that a submit and a read go through half the memory that 64-bit counts take: until some
/// bucket has seen 2^31 samples the high halves are all zero, and not looked at. A submit adds to the low halves
/// without looking for a carry: every [`SUBMITS`](Self::SUBMITS), before any could have come round, their top bits are
/// moved on. A full bucket, after 2^47 - 1 samples (four years of a million a second), stays so, and the reading says it
/// ([`is_saturated`](crate::HistogramReading::is_saturated)).
#[derive(Debug)]
pub struct HeapBuckets {
    low: Box<[ChunkCells]>,
    /// In units of 2^31.
    high: Box<[[OwnedU16; CHUNK]]>,
    buckets: u32,
    /// How often top bits were moved: not zero once a count has outgrown its low half.
    carries: OwnedU32,
    /// Submits until top bits have to be moved, whoever makes them.
    left: OwnedU32,
    block_shift: u32,
}

/// What a reader remembers of each block.
#[derive(Clone, Debug, Default)]
pub struct HeapMarks {
    /// The sum of its low halves, and how often they were carried.
    sums: Box<[u64]>,
    /// A bit for each block whose sum is that of a try that was taken back.
    again: u64,
}

/// The low halves of a chunk.
#[derive(Debug)]
pub(crate) struct ChunkCells([OwnedU64; PAIRS]);

impl ChunkCells {
    /// Adds what a batch has counted.
    #[inline(always)]
    pub(crate) fn add(&self, counts: [u8; CHUNK]) {
        let counts = u64::from_le_bytes(counts);
        for (n, pair) in self.0.iter().enumerate() {
            // No half carries into the other before `HeapBuckets::carry` comes.
            pair.add(counts >> (n * 8) & LANES_OF_A_PAIR);
        }
    }

    /// Has its first bucket stand at a count already.
    #[cfg(all(test, not(metrics_core_loom)))]
    pub(super) fn start_at(&self, count: u64) {
        self.0[0].set(count);
    }

    /// The sum over all pairs, each as the one number that it is: eight counts in four loads.
    #[inline(always)]
    fn sum(&self) -> u64 {
        self.0.iter().map(OwnedU64::get).fold(0, u64::wrapping_add)
    }

    /// The counts in their order.
    #[inline(always)]
    fn counts(&self) -> [u64; CHUNK] {
        let [a, b, c, d] = self.0.each_ref().map(|pair| halves(pair.get()).map(u64::from));
        [a[0], b[0], c[0], d[0], a[1], b[1], c[1], d[1]]
    }
}

/// The counts of a pair.
#[inline(always)]
fn halves(pair: u64) -> [u32; 2] {
    [pair as u32, (pair >> u32::BITS) as u32]
}

impl HeapBuckets {
    /// The count at which a bucket stays.
    pub(crate) const FULL: u64 = (1 << (u16::BITS + LOW_BITS)) - 1;
    /// Each adds 255 to a bucket at most: after as many of them a low half that was below its top bit has not come round.
    pub(crate) const SUBMITS: u32 = TOP >> u8::BITS;

    /// Room for as many buckets, at most [`MAX_BUCKETS`](crate::HistogramConfig::MAX_BUCKETS).
    pub(crate) fn new(buckets: usize) -> Self {
        let chunks = buckets.div_ceil(CHUNK);
        Self {
            low: (0..chunks)
                .map(|_| ChunkCells(core::array::from_fn(|_| OwnedU64::new(0))))
                .collect(),
            high: (0..chunks)
                .map(|_| core::array::from_fn(|_| OwnedU16::new(0)))
                .collect(),
            buckets: buckets as u32,
            carries: OwnedU32::new(0),
            left: OwnedU32::new(Self::SUBMITS),
            block_shift: block_shift(buckets),
        }
    }

    /// The cells that a submit adds to.
    #[inline(always)]
    pub(super) fn chunks(&self) -> &[ChunkCells] {
        &self.low
    }

    /// Ends a submit.
    #[inline(always)]
    pub(super) fn submitted(&self) {
        let left = self.left.get().wrapping_sub(1);
        self.left.set(left);
        if left == 0 {
            self.carry();
        }
    }

    #[cfg(all(test, not(metrics_core_loom)))]
    pub(super) fn submits_left(&self) -> &OwnedU32 {
        &self.left
    }

    /// Moves every top bit to the high half, or fills the bucket for good.
    #[cold]
    #[inline(never)]
    fn carry(&self) {
        self.left.set(Self::SUBMITS);
        let mut carried = false;
        for (chunk, high) in self.low.iter().zip(&self.high) {
            let (first, second) = high.split_at(PAIRS);
            for (pair, (first, second)) in chunk.0.iter().zip(first.iter().zip(second)) {
                let [low, high] = halves(pair.get());
                if low >= TOP || high >= TOP {
                    let (low, high) = (carry_half(low, first), carry_half(high, second));
                    pair.set(u64::from(high) << u32::BITS | u64::from(low));
                    carried = true;
                }
            }
        }
        if carried {
            self.carries.set(self.carries.get().wrapping_add(1).max(1));
        }
    }

    /// What carrying adds to a block's mark, so that every block is looked at once more after it.
    fn mark_of_carries(&self) -> u64 {
        u64::from(self.carries.get()) << u16::BITS
    }

    /// Takes the blocks over in which something has changed.
    fn take(&self, changed: u64, tables: &mut Tables<'_, HeapMarks>) {
        for block in each_block(changed, self.block_shift, tables.now.len()) {
            tables.take(block.clone(), block.map(|i| self.get(i)));
        }
    }
}

fn carry_half(low: u32, high: &OwnedU16) -> u32 {
    if low < TOP {
        return low;
    }
    match high.get().checked_add(1) {
        Some(sum) => {
            high.set(sum);
            low - TOP
        }
        None => TOP - 1,
    }
}

impl HeapBuckets {
    /// An update of blocks of several chunks, or of counts that have outgrown their low halves.
    #[inline(never)]
    fn update_other(&self, blocks: u64, tables: &mut Tables<'_, HeapMarks>) -> u64 {
        let width = 1 << self.block_shift >> CHUNK.trailing_zeros();
        let carries = self.mark_of_carries();
        let moved = moved(blocks, &mut tables.marks.sums, |i| {
            let chunks = self.low.iter().skip(i * width).take(width);
            chunks.map(ChunkCells::sum).fold(carries, u64::wrapping_add)
        });
        let changed = moved | tables.marks.again(blocks);
        self.take(changed, tables);
        changed
    }
}

impl BucketCells for HeapBuckets {
    const GROUPED: bool = true;

    type Marks = HeapMarks;

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.buckets as usize
    }

    #[inline(always)]
    fn block_shift(&self) -> u32 {
        self.block_shift
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        let (chunk, i) = (i / CHUNK, i % CHUNK);
        let Some(cells) = self.low.get(chunk) else {
            return 0;
        };
        let [low, high] = <[OwnedU64]>::get(&cells.0, i % PAIRS).map_or([0; 2], |pair| halves(pair.get()));
        let low = u64::from(if i < PAIRS { low } else { high });
        if self.carries.get() == 0 {
            return low;
        }
        let high = self.high.get(chunk).and_then(|high| <[OwnedU16]>::get(high, i));
        let high = u64::from(high.map_or(0, OwnedU16::get));
        // A full bucket's low half goes on growing from one carry to the next.
        ((high << LOW_BITS) + low).min(Self::FULL)
    }

    /// Nobody records straight into a heap's slot.
    fn add_one(&self, i: usize) {
        if let Some(cells) = self.low.get(i / CHUNK) {
            let mut counts = [0; CHUNK];
            if let Some(count) = counts.get_mut(i % CHUNK) {
                *count = 1;
            }
            cells.add(counts);
            self.carry();
        }
    }

    fn marks(buckets: usize) -> HeapMarks {
        let blocks = buckets.div_ceil(1 << block_shift(buckets));
        HeapMarks {
            sums: (0..blocks).map(|_| 0).collect(),
            again: 0,
        }
    }

    #[inline(always)]
    fn update(&self, blocks: u64, tables: &mut Tables<'_, HeapMarks>) -> u64 {
        if self.carries.get() != 0 || self.block_shift != CHUNK.trailing_zeros() {
            return self.update_other(blocks, tables);
        }
        // Of one length, so that one comparison a block does for both.
        let there = self.low.len().min(tables.marks.sums.len());
        let (low, sums) = (&self.low[..there], &mut tables.marks.sums[..there]);
        let moved = moved(blocks, sums, |i| low.get(i).map_or(0, ChunkCells::sum));
        let changed = moved | tables.marks.again(blocks);
        tables.take_chunks(changed, |i| low.get(i).map(ChunkCells::counts));
        changed
    }

    fn look_again(marks: &mut HeapMarks, blocks: u64) {
        marks.again |= blocks;
    }
}

impl HeapMarks {
    /// Those of the blocks that are to be looked at again.
    #[inline(always)]
    fn again(&mut self, blocks: u64) -> u64 {
        core::mem::take(&mut self.again) & blocks
    }
}

/// Those of the blocks whose sum is not the one remembered, which it then is. Counts only grow: a block that has the same sum has
/// the same counts, unless what fell into it between two readings comes to a multiple of 2^64 when second halves count 2^32-fold.
/// That takes more than 2^32 samples, and its next sample shows them.
///
/// No branch depends on which it is: that is anybody's guess, the branch predictor's too.
#[inline(always)]
fn moved(blocks: u64, sums: &mut [u64], sum: impl Fn(usize) -> u64) -> u64 {
    let (mut changed, mut left) = (0, blocks);
    while left != 0 {
        let block = left.trailing_zeros();
        left &= left - 1;
        let Some(mark) = sums.get_mut(block as usize) else {
            break;
        };
        let sum = sum(block as usize);
        changed |= u64::from(sum != *mark) << block;
        *mark = sum;
    }
    changed
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::super::slot::SlotHistogram;
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The last submit before the top bits are moved.
    fn submit_and_carry(buckets: &HeapBuckets, chunk: usize, counts: [u8; CHUNK]) {
        buckets.low[chunk].add(counts);
        buckets.carry();
    }

    #[test]
    fn a_chunk_adds_each_lane_to_its_own_bucket() {
        let buckets = HeapBuckets::new(17);
        assert_eq!(buckets.chunks().len(), 3, "whole chunks");
        for _ in 0..3 {
            buckets.chunks()[1].add([1, 2, 3, 4, 5, 6, 7, 255]);
        }
        let counts: [u64; 24] = core::array::from_fn(|i| buckets.get(i));
        assert_eq!(counts[..8], [0; 8]);
        assert_eq!(counts[8..16], [3, 6, 9, 12, 15, 18, 21, 765]);
        assert_eq!(counts[16..], [0; 8]);
        for i in 0..25 {
            buckets.add_one(i);
        }
        assert_eq!(buckets.get(24), 0, "nothing past the end");
        assert_eq!(buckets.get(15), 766);
        assert_eq!(buckets.get(16), 1);
    }

    #[test]
    fn no_low_half_comes_round_between_two_carries() {
        let most = u64::from(TOP - 1) + u64::from(HeapBuckets::SUBMITS) * u64::from(u8::MAX);
        assert!(u32::try_from(most).is_ok(), "{most}");
    }

    #[test]
    fn counts_past_the_low_half_and_stays_when_full() {
        let buckets = HeapBuckets::new(9);
        // Both halves of a pair, so that neither carries into the other.
        let low = u64::from(u32::MAX - 255);
        buckets.low[0].0[1].set(low << u32::BITS | low);
        let counts = [0, 200, 0, 7, 0, 255, 0, 0];
        submit_and_carry(&buckets, 0, counts);
        assert_eq!(buckets.get(1), low + 200);
        assert_eq!(buckets.get(5), low + 255);
        assert_eq!(buckets.get(3), 7, "its neighbour knows nothing of it");
        submit_and_carry(&buckets, 0, counts);
        assert_eq!(buckets.get(1), low + 400);
        assert_eq!(buckets.get(5), low + 510);

        let below = u64::from(TOP - 1);
        let mut now = [0, (low + 400) & below, 0, 14, 0, (low + 510) & below, 0, 0, 0];
        let (mut before, mut total) = ([1; 9], [1000; 9]);
        let mut tables = Tables {
            now: &mut now,
            before: &mut before,
            total: &mut total,
            marks: &mut HeapBuckets::marks(9),
        };
        assert_eq!(
            buckets.update(0b11, &mut tables),
            0b11,
            "the low halves alone are equal"
        );
        assert_eq!(now[1], buckets.get(1));
        assert_eq!(now[5], buckets.get(5));
        assert_eq!(before[1], (low + 400) & below);
        assert_eq!(total[1], 1000 + buckets.get(1) - before[1]);

        buckets.high[1][1].set(u16::MAX);
        buckets.low[1].0[1].set(u64::from(TOP - 2));
        assert_eq!(buckets.get(9), HeapBuckets::FULL - 1);
        for _ in 0..3 {
            buckets.low[1].add([0, 1, 0, 0, 0, 0, 0, 0]);
            assert_eq!(buckets.get(9), HeapBuckets::FULL);
            submit_and_carry(&buckets, 1, [0, 255, 0, 0, 0, 0, 0, 0]);
            assert_eq!(buckets.get(9), HeapBuckets::FULL);
        }
        assert_eq!(buckets.get(8), 0, "its neighbour knows nothing of it");
    }

    /// A reading of a slot, and the sum that it is a part of.
    struct Reader {
        now: Vec<u64>,
        before: Vec<u64>,
        total: Vec<u64>,
        marks: HeapMarks,
    }

    impl Reader {
        fn new(buckets: usize) -> Self {
            Self {
                now: vec![0; buckets],
                before: vec![0; buckets],
                total: vec![7; buckets],
                marks: HeapBuckets::marks(buckets),
            }
        }

        fn tables(&mut self) -> Tables<'_, HeapMarks> {
            Tables {
                now: &mut self.now,
                before: &mut self.before,
                total: &mut self.total,
                marks: &mut self.marks,
            }
        }
    }

    /// One chunk a block, the last of them cut, and blocks of several chunks.
    #[test]
    fn an_update_finds_what_changed_and_can_be_taken_back() {
        for buckets in [119, 2000] {
            let slot = SlotHistogram::new(HeapBuckets::new(buckets));
            let bit = |i| slot.bit(i);
            let add = |i: usize, samples| {
                let mut counts = [0; CHUNK];
                counts[i % CHUNK] = samples;
                slot.chunks()[i / CHUNK].add(counts);
                slot.mark(bit(i));
            };
            let last = buckets - 1;
            let mut reader = Reader::new(buckets);
            assert_eq!(slot.update(&mut reader.tables()), 0, "nothing was touched");

            add(3, 5);
            add(last, 1);
            assert_eq!(slot.update(&mut reader.tables()), bit(3) | bit(last));
            assert_eq!((reader.now[3], reader.now[last], reader.total[3]), (5, 1, 12));
            assert_eq!(slot.update(&mut reader.tables()), 0, "nothing has changed since");

            add(last, 2);
            for _ in 0..2 {
                let changed = slot.update(&mut reader.tables());
                assert_eq!(changed, bit(last), "the other block is as it was");
                assert_eq!((reader.now[last], reader.total[last]), (3, 10));
                slot.undo(changed, &mut reader.tables());
                assert_eq!((reader.now[last], reader.total[last]), (1, 8));
            }
            slot.update(&mut reader.tables());

            // Each block is looked at once more after a carry, and then told apart as before.
            slot.chunks()[0].start_at(u64::from(TOP) + 9);
            slot.submits_left().set(1);
            slot.submitted();
            slot.update(&mut reader.tables());
            assert_eq!(reader.now[0], u64::from(TOP) + 9);
            assert_eq!(slot.update(&mut reader.tables()), 0);
            add(last, 4);
            let changed = slot.update(&mut reader.tables());
            assert_eq!(changed, bit(last));
            slot.undo(changed, &mut reader.tables());
            assert_eq!(reader.now[last], 3);
            assert_eq!(slot.update(&mut reader.tables()), bit(last));
            let moved = |(i, total): (usize, &u64)| *total == 7 + slot.bucket(i);
            assert!(reader.total.iter().enumerate().all(moved), "{buckets}");
        }
    }
}
