//! One histogram of a row, brought up to date in place.

use super::measurements::HistogramReading;
use crate::record::SlotHistogram;
use crate::storage::Storage;

/// A row's histogram while it is brought up to date: what was overwritten stays beside, until it is known that all of
/// it was of one submit.
///
/// Only blocks of buckets that changed are written, and only those move the total: a worker that submits a thousand times a
/// second mostly moves a bucket or two between two snapshots.
pub(super) struct Update<'a, S: Storage>(Option<Parts<'a, S>>);

struct Parts<'a, S: Storage> {
    row: &'a mut HistogramReading<S>,
    before: &'a mut [u64],
    slot: &'a SlotHistogram<S::Buckets>,
    /// A bit for each block that was overwritten.
    changed: u64,
    totals: (u64, u64, u64),
}

impl<'a, S: Storage> Update<'a, S> {
    pub(super) fn of(
        row: &'a mut Option<HistogramReading<S>>,
        before: &'a mut Option<HistogramReading<S>>,
        slot: Option<&'a SlotHistogram<S::Buckets>>,
    ) -> Self {
        let (Some(row), Some(before), Some(slot)) = (row, before, slot) else {
            return Self(None);
        };
        let before = before.histogram.buckets_mut();
        Self(Some(Parts {
            row,
            before,
            slot,
            changed: 0,
            totals: (0, 0, 0),
        }))
    }

    pub(super) fn read(&mut self) {
        if let Some(parts) = &mut self.0 {
            let buckets = parts.row.histogram.buckets_mut();
            parts.changed = parts.slot.update(buckets, parts.before);
            parts.totals = parts.slot.extremes();
        }
    }

    pub(super) fn undo(&mut self) {
        if let Some(parts) = &mut self.0 {
            let buckets = parts.row.histogram.buckets_mut();
            for block in parts.slot.blocks(parts.changed, buckets.len()) {
                if let (Some(now), Some(before)) = (buckets.get_mut(block.clone()), parts.before.get(block)) {
                    now.copy_from_slice(before);
                }
            }
        }
    }

    pub(super) fn keep(self, total: &mut Option<HistogramReading<S>>, polls: u64) {
        let (Some(parts), Some(total)) = (self.0, total) else {
            return;
        };
        let (sum, min, max) = parts.totals;
        parts.row.histogram.set_totals(sum, min, max);
        parts.row.polls = polls;
        let buckets = parts.row.histogram.buckets();
        let total = total.histogram.buckets_mut();
        for block in parts.slot.blocks(parts.changed, buckets.len()) {
            if let (Some(total), Some(now), Some(before)) = (
                total.get_mut(block.clone()),
                buckets.get(block.clone()),
                parts.before.get(block),
            ) {
                for ((total, now), before) in total.iter_mut().zip(now).zip(before) {
                    *total = total.wrapping_add(now.wrapping_sub(*before));
                }
            }
        }
    }
}
