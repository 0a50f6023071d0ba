//! The memory that decoding a snapshot may use.

use super::WorkerSnapshot;
use super::measurements::Measurements;
use crate::histogram::{Counts, HistogramSnapshot};
use crate::storage::Storage;
use serde::de::Error;

/// Memory per byte read.
const PER_BYTE: usize = 200;
/// Memory that any snapshot may use.
const FREE: usize = 4 << 20;
/// While a list grows, it uses up to three times its memory: the old list, and a new one of twice its size.
const GROWTH: usize = 3;
/// The fewest bytes that a worker uses in any format: one for each of its fields.
const WORKER_BYTES: usize = 24;
/// The fewest bytes that a histogram without samples uses, and that a bucket uses.
const HISTOGRAM_BYTES: usize = 12;
const BUCKET_BYTES: usize = 2;

/// The memory that a snapshot may use, and the memory in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    limit: usize,
    per_byte: Option<usize>,
    used: usize,
    /// A lower bound of the number of bytes read.
    read: usize,
}

impl Budget {
    /// Returns the budget of a snapshot from a source that is not trusted.
    pub(super) const fn of_bytes_read(limit: usize) -> Self {
        Self {
            limit,
            per_byte: Some(PER_BYTE),
            used: 0,
            read: 0,
        }
    }

    /// Returns a budget that does not depend on the number of bytes read.
    pub(super) const fn of(limit: usize) -> Self {
        Self {
            per_byte: None,
            ..Self::of_bytes_read(limit)
        }
    }

    pub(super) fn spend<E: Error>(&mut self, memory: usize, read: usize) -> Result<(), E> {
        self.used = self.used.saturating_add(memory.saturating_mul(GROWTH));
        self.read = self.read.saturating_add(read);
        let earned = self
            .per_byte
            .map(|per_byte| self.read.saturating_mul(per_byte).saturating_add(FREE));
        let limit = earned.map_or(self.limit, |earned| earned.min(self.limit));
        if self.used > limit {
            return Err(E::custom(format_args!(
                "the snapshot takes more than {limit} bytes: raise the limit of `SnapshotSeed` if you trust its source"
            )));
        }
        Ok(())
    }

    pub(super) fn spend_on_histogram<C: Counts, E: Error>(
        &mut self,
        histogram: &HistogramSnapshot<C>,
    ) -> Result<(), E> {
        let occupied = histogram.buckets().iter().filter(|&&count| count != 0).count();
        self.spend(
            size_of_val(histogram.buckets()),
            HISTOGRAM_BYTES + BUCKET_BYTES * occupied,
        )
    }

    pub(super) fn spend_on_measurements<S: Storage, E: Error>(
        &mut self,
        measurements: &Measurements<S>,
    ) -> Result<(), E> {
        let readings = [measurements.poll_time(), measurements.schedule_latency()];
        readings
            .into_iter()
            .flatten()
            .try_for_each(|reading| self.spend_on_histogram(reading.histogram()))
    }

    pub(super) fn spend_on_worker<S: Storage, E: Error>(
        &mut self,
        worker: &WorkerSnapshot<S>,
    ) -> Result<(), E> {
        self.spend(size_of::<WorkerSnapshot<S>>(), WORKER_BYTES)?;
        self.spend_on_measurements(&worker.measurements)
    }
}
