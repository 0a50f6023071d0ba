//! The values of one attempt, before they are known to belong to one submit.

use super::Weighted;
use crate::catalog::WorkerNumber;
use crate::counters::CounterValues;
use crate::histogram::HistogramConfig;
use crate::record::{CHUNK, HeapBuckets, SlotHistogram, block_shift, each_bit, each_block};
use crate::slot::Slot;
use crate::snapshot::HistogramReading;
use crate::storage::HeapStorage;
use alloc::boxed::Box;

/// The values of one slot, or of several slots that serve one worker.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) values: CounterValues,
    pub(super) mean: Weighted,
    pub(super) poll_time: Table,
    pub(super) schedule_latency: Table,
}

/// The counts of a histogram.
#[derive(Debug)]
pub(super) struct Table {
    counts: Box<[u64]>,
    /// One bit for each segment of buckets that was read.
    blocks: u64,
    block_shift: u32,
    sum: u64,
    min: u64,
    max: u64,
}

impl Scratch {
    pub(super) fn new(
        poll_time: Option<&HistogramConfig>,
        schedule_latency: Option<&HistogramConfig>,
    ) -> Self {
        Self {
            values: CounterValues::default(),
            mean: Weighted::default(),
            poll_time: Table::new(poll_time),
            schedule_latency: Table::new(schedule_latency),
        }
    }

    /// Copies the values of a slot.
    #[inline(always)]
    pub(super) fn read(&mut self, slot: &Slot<HeapBuckets>) {
        self.values = slot.counters.read();
        self.poll_time.read(slot.poll_time.as_ref());
        self.schedule_latency.read(slot.schedule_latency.as_ref());
    }

    /// Returns the number of polls that the hooks counted.
    pub(super) fn polls(&self) -> u64 {
        self.values.get(WorkerNumber::PollCount)
    }

    /// Computes the weighted mean, after the values are known to belong to one submit.
    pub(super) fn weigh(&mut self) {
        self.mean = Weighted::of(self.values.mean_poll_time, self.polls());
    }

    /// Adds the values of another slot.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, value) in self.values.values.iter_mut().zip(other.values.values) {
            *sum = sum.wrapping_add(value);
        }
        self.mean.add(other.mean);
        self.poll_time.add(&other.poll_time);
        self.schedule_latency.add(&other.schedule_latency);
    }
}

impl Table {
    fn new(config: Option<&HistogramConfig>) -> Self {
        let buckets = config.map_or(0, HistogramConfig::num_buckets);
        Self {
            counts: (0..buckets).map(|_| 0).collect(),
            blocks: 0,
            block_shift: block_shift(buckets),
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    #[inline(always)]
    fn read(&mut self, slot: Option<&SlotHistogram<HeapBuckets>>) {
        if let Some(slot) = slot {
            self.blocks = slot.read(&mut self.counts);
            (self.sum, self.min, self.max) = slot.extremes();
        }
    }

    fn add(&mut self, other: &Self) {
        for block in each_block(other.blocks, self.block_shift, self.counts.len()) {
            let is_new = self.blocks & 1 << (block.start >> self.block_shift) == 0;
            let counts = self.counts.get_mut(block.clone()).into_iter().flatten();
            for (sum, count) in counts.zip(other.counts.get(block).into_iter().flatten()) {
                *sum = if is_new { *count } else { sum.wrapping_add(*count) };
            }
        }
        self.blocks |= other.blocks;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Replaces the histogram of a worker, and changes the total by the difference.
    #[inline(always)]
    pub(super) fn apply(
        &self,
        polls: u64,
        worker: &mut Option<HistogramReading<HeapStorage>>,
        total: &mut Option<HistogramReading<HeapStorage>>,
    ) {
        let (Some(worker), Some(total)) = (worker, total) else {
            return;
        };
        self.apply_counts(worker.histogram.buckets_mut(), total.histogram.buckets_mut());
        let more = self.sum.saturating_sub(worker.histogram.sum());
        total.histogram.widen(more, self.min, self.max);
        worker.histogram.set_totals(self.sum, self.min, self.max);
        worker.polls = polls;
    }

    // Perf (row 8): whole chunks are moved without a loop, and only those in which a count changed.
    #[inline(always)]
    fn apply_counts(&self, old: &mut [u64], sums: &mut [u64]) {
        if self.block_shift != CHUNK.trailing_zeros() {
            for block in each_block(self.blocks, self.block_shift, self.counts.len()) {
                if let (Some(new), Some(old), Some(sums)) = (
                    self.counts.get(block.clone()),
                    old.get_mut(block.clone()),
                    sums.get_mut(block),
                ) {
                    replace(new, old, sums);
                }
            }
            return;
        }
        let (new, new_rest) = self.counts.as_chunks::<CHUNK>();
        let (old, old_rest) = old.as_chunks_mut::<CHUNK>();
        let (sums, sums_rest) = sums.as_chunks_mut::<CHUNK>();
        for chunk in each_bit(self.blocks) {
            match (new.get(chunk), old.get_mut(chunk), sums.get_mut(chunk)) {
                (Some(new), Some(old), Some(sums)) => {
                    if differ(new, old) {
                        replace(new, old, sums);
                    }
                }
                // The layout ends within its last chunk.
                _ => replace(new_rest, old_rest, sums_rest),
            }
        }
    }
}

#[inline(always)]
fn differ(new: &[u64; CHUNK], old: &[u64; CHUNK]) -> bool {
    new.iter().zip(old).fold(0, |bits, (new, old)| bits | (new ^ old)) != 0
}

/// Replaces counts, and changes the sums by the differences.
#[inline(always)]
fn replace(new: &[u64], old: &mut [u64], sums: &mut [u64]) {
    for ((new, old), sum) in new.iter().zip(old).zip(sums) {
        *sum = sum.wrapping_add(new.wrapping_sub(*old));
        *old = *new;
    }
}
