//! A worker's own side: plain memory, no atomics, published by a submit.

use super::hooks::{HooksState, RecordValue};
use super::slot::{BucketCells, SlotHistogram, group_shift};
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

/// Eight one-byte counts to a word.
const LANES: usize = 8;
/// A lane at half its range asks for a submit, which leaves as many records again before it could be full.
const HALF: u64 = 0x80;

/// What was recorded since the last submit.
///
/// A bucket's count since then is one byte: a lane that gets half full asks for a submit at the end of the poll. That
/// makes the batch an eighth of the slot's size. Sum, minimum and maximum are totals, so a submit stores them as
/// they are; the count is the sum of the buckets.
#[derive(Debug)]
pub(crate) struct BatchHistogram {
    lanes: Box<[Cell<u64>]>,
    /// One bit for each group of buckets touched since the last submit.
    groups: Cell<u64>,
    shift: u32,
    sum: Cell<u64>,
    min: Cell<u64>,
    max: Cell<u64>,
}

impl BatchHistogram {
    /// An empty batch that goes on from the totals of `slot`.
    pub(crate) fn new<B: BucketCells>(config: &HistogramConfig, slot: &SlotHistogram<B>) -> Self {
        let (sum, min, max) = slot.extremes();
        Self {
            lanes: (0..config.num_buckets().div_ceil(LANES))
                .map(|_| Cell::new(0))
                .collect(),
            groups: Cell::new(0),
            // A group is at least one word, so that a word belongs to one group.
            shift: group_shift(config.num_buckets()).max(LANES.trailing_zeros()),
            sum: Cell::new(sum),
            min: Cell::new(min),
            max: Cell::new(max),
        }
    }

    /// Adds what was recorded since the last time to `slot`. Costs what was touched, not what was configured.
    #[inline]
    pub(crate) fn publish<B: BucketCells>(&self, config: &HistogramConfig, slot: &SlotHistogram<B>) {
        let mut groups = self.groups.take();
        if groups == 0 {
            return;
        }
        let slot_shift = group_shift(config.num_buckets());
        let words_shift = self.shift - LANES.trailing_zeros();
        let mut touched = 0;
        while groups != 0 {
            let first = (groups.trailing_zeros() as usize) << words_shift;
            groups &= groups - 1;
            let last = (first + (1 << words_shift)).min(self.lanes.len());
            for (i, word) in (first..last).zip(self.lanes.get(first..last).into_iter().flatten()) {
                let mut lanes = word.take();
                while lanes != 0 {
                    let lane = lanes.trailing_zeros() / 8;
                    let count = (lanes >> (8 * lane)) & 0xff;
                    lanes &= !(0xff << (8 * lane));
                    let bucket = i * LANES + lane as usize;
                    slot.add(bucket, count);
                    touched |= 1 << ((bucket >> slot_shift) & 63);
                }
            }
        }
        slot.settle(touched, self.sum.get(), self.min.get(), self.max.get());
    }
}

impl RecordValue for BatchHistogram {
    const MEAN: bool = true;

    #[inline(always)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index(value);
        let Some(word) = self.lanes.get(i / LANES) else {
            return false;
        };
        let by = 8 * (i % LANES) as u32;
        let lanes = word.get();
        let lane = (lanes >> by) & 0xff;
        if lane == 0xff {
            // Nobody submitted for 127 records past the request: the neighbours and the totals stay right.
            return true;
        }
        word.set(lanes + (1 << by));
        self.groups.set(self.groups.get() | 1 << ((i >> self.shift) & 63));
        self.sum.set(self.sum.get().saturating_add(value));
        if value < self.min.get() {
            self.min.set(value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
        lane + 1 >= HALF
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
