//! The rows of one slot, and how a worker finds the row of a task.

use super::LocationRow;
use crate::live::LocationId;
use crate::sync::RECORDING;
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

/// Returns the index of a location's row: that of the last one if there are fewer rows.
#[inline(always)]
pub(crate) fn row_index<R>(rows: &[R], location: LocationId) -> usize {
    (location.as_u32() as usize).min(rows.len().wrapping_sub(1))
}

/// Returns the row of a location: the last one if there are fewer rows.
#[inline(always)]
pub(crate) fn row_of<R>(rows: &[R], location: LocationId) -> Option<&R> {
    if !RECORDING {
        return None;
    }
    rows.get(row_index(rows, location))
}
