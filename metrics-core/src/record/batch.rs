//! A worker's own side: plain memory, no atomics, published by a submit.

use super::buckets::HeapBuckets;
use super::hooks::{HooksState, RecordValue};
use super::slot::{CHUNK, SlotHistogram};
use crate::cell::{Local, OwnedU64};
use crate::counters::Counters;
use crate::histogram::HistogramConfig;
use alloc::boxed::Box;
use core::cell::Cell;

/// All that a worker keeps to itself between two submits.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) counters: Counters<Local>,
    pub(crate) state: HooksState<Local>,
    pub(crate) poll_time: Option<BatchHistogram>,
    pub(crate) schedule_latency: Option<BatchHistogram>,
}

/// A lane at half its range asks for a submit, which leaves as many records again before it could be full.
const HALF: u8 = 0x80;
/// Touched lanes that are remembered one by one. A worker's polls between two submits fall into a dozen buckets; further ones
/// are found through the block that they are in.
const LISTED: usize = 24;

const _: () = assert!(HistogramConfig::MAX_BUCKETS - 1 <= u16::MAX as usize);

/// What was recorded since the last submit.
///
/// A bucket's count since then is one byte: a lane that gets half full asks for a submit at the end of the poll. That
/// makes the batch a sixth of the slot's size. Sum, minimum and maximum are totals, so a submit stores them as
/// they are; the count is the sum of the buckets.
#[derive(Debug)]
pub(crate) struct BatchHistogram {
    /// As many as fill whole chunks.
    lanes: Box<[Cell<u8>]>,
    /// Lanes touched since the last submit.
    touched: Cell<u32>,
    block_shift: u32,
    /// The first of them.
    list: [Cell<u16>; LISTED],
    /// A bit for each block with a touched lane that found the list full.
    blocks: Cell<u64>,
    sum: Cell<u64>,
    min: Cell<u64>,
    max: Cell<u64>,
}

impl BatchHistogram {
    /// An empty batch that goes on from the totals of `slot`.
    pub(crate) fn new(slot: &SlotHistogram<HeapBuckets>) -> Self {
        let (sum, min, max) = slot.extremes();
        Self {
            lanes: (0..slot.capacity()).map(|_| Cell::new(0)).collect(),
            touched: Cell::new(0),
            block_shift: slot.block_shift(),
            list: [const { Cell::new(0) }; LISTED],
            blocks: Cell::new(0),
            sum: Cell::new(sum),
            min: Cell::new(min),
            max: Cell::new(max),
        }
    }

    /// Adds what was recorded since the last time to `slot`. Costs what was touched, not what was configured.
    #[inline]
    pub(crate) fn publish(&self, slot: &SlotHistogram<HeapBuckets>) {
        let touched = self.touched.take() as usize;
        match self.list.get(..touched) {
            Some(list) => self.publish_list(list, slot),
            None => self.publish_more(slot),
        }
        slot.settle(self.sum.get(), self.min.get(), self.max.get());
    }

    #[inline(always)]
    fn publish_list(&self, list: &[Cell<u16>], slot: &SlotHistogram<HeapBuckets>) {
        for i in list {
            let i = usize::from(i.get());
            if let Some(lane) = self.lanes.get(i) {
                slot.add_lane(i, lane.take());
            }
        }
    }

    /// More lanes than are listed. Few blocks are all gone through, of many those with a touched lane.
    #[inline(never)]
    fn publish_more(&self, slot: &SlotHistogram<HeapBuckets>) {
        let mut blocks = self.blocks.take();
        if self.block_shift == CHUNK.trailing_zeros() {
            return self.publish_chunks(0, self.lanes.len(), slot);
        }
        self.publish_list(&self.list, slot);
        while blocks != 0 {
            let first = (blocks.trailing_zeros() as usize) << self.block_shift;
            blocks &= blocks - 1;
            self.publish_chunks(first, 1 << self.block_shift, slot);
        }
    }

    /// Within a chunk it does not ask which lanes are zero: polls of one kind fall into neighbouring buckets, and a branch
    /// for each would be guessed wrong.
    #[inline(always)]
    fn publish_chunks(&self, first: usize, lanes: usize, slot: &SlotHistogram<HeapBuckets>) {
        let (chunks, _) = self.lanes.get(first..).unwrap_or_default().as_chunks::<CHUNK>();
        for (chunk, lanes) in chunks.iter().enumerate().take(lanes / CHUNK) {
            if lanes.iter().fold(0, |any, lane| any | lane.get()) != 0 {
                slot.add_chunk(first + chunk * CHUNK, lanes);
            }
        }
    }

    /// The first record of a lane since the last submit.
    #[inline(always)]
    fn touch(&self, i: usize) {
        let touched = self.touched.get();
        if let Some(entry) = self.list.get(touched as usize) {
            entry.set(i as u16);
        } else {
            let block = 1_u64.wrapping_shl((i >> self.block_shift) as u32);
            self.blocks.set(self.blocks.get() | block);
        }
        self.touched.set(touched + 1);
    }

    /// A record of a lane that is half full: it asks for a submit, and nobody came for it yet if it asks again.
    #[cold]
    #[inline(never)]
    fn record_late(&self, lane: &Cell<u8>, value: u64) -> bool {
        // Nobody submitted for 127 records past the request if it is full: the neighbours and the totals stay right.
        if let Some(count) = lane.get().checked_add(1) {
            lane.set(count);
            self.add_to_totals(value);
        }
        true
    }

    #[inline(always)]
    fn add_to_totals(&self, value: u64) {
        match self.sum.get().checked_add(value) {
            Some(sum) => self.sum.set(sum),
            None => self.sum.set(u64::MAX),
        }
        if value < self.min.get() {
            self.min.set(value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
    }
}

impl RecordValue for BatchHistogram {
    const MEAN: bool = true;

    #[inline(always)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index(value);
        let Some(lane) = self.lanes.get(i) else {
            return false;
        };
        let count = lane.get();
        if count == 0 {
            self.touch(i);
        } else if count >= HALF - 1 {
            return self.record_late(lane, value);
        }
        lane.set(count + 1);
        self.add_to_totals(value);
        false
    }
}

impl Batch {
    /// A batch that goes on from the totals in a slot.
    pub(crate) fn resume(counters: &Counters<OwnedU64>) -> Self {
        let batch = Self {
            counters: Counters::default(),
            state: HooksState::default(),
            poll_time: None,
            schedule_latency: None,
        };
        batch.counters.copy(counters);
        batch
    }
}
