//! The values of one attempt, before they are known to belong to one submit.

use super::Weighted;
use super::states::StateTimes;
use crate::catalog::WorkerNumber;
use crate::counters::CounterValues;
use crate::histogram::HistogramConfig;
use crate::record::{CHUNK, HeapBuckets, Segments, SlotHistogram};
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
    /// In chunks as in a slot: the last one may end with zeros.
    counts: Box<[[u64; CHUNK]]>,
    segments: Segments,
    /// One bit for each segment that was read.
    touched: u64,
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

    /// Returns the settled time in each state.
    pub(super) fn state_times(&self) -> StateTimes {
        StateTimes {
            polling: self.poll_time.sum,
            ..StateTimes::settled(&self.values)
        }
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
        self.values.clock_steps = self.values.clock_steps.wrapping_add(other.values.clock_steps);
        self.mean.add(other.mean);
        self.poll_time.add(&other.poll_time);
        self.schedule_latency.add(&other.schedule_latency);
    }
}

impl Table {
    fn new(config: Option<&HistogramConfig>) -> Self {
        let chunks = config.map_or(0, |config| config.num_buckets().div_ceil(CHUNK));
        Self {
            counts: (0..chunks).map(|_| [0; CHUNK]).collect(),
            segments: Segments::of(chunks),
            touched: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    #[inline(always)]
    fn read(&mut self, slot: Option<&SlotHistogram<HeapBuckets>>) {
        if let Some(slot) = slot {
            self.touched = slot.buckets.read(&mut self.counts);
            (self.sum, self.min, self.max) = slot.totals();
        }
    }

    fn add(&mut self, other: &Self) {
        self.segments.each_chunk(other.touched, |chunk| {
            let is_new = self.touched & self.segments.bit(chunk) == 0;
            let sums = self.counts.get_mut(chunk).into_iter().flatten();
            for (sum, count) in sums.zip(other.counts.get(chunk).into_iter().flatten()) {
                *sum = if is_new { *count } else { sum.wrapping_add(*count) };
            }
        });
        self.touched |= other.touched;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Replaces the histogram of a worker, and changes the total by the difference. Returns the number of new samples.
    #[inline(always)]
    pub(super) fn apply(
        &self,
        polls: u64,
        worker: &mut Option<HistogramReading<HeapStorage>>,
        total: &mut Option<HistogramReading<HeapStorage>>,
    ) -> u64 {
        let (Some(worker), Some(total)) = (worker, total) else {
            return 0;
        };
        let mut samples = 0_u64;
        let (old, sums) = (worker.histogram.buckets_mut(), total.histogram.buckets_mut());
        // Perf (row 8): whole chunks are replaced without a loop.
        let (old, old_rest) = old.as_chunks_mut::<CHUNK>();
        let (sums, sums_rest) = sums.as_chunks_mut::<CHUNK>();
        self.segments.each_chunk(self.touched, |chunk| {
            let more = match (self.counts.get(chunk), old.get_mut(chunk), sums.get_mut(chunk)) {
                (Some(new), Some(old), Some(sums)) => replace(new, old, sums),
                // The layout ends within its last chunk.
                (Some(new), _, _) => replace(new, old_rest, sums_rest),
                (None, _, _) => 0,
            };
            samples = samples.wrapping_add(more);
        });
        let more = self.sum.saturating_sub(worker.histogram.sum());
        total.histogram.widen(more, self.min, self.max);
        worker.histogram.set_totals(self.sum, self.min, self.max);
        worker.polls = polls;
        samples
    }
}

/// Replaces counts, and changes the sums by the differences. Returns the sum of the differences.
#[inline(always)]
fn replace(new: &[u64], old: &mut [u64], sums: &mut [u64]) -> u64 {
    let mut all = 0_u64;
    for ((new, old), sum) in new.iter().zip(old).zip(sums) {
        let more = new.wrapping_sub(*old);
        all = all.wrapping_add(more);
        *sum = sum.wrapping_add(more);
        *old = *new;
    }
    all
}
