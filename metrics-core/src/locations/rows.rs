//! The rows of one slot, and how a worker finds the row of a task or of a group.

use super::{GroupId, LocationRow};
use crate::live::LocationId;
use crate::sync::RECORDING;
use alloc::sync::Arc;

/// The rows of one slot: one for tasks without a location, one for each location or group from 1 up to the capacity, one
/// for all other locations, and one for all other groups.
#[derive(Clone, Debug)]
pub(crate) struct LocationRows(Arc<[LocationRow]>);

/// Returns the number of rows for `capacity` locations and groups.
pub(crate) const fn rows_of(capacity: usize) -> usize {
    capacity + 3
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

    /// Returns the row of a group.
    pub(crate) fn of_group(&self, group: GroupId) -> Option<&LocationRow> {
        group_row_of(&self.0, group)
    }

    pub(crate) fn at(&self, index: usize) -> Option<&LocationRow> {
        self.0.get(index)
    }
}

/// Returns the index of a location's row: that of the last but one if the number is beyond the capacity.
#[inline(always)]
pub(crate) fn row_index<R>(rows: &[R], location: LocationId) -> usize {
    (location.as_u32() as usize).min(rows.len().wrapping_sub(2))
}

/// Returns the row of a group: the last one if the group is unknown or its number is beyond the capacity.
pub(crate) fn group_row_of<R>(rows: &[R], group: GroupId) -> Option<&R> {
    if !RECORDING {
        return None;
    }
    let index = row_index(rows, group.location());
    // Row 0 has tasks.
    if index == 0 || index + 2 >= rows.len() {
        return rows.last();
    }
    rows.get(index)
}

/// Returns the row of a location: the last but one if the number is beyond the capacity.
#[inline(always)]
pub(crate) fn row_of<R>(rows: &[R], location: LocationId) -> Option<&R> {
    if !RECORDING {
        return None;
    }
    rows.get(row_index(rows, location))
}
