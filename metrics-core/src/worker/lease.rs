//! Leases a slot for a worker.

use super::{PollDetails, Worker};
use crate::flight::HeapRing;
use crate::locations::LocationRows;
use crate::record::{Batch, BatchHistogram, sampling_seed};
use crate::registry::RegistryRef;
use crate::slot::{EXTERNAL, Lease, MAX_WORKERS};
use crate::storage::{HeapStorage, SlotHandle};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// An error from leasing a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LeaseError {
    /// The worker index exceeds what a lease can represent.
    WorkerIndex {
        /// The index requested.
        worker: usize,
        /// The upper bound, exclusive.
        limit: usize,
    },
    /// Every slot that the storage can hold is leased.
    Exhausted,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkerIndex { worker, limit } => {
                write!(
                    f,
                    "worker index {worker} is too large: number workers from 0 and stay below {limit}"
                )
            }
            Self::Exhausted => f.write_str(
                "every slot is leased: drop the `Worker` of a thread that ended before leasing another",
            ),
        }
    }
}

impl core::error::Error for LeaseError {}

impl<R: RegistryRef<Storage = HeapStorage>> Worker<R> {
    /// Leases a slot for worker `index`: a free slot that served this index before, or else a new one.
    ///
    /// Two threads may lease the same index at the same time, for example if a worker is handed over in the middle of
    /// a poll. Each has its own slot, and the worker's metrics are their sum. An index at or above the configured
    /// number of workers belongs to a pool that has grown: snapshots contain the worker.
    ///
    /// # Errors
    /// Returns a [`LeaseError`] if the index is 2^30 - 1 or more, or if the storage can't hold more slots.
    pub fn lease(registry: R, index: usize) -> Result<Self, LeaseError> {
        if index >= MAX_WORKERS {
            return Err(LeaseError::WorkerIndex {
                worker: index,
                limit: MAX_WORKERS,
            });
        }
        Self::lease_tagged(registry, index)
    }

    /// Leases any free slot, for pools whose threads come and go. The worker's index is that of the slot, and its
    /// counters continue from the last thread's totals.
    ///
    /// # Errors
    /// Returns [`LeaseError::Exhausted`] if the storage can't hold more slots.
    pub fn lease_any(registry: R) -> Result<Self, LeaseError> {
        let heap = &registry.storage;
        let slot = heap
            .find(Lease::claim_free)
            .or_else(|| heap.find_or_grow(Lease::claim_vacant))
            .ok_or(LeaseError::Exhausted)?;
        let index = slot.lease.worker().unwrap_or_default();
        Ok(Self::resume(registry, slot, index))
    }

    /// Leases a slot for an external thread: one that polls this runtime's tasks but is not one of its workers. Its
    /// metrics are part of [`Snapshot::external`](crate::Snapshot::external) and of every total.
    ///
    /// # Errors
    /// Returns [`LeaseError::Exhausted`] if the storage can't hold more slots.
    pub fn lease_external(registry: R) -> Result<Self, LeaseError> {
        Self::lease_tagged(registry, EXTERNAL)
    }

    fn lease_tagged(registry: R, index: usize) -> Result<Self, LeaseError> {
        let heap = &registry.storage;
        let slot = heap
            .find(|lease| lease.claim_again(index))
            .or_else(|| heap.claim_vacant(index))
            .ok_or(LeaseError::Exhausted)?;
        Ok(Self::resume(registry, slot, index))
    }

    fn resume(registry: R, slot: SlotHandle, index: usize) -> Self {
        let mut batch = Batch::resume(&slot.counters);
        let side = |config: Option<&crate::histogram::HistogramConfig>, slot: Option<_>| match (config, slot)
        {
            (Some(config), Some(slot)) => Some(BatchHistogram::new(config.num_buckets(), slot)),
            _ => None,
        };
        batch.poll_time = side(registry.poll_time_config(), slot.poll_time.as_ref());
        batch.schedule_latency = side(registry.schedule_latency_config(), slot.schedule_latency.as_ref());
        let rows = match registry.info.locations {
            0 => None,
            capacity => {
                let rows = slot
                    .locations
                    .get_or_init(|| Box::new(LocationRows::new(capacity)));
                Some(rows.clone())
            }
        };
        let ring = match registry.info.flight_events {
            0 => None,
            _ if !registry.is_timed() => None,
            events => {
                let ring = slot
                    .flight
                    .get_or_init(|| Box::new(Arc::new(HeapRing::new(events))));
                Some(Arc::clone(ring))
            }
        };
        let details = PollDetails::new(rows, ring, registry.info.fold);
        let worker = Self {
            registry,
            slot,
            batch,
            index,
            details,
        };
        if worker.details.is_some() {
            worker.hooks().request_details();
        }
        // Vary the seed, so that leases of one slot that end after a few polls don't all sample the same polls.
        let polls = worker.batch.counters.poll_count.get();
        let seed = sampling_seed(worker.registry.info.epoch ^ polls, index as u64);
        worker.hooks().seed_sampling(seed);
        worker.hooks().latch(worker.registry.switches.latch());
        worker
    }
}
