//! The rows of one slot, and how a worker finds the row of a task.

use super::LocationRow;
use crate::live::LocationId;
use crate::sync::{Cell, RECORDING};
use alloc::sync::Arc;

/// The rows of one slot: one for tasks without a location, one for each location from 1 up to the capacity, and one
/// for all other locations.
#[derive(Clone, Debug)]
pub(crate) struct LocationRows(Arc<[LocationRow]>);

/// Returns the number of rows for `capacity` locations.
pub(crate) const fn rows_of(capacity: usize) -> usize {
    capacity + 2
}

impl LocationRows {
    pub(crate) fn new(capacity: usize) -> Self {
        Self((0..rows_of(capacity)).map(|_| LocationRow::new()).collect())
    }

    /// Returns the row of a location.
    #[inline(always)]
    pub(crate) fn of(&self, location: LocationId) -> Option<&LocationRow> {
        row_of(&self.0, location)
    }

    pub(crate) fn at(&self, index: usize) -> Option<&LocationRow> {
        self.0.get(index)
    }
}

/// Returns the row of a location: the last one if there are fewer rows.
#[inline(always)]
pub(crate) fn row_of<R>(rows: &[R], location: LocationId) -> Option<&R> {
    if !RECORDING {
        return None;
    }
    rows.get((location.as_u32() as usize).min(rows.len().wrapping_sub(1)))
}

/// The rows that a worker writes, and the part of a poll in progress that they lack until its end.
#[derive(Debug)]
pub(crate) struct PollLocations {
    pub(crate) rows: LocationRows,
    /// The schedule latency of the poll in progress in nanoseconds, if it was measured.
    latency: Cell<Option<u64>>,
}

impl PollLocations {
    pub(crate) fn new(rows: &LocationRows) -> Self {
        Self {
            rows: rows.clone(),
            latency: Cell::new(None),
        }
    }

    /// Keeps the schedule latency of the poll that starts.
    #[inline(always)]
    pub(crate) fn start_poll(&self, latency: Option<u64>) {
        self.latency.set(latency);
    }

    /// Records the poll that ended.
    #[inline(always)]
    pub(crate) fn end_poll(&self, location: LocationId, poll_time: Option<u64>) {
        let latency = self.latency.take();
        if let Some(row) = self.rows.of(location) {
            row.record(poll_time, latency);
        }
    }
}
