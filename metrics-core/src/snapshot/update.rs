//! One row brought up to date in place, and the sums over all rows with it.

use super::measurements::{HistogramReading, Measurements};
use super::row::Row;
use crate::catalog::{MetricSet, WorkerNumber};
use crate::counters::CounterValues;
use crate::record::{SlotHistogram, Tables};
use crate::slot::Slot;
use crate::storage::Storage;

/// The sums over all rows. Each row moves them by as much as it moved itself: a snapshot costs what has changed.
pub(super) struct Sums<S: Storage> {
    pub(super) total: Measurements<S>,
    /// What the row that is being read had before.
    pub(super) before: Measurements<S>,
    means: Means,
}

impl<S: Storage> Sums<S> {
    /// Sums that start at `total`, and room for what a row had.
    pub(super) fn new(total: Measurements<S>, before: Measurements<S>) -> Self {
        Self {
            total,
            before,
            means: Means::default(),
        }
    }

    /// None, of nothing that is measured.
    pub(super) fn none() -> Self {
        let nothing = || Measurements::new(MetricSet::NONE);
        Self::new(nothing(), nothing())
    }

    /// What of the total follows from the rest.
    pub(super) fn settle(&mut self) {
        let total = &mut self.total;
        total.values.mean_poll_time = self.means.mean();
        let polls = total.values.get(WorkerNumber::PollCount);
        let histograms = [&mut total.poll_time, &mut total.schedule_latency];
        for reading in histograms.into_iter().flatten() {
            reading.polls = polls;
        }
    }
}

impl<S: Storage> Clone for Sums<S> {
    fn clone(&self) -> Self {
        Self {
            total: self.total.clone(),
            before: self.before.clone(),
            means: self.means,
        }
    }
}

/// The mean poll times of all rows, each as often as it has polls.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    weighted: u128,
    weight: u128,
}

impl Means {
    /// A row had `old` and has `new`. Means stay below 2^51, so that nothing wraps before the rows are 2^13 of 2^64 polls.
    #[inline(always)]
    fn replace(&mut self, old: &CounterValues, new: &CounterValues) {
        let of = |values: &CounterValues| {
            let weight = match values.mean_poll_time {
                0 => 0,
                _ => u128::from(values.get(WorkerNumber::PollCount).max(1)),
            };
            (u128::from(values.mean_poll_time) * weight, weight)
        };
        let ((old, old_weight), (new, new_weight)) = (of(old), of(new));
        self.weighted = self.weighted.wrapping_add(new.wrapping_sub(old));
        self.weight = self.weight.wrapping_add(new_weight.wrapping_sub(old_weight));
    }

    fn mean(&self) -> u64 {
        let mean = self.weighted.checked_div(self.weight);
        mean.map_or(0, |mean| u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

/// A row, while it is brought up to date with its slot: what was overwritten stays beside, until it is known that all of it
/// was of one submit.
pub(super) struct Reading<'a, S: Storage> {
    row: &'a mut Row<S>,
    sums: &'a mut Sums<S>,
    slot: &'a Slot<S::Buckets>,
}

impl<'a, S: Storage> Reading<'a, S> {
    #[inline(always)]
    pub(super) fn new(row: &'a mut Row<S>, sums: &'a mut Sums<S>, slot: &'a Slot<S::Buckets>) -> Self {
        Self { row, sums, slot }
    }

    /// One try. It leaves all as it was, and is `None`, if the slot was written meanwhile.
    #[inline(always)]
    pub(super) fn try_read(mut self) -> Option<u32> {
        let seq = self.slot.seq.begin()?;
        let found = self.overwrite();
        if self.slot.seq.unchanged(seq) {
            self.keep(&found);
            Some(seq)
        } else {
            self.undo(&found);
            None
        }
    }

    #[inline(always)]
    fn overwrite(&mut self) -> Found {
        let (row, sums) = (&mut *self.row, &mut *self.sums);
        sums.before.values = row.data.values;
        let counters = &self.slot.counters;
        counters.advance(&mut row.data.values, &mut sums.total.values);
        Found {
            poll_time: self.poll_time().map(Update::read),
            schedule_latency: self.schedule_latency().map(Update::read),
        }
    }

    #[inline(always)]
    fn keep(&mut self, found: &Found) {
        let now = &self.row.data.values;
        self.sums.means.replace(&self.sums.before.values, now);
        let polls = now.get(WorkerNumber::PollCount);
        if let (Some(update), Some(read)) = (self.poll_time(), &found.poll_time) {
            update.keep(read, polls);
        }
        if let (Some(update), Some(read)) = (self.schedule_latency(), &found.schedule_latency) {
            update.keep(read, polls);
        }
    }

    #[cold]
    #[inline(never)]
    fn undo(&mut self, found: &Found) {
        if let (Some(update), Some(read)) = (self.poll_time(), &found.poll_time) {
            update.undo(read);
        }
        if let (Some(update), Some(read)) = (self.schedule_latency(), &found.schedule_latency) {
            update.undo(read);
        }
        let (before, now) = (&self.sums.before.values, &mut self.row.data.values);
        let totals = self.sums.total.values.values.iter_mut();
        for ((total, before), now) in totals.zip(before.values).zip(now.values) {
            *total = total.wrapping_sub(now.wrapping_sub(before));
        }
        *now = *before;
    }

    #[inline(always)]
    fn poll_time(&mut self) -> Option<Update<'_, S>> {
        Some(Update {
            row: self.row.data.poll_time.as_mut()?,
            before: self.sums.before.poll_time.as_mut()?,
            total: self.sums.total.poll_time.as_mut()?,
            slot: self.slot.poll_time.as_ref()?,
        })
    }

    #[inline(always)]
    fn schedule_latency(&mut self) -> Option<Update<'_, S>> {
        Some(Update {
            row: self.row.data.schedule_latency.as_mut()?,
            before: self.sums.before.schedule_latency.as_mut()?,
            total: self.sums.total.schedule_latency.as_mut()?,
            slot: self.slot.schedule_latency.as_ref()?,
        })
    }
}

/// One histogram of a row.
///
/// Only blocks of buckets that changed are written, and only those move the total: a worker that submits a thousand times a
/// second mostly moves a bucket or two between two snapshots.
struct Update<'a, S: Storage> {
    row: &'a mut HistogramReading<S>,
    before: &'a mut HistogramReading<S>,
    total: &'a mut HistogramReading<S>,
    slot: &'a SlotHistogram<S::Buckets>,
}

/// What one try found.
struct Found {
    poll_time: Option<Read>,
    schedule_latency: Option<Read>,
}

/// The same of one histogram.
struct Read {
    /// A bit for each block that was overwritten.
    changed: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl<S: Storage> Update<'_, S> {
    #[inline(always)]
    fn tables(&mut self) -> Tables<'_> {
        Tables {
            now: self.row.histogram.buckets_mut(),
            before: self.before.histogram.buckets_mut(),
            total: self.total.histogram.buckets_mut(),
        }
    }

    #[inline(always)]
    fn read(mut self) -> Read {
        let changed = self.slot.update(&mut self.tables());
        let (sum, min, max) = self.slot.extremes();
        Read {
            changed,
            sum,
            min,
            max,
        }
    }

    fn undo(mut self, read: &Read) {
        self.slot.undo(read.changed, &mut self.tables());
    }

    /// Takes the totals over, now that they are known to be of one submit, after so many polls.
    #[inline(always)]
    fn keep(self, read: &Read, polls: u64) {
        // A slot's sum only grows, and its extremes only move apart.
        let more = read.sum.saturating_sub(self.row.histogram.sum());
        self.total.histogram.widen(more, read.min, read.max);
        self.row.histogram.set_totals(read.sum, read.min, read.max);
        self.row.polls = polls;
    }
}

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod tests {
    use super::*;
    use crate::storage::sealed::Sealed;
    use crate::sync::{AtomicU32, Ordering};
    use crate::time::{TimeSource, Timestamp};
    use crate::{Builder, Heap, HistogramConfig, PollStart, RuntimeMetrics, Site, Snapshot, Worker};
    use core::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Each reading is twice as late as the one before.
    struct Doubling(AtomicU32);

    impl TimeSource for Doubling {
        fn now(&self) -> Timestamp {
            // Ordering: relaxed, one thread.
            let now = self.0.load(Ordering::Relaxed);
            self.0.store(now.saturating_mul(2), Ordering::Relaxed);
            Timestamp::from_ticks(now.into())
        }

        fn ticks_per_second(&self) -> u64 {
            1_000_000_000
        }

        fn resolution(&self) -> Duration {
            Duration::from_nanos(1)
        }
    }

    /// All that a try overwrites and a reader is told.
    fn state(snapshot: &Snapshot<Heap>) -> impl PartialEq + core::fmt::Debug + use<> {
        let of = |m: &Measurements<Heap>| {
            let histogram =
                |reading: &Option<HistogramReading<Heap>>| reading.as_ref().unwrap().histogram.clone();
            (m.values, histogram(&m.poll_time), histogram(&m.schedule_latency))
        };
        let row = &snapshot.rows[0];
        (of(&row.data), of(&snapshot.sums.total))
    }

    #[test]
    fn a_try_that_is_taken_back_leaves_nothing() {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .build(Doubling(AtomicU32::new(1 << 10)))
            .unwrap();
        let metrics = RuntimeMetrics::new(registry.clone());
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        let poll = || {
            worker.start_poll(PollStart {
                scheduled_at: Some(worker.registry().clock().now()),
                site: Site::UNKNOWN,
            });
            worker.end_poll();
            worker.submit();
        };
        poll();
        let mut snapshot = metrics.snapshot();
        poll();

        let before = state(&snapshot);
        let slot = registry.storage.slots().next().unwrap();
        let mut reading = Reading::new(&mut snapshot.rows[0], &mut snapshot.sums, slot);
        let found = reading.overwrite();
        assert_eq!(reading.sums.total.values.get(WorkerNumber::PollCount), 2);
        reading.undo(&found);
        assert_eq!(state(&snapshot), before);

        metrics.snapshot_into(&mut snapshot);
        assert_eq!(state(&snapshot), state(&metrics.snapshot()));
    }
}
