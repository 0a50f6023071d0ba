//! A worker's own data: plain memory without atomics, which a submit writes to the slot.

use super::buckets::HeapBuckets;
use super::hooks::{HooksState, RecordValue};
use super::segments::{CHUNK, each_bit};
use super::slot_histogram::SlotHistogram;
use crate::cell::{Local, OwnedU64, U64Cell};
use crate::counters::Counters;
use crate::histogram::HistogramConfig;
use crate::sync::Cell;
use alloc::boxed::Box;
use core::slice::from_ref;

/// The data that a worker keeps between two submits.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) counters: Counters<Local>,
    pub(crate) state: HooksState<Local>,
    pub(crate) poll_time: Option<BatchHistogram>,
    pub(crate) schedule_latency: Option<BatchHistogram>,
}

/// A pending count at half its range requests a submit. As many records again fit before it is full.
const HALF: u8 = 0x80;
/// The number of pending counts whose chunks have their bits in one word. A layout with more is wide.
const COUNTS_PER_WORD: usize = CHUNK * u64::BITS as usize;

/// The records since the last submit.
///
/// A pending count, the count of a bucket since then, is one byte: when it is half full, it requests a submit at the end
/// of the poll. The batch is therefore a sixth of the slot's size. Sum, minimum and maximum are totals, so a submit
/// stores them unchanged; the count is the sum of the buckets.
#[derive(Debug)]
pub(crate) struct BatchHistogram {
    /// One for each bucket, or empty if the layout is wide. An index past the end therefore selects the slow path.
    pending: Box<[Cell<u8>]>,
    /// One bit for each chunk touched since the last submit.
    touched: Cell<u64>,
    sum: Cell<u64>,
    min: Cell<u64>,
    max: Cell<u64>,
    wide: Option<Box<Wide>>,
}

/// The pending counts of a layout whose chunks have their bits in several words.
#[derive(Debug)]
struct Wide {
    pending: Box<[Cell<u8>]>,
    touched: Box<[Cell<u64>]>,
}

impl BatchHistogram {
    /// Creates an empty batch of this many buckets that continues from the totals of `slot`.
    pub(crate) fn new(buckets: usize, slot: &SlotHistogram<HeapBuckets>) -> Self {
        let (sum, min, max) = slot.totals();
        let pending = (0..buckets).map(|_| Cell::new(0)).collect();
        let (pending, wide) = if buckets <= COUNTS_PER_WORD {
            (pending, None)
        } else {
            let words = buckets.div_ceil(COUNTS_PER_WORD);
            let touched = (0..words).map(|_| Cell::new(0)).collect();
            (Box::default(), Some(Box::new(Wide { pending, touched })))
        };
        Self {
            pending,
            touched: Cell::new(0),
            sum: Cell::new(sum),
            min: Cell::new(min),
            max: Cell::new(max),
            wide,
        }
    }

    /// Adds the records since the last submit to `slot`. The cost depends on the chunks touched, not on the configured
    /// buckets.
    #[inline(always)]
    pub(crate) fn submit(&self, slot: &SlotHistogram<HeapBuckets>) {
        slot.set_totals(self.sum.get(), self.min.get(), self.max.get());
        match &self.wide {
            None => {
                // A segment of a layout that is not wide is one chunk.
                slot.buckets.mark(self.touched.get());
                submit_touched(&self.pending, from_ref(&self.touched), &slot.buckets, |_| {});
            }
            Some(wide) => wide.submit(&slot.buckets),
        }
    }

    #[inline(always)]
    fn record_in(&self, pending_count: &Cell<u8>, value: u64) -> bool {
        let count = pending_count.get().wrapping_add(1);
        pending_count.set(count);
        if count >= HALF {
            return self.record_late(pending_count, value);
        }
        self.add_to_totals(value);
        false
    }

    /// Records a value whose pending count the fast index does not find: in a wide or a linear layout, or in the last
    /// bucket.
    // Cold, so that the fast path of the caller keeps its registers.
    #[cold]
    #[inline(never)]
    fn record_outlined(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index(value);
        let (pending_count, touched) = match &self.wide {
            None => (self.pending.get(i), Some(&self.touched)),
            Some(wide) => (wide.pending.get(i), wide.touched.get(i / COUNTS_PER_WORD)),
        };
        let (Some(pending_count), Some(touched)) = (pending_count, touched) else {
            return false;
        };
        touch(touched, i);
        self.record_in(pending_count, value)
    }

    /// Records one more in a pending count that is half full, which requests a submit. A second request means that the first
    /// was not served.
    #[cold]
    #[inline(never)]
    fn record_late(&self, pending_count: &Cell<u8>, value: u64) -> bool {
        // A full pending count means that no submit followed for 126 records after the request. It stays one below the
        // maximum and never wraps, so the other buckets and the totals stay correct.
        if pending_count.get() == u8::MAX {
            pending_count.set(u8::MAX - 1);
        } else {
            self.add_to_totals(value);
        }
        true
    }

    #[inline(always)]
    fn add_to_totals(&self, value: u64) {
        let (sum, overflow) = self.sum.get().overflowing_add(value);
        self.sum.set(sum);
        if overflow {
            self.saturate();
        }
        if value < self.min.get() {
            self.min.set(value);
        }
        if value > self.max.get() {
            self.max.set(value);
        }
    }

    #[cold]
    #[inline(never)]
    fn saturate(&self) {
        self.sum.set(u64::MAX);
    }
}

impl Wide {
    #[inline(never)]
    fn submit(&self, buckets: &HeapBuckets) {
        let mut segments = 0;
        submit_touched(&self.pending, &self.touched, buckets, |chunk| {
            segments |= buckets.segment(chunk);
        });
        buckets.mark(segments);
    }
}

/// Submits the touched chunks, calls `each` with the number of each, and clears their bits.
#[inline(always)]
fn submit_touched(
    pending: &[Cell<u8>],
    touched: &[Cell<u64>],
    buckets: &HeapBuckets,
    mut each: impl FnMut(usize),
) {
    let (chunks, rest) = pending.as_chunks::<CHUNK>();
    for (word, touched) in touched.iter().enumerate() {
        for bit in each_bit(touched.take()) {
            let chunk = word * u64::BITS as usize + bit;
            each(chunk);
            match (chunks.get(chunk), buckets.chunks().get(chunk)) {
                (Some(pending), Some(cells)) => submit_chunk(pending, cells),
                // The layout ends within its last chunk.
                (None, Some(cells)) => submit_rest(rest, cells),
                _ => {}
            }
        }
    }
}

/// Does not check which pending counts are zero: similar polls fall into neighbouring buckets, and a branch for each would
/// be mispredicted.
#[inline(always)]
fn submit_chunk(pending: &[Cell<u8>], cells: &[OwnedU64]) {
    for (pending_count, cell) in pending.iter().zip(cells) {
        cell.add(pending_count.get().into());
    }
    for pending_count in pending {
        pending_count.set(0);
    }
}

#[cold]
#[inline(never)]
fn submit_rest(pending: &[Cell<u8>], cells: &[OwnedU64; CHUNK]) {
    submit_chunk(pending, cells);
}

/// Marks a pending count's chunk as touched. Every record does, because a check whether it is marked costs as much.
#[inline(always)]
fn touch(touched: &Cell<u64>, i: usize) {
    touched.set(touched.get() | 1_u64.wrapping_shl((i / CHUNK) as u32));
}

impl RecordValue for BatchHistogram {
    const MEAN: bool = true;

    #[inline(always)]
    fn record(&self, config: &HistogramConfig, value: u64) -> bool {
        let i = config.index_fast(value);
        match self.pending.get(i) {
            Some(pending_count) => {
                touch(&self.touched, i);
                self.record_in(pending_count, value)
            }
            None => self.record_outlined(config, value),
        }
    }
}

impl Batch {
    /// Creates a batch that continues from the totals in a slot.
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

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::super::slot_histogram::BucketCells;
    use super::*;
    use alloc::vec::Vec;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn histogram(layout: &HistogramConfig) -> (BatchHistogram, SlotHistogram<HeapBuckets>) {
        let slot = SlotHistogram::new(HeapBuckets::new(layout.num_buckets()));
        (BatchHistogram::new(layout.num_buckets(), &slot), slot)
    }

    fn counts(layout: &HistogramConfig, slot: &SlotHistogram<HeapBuckets>) -> Vec<u64> {
        (0..layout.num_buckets()).map(|i| slot.buckets.count(i)).collect()
    }

    /// One bucket less than a chunk, a whole number of chunks, the largest layout that is not wide and the smallest that is, linear layouts
    /// that are narrow and wide, and the largest of all.
    fn layouts() -> impl Iterator<Item = HistogramConfig> {
        let layouts = [
            HistogramConfig::DEFAULT,
            HistogramConfig::power_of_two(1, 16).unwrap(),
            HistogramConfig::h2(0, 64_512, 6).unwrap(),
            HistogramConfig::linear(10, 512).unwrap(),
            HistogramConfig::linear(10, 513).unwrap(),
            HistogramConfig::h2(1, 60_000_000_000, 8).unwrap(),
            HistogramConfig::h2(0, u64::MAX, HistogramConfig::MAX_PRECISION).unwrap(),
        ];
        // Miri takes minutes for the buckets of the last two.
        let largest = if cfg!(miri) { 2 } else { 0 };
        let count = layouts.len() - largest;
        layouts.into_iter().take(count)
    }

    #[test]
    fn every_bucket_is_submitted_once() {
        for layout in layouts() {
            let (batch, slot) = histogram(&layout);
            let starts = (0..layout.num_buckets()).map(|i| layout.bucket_range(i).unwrap().start);
            for value in starts.chain([u64::MAX]) {
                assert!(!batch.record(&layout, value));
            }
            batch.submit(&slot);
            batch.submit(&slot);
            let mut expected = alloc::vec![1; layout.num_buckets()];
            *expected.last_mut().unwrap() += 1;
            assert_eq!(counts(&layout, &slot), expected, "{layout:?}");
            // The marks of touched chunks are cleared, and set again.
            batch.record(&layout, u64::MAX);
            batch.record(&layout, 0);
            batch.submit(&slot);
            *expected.last_mut().unwrap() += 1;
            expected[0] += 1;
            assert_eq!(counts(&layout, &slot), expected, "{layout:?}");
            let (sum, min, max) = slot.totals();
            assert_eq!((sum, min, max), (u64::MAX, 0, u64::MAX));
        }
    }

    #[test]
    fn a_submit_costs_readers_the_segments_that_it_touched() {
        for layout in layouts() {
            let (batch, slot) = histogram(&layout);
            batch.record(&layout, 0);
            batch.record(&layout, u64::MAX);
            batch.submit(&slot);
            let chunks = slot.buckets.chunks().len();
            let mut counts = alloc::vec![[7; CHUNK]; chunks];
            let read = slot.buckets.read(&mut counts);
            assert_eq!(read, slot.buckets.segment(0) | slot.buckets.segment(chunks - 1));
            for (i, &count) in counts.as_flattened().iter().enumerate() {
                let expected = if slot.buckets.segment(i / CHUNK) & read == 0 {
                    7
                } else {
                    slot.buckets.count(i)
                };
                assert_eq!(count, expected, "bucket {i} of {layout:?}");
            }
        }
    }

    #[test]
    fn a_pending_count_requests_a_submit_at_half_and_never_wraps() {
        for layout in layouts() {
            let (batch, slot) = histogram(&layout);
            for n in 1..=300 {
                assert_eq!(batch.record(&layout, 1), n >= 128, "{n}");
            }
            batch.submit(&slot);
            let i = layout.index(1);
            assert_eq!(slot.buckets.count(i), 254);
            assert_eq!(
                slot.totals(),
                (254, 1, 1),
                "the totals belong to the same samples"
            );
            assert!(!batch.record(&layout, 1));
        }
    }

    #[test]
    fn a_bucket_counts_beyond_32_bits() {
        for layout in layouts() {
            let (batch, slot) = histogram(&layout);
            let near = u64::from(u32::MAX);
            slot.buckets.chunks()[0][0].set(near);
            batch.record(&layout, 0);
            batch.submit(&slot);
            assert_eq!(slot.buckets.count(0), near + 1);
            assert_eq!(slot.buckets.count(1), 0, "the neighbour is unchanged");
        }
    }
}
