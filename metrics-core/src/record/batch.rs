//! A worker's own side: plain memory, no atomics, published by a submit.

use super::hooks::{HooksState, RecordValue};
use super::slot::{BucketCells, CHUNK, SlotHistogram};
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
/// Buckets up to which a word has a bit for each chunk.
const NARROW: usize = CHUNK * u64::BITS as usize;

/// What was recorded since the last submit.
///
/// A bucket's count since then is one byte: a lane that gets half full asks for a submit at the end of the poll. That
/// makes the batch an eighth of the slot's size. Sum, minimum and maximum are totals, so a submit stores them as
/// they are; the count is the sum of the buckets.
#[derive(Debug)]
pub(crate) struct BatchHistogram {
    /// As many as fill whole chunks; none if the layout is wide.
    lanes: Box<[Cell<u8>]>,
    /// One bit for each chunk of lanes touched since the last submit.
    touched: Cell<u64>,
    wide: Option<Box<Wide>>,
    sum: Cell<u64>,
    min: Cell<u64>,
    max: Cell<u64>,
}

/// The lanes of a layout with more chunks than a word has bits, and as many words as it takes.
#[derive(Debug)]
struct Wide {
    lanes: Box<[Cell<u8>]>,
    touched: Box<[Cell<u64>]>,
}

impl BatchHistogram {
    /// An empty batch that goes on from the totals of `slot`.
    pub(crate) fn new<B: BucketCells>(slot: &SlotHistogram<B>) -> Self {
        let (sum, min, max) = slot.extremes();
        let chunks = slot.capacity().div_ceil(CHUNK);
        let lanes = |chunks: usize| (0..chunks * CHUNK).map(|_| Cell::new(0)).collect();
        let wide = slot.capacity() > NARROW;
        Self {
            lanes: lanes(if wide { 0 } else { chunks }),
            touched: Cell::new(0),
            wide: wide.then(|| {
                let words = chunks.div_ceil(u64::BITS as usize);
                Box::new(Wide {
                    lanes: lanes(chunks),
                    touched: (0..words).map(|_| Cell::new(0)).collect(),
                })
            }),
            sum: Cell::new(sum),
            min: Cell::new(min),
            max: Cell::new(max),
        }
    }

    /// Adds what was recorded since the last time to `slot`. Costs what was touched, not what was configured.
    #[inline]
    pub(crate) fn publish<B: BucketCells>(&self, slot: &SlotHistogram<B>) {
        if let Some(wide) = &self.wide {
            for (word, touched) in wide.touched.iter().enumerate() {
                let touched = touched.take();
                publish_chunks(&wide.lanes, word * NARROW, touched, slot);
                slot.mark_chunks(word * NARROW, touched);
            }
        } else {
            let touched = self.touched.take();
            publish_chunks(&self.lanes, 0, touched, slot);
            // As few chunks as these are the slot's blocks.
            slot.mark_blocks(touched);
        }
        slot.settle(self.sum.get(), self.min.get(), self.max.get());
    }

    /// Where a value goes that has no lane in `lanes`. Out of line, so that the common case stays small.
    #[inline(never)]
    fn record_wide(&self, i: usize, value: u64) -> bool {
        let Some((lane, touched)) = self
            .wide
            .as_ref()
            .and_then(|wide| wide.lanes.get(i).zip(wide.touched.get(i / NARROW)))
        else {
            return false;
        };
        self.add(lane, touched, i, value)
    }

    #[inline(always)]
    fn add(&self, lane: &Cell<u8>, touched: &Cell<u64>, i: usize, value: u64) -> bool {
        let count = lane.get().wrapping_add(1);
        if count == 0 {
            // Nobody submitted for 127 records past the request: the neighbours and the totals stay right.
            return true;
        }
        lane.set(count);
        // Mostly set already: a store each time would make every record wait for the one before.
        let chunk = 1_u64.wrapping_shl((i / CHUNK) as u32);
        if touched.get() & chunk == 0 {
            touched.set(touched.get() | chunk);
        }
        self.sum.set(self.sum.get().saturating_add(value));
        if value < self.min.get() {
            self.min.set(value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
        count >= HALF
    }
}

/// Adds the touched chunks to `slot`, each of them whole, without asking which of its eight counts are zero: polls of one
/// kind fall into neighbouring buckets, and a branch for each would be guessed wrong.
#[inline(always)]
fn publish_chunks<B: BucketCells>(
    lanes: &[Cell<u8>],
    first: usize,
    mut touched: u64,
    slot: &SlotHistogram<B>,
) {
    while touched != 0 {
        let chunk = first + touched.trailing_zeros() as usize * CHUNK;
        touched &= touched - 1;
        if let Some([a, b, c, d, e, f, g, h]) = lanes.get(chunk..chunk + CHUNK) {
            let lanes = [a, b, c, d, e, f, g, h];
            let counts = lanes.map(Cell::get);
            for lane in lanes {
                lane.set(0);
            }
            slot.add_chunk(chunk, counts);
        }
    }
}

impl RecordValue for BatchHistogram {
    const MEAN: bool = true;

    #[inline(always)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index(value);
        match self.lanes.get(i) {
            Some(lane) => self.add(lane, &self.touched, i, value),
            None => self.record_wide(i, value),
        }
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
