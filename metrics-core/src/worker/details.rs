//! The data that a worker keeps about single polls: the row of their spawn location, and the events of the flight recorder.

use crate::flight::{FlightEventKind, Fold, HeapRing, RecordedEvent};
use crate::live::LocationId;
use crate::locations::{LocationRow, LocationRows};
use crate::record::Recorded;
use crate::sync::Cell;
use crate::time_scale::TimeScale;
use alloc::sync::Arc;

/// Present if the registry keeps metrics per location, or events.
#[derive(Debug)]
pub(super) struct PollDetails {
    pub(super) rows: Option<LocationRows>,
    pub(super) ring: Option<Arc<HeapRing>>,
    fold: Fold,
    /// The schedule latency of the poll in progress in nanoseconds, if it was measured.
    latency: Cell<Option<u64>>,
}

impl PollDetails {
    pub(super) fn new(rows: Option<LocationRows>, ring: Option<Arc<HeapRing>>, fold: Fold) -> Option<Self> {
        (rows.is_some() || ring.is_some()).then(|| Self {
            rows,
            ring,
            fold,
            latency: Cell::new(None),
        })
    }

    /// Keeps the schedule latency of the poll that starts.
    #[inline(always)]
    pub(super) fn start_poll(&self, latency: Recorded) {
        self.latency.set(latency.nanos());
    }

    /// Records a poll that ended. A poll whose duration was not measured is no event.
    #[inline(always)]
    pub(super) fn end_poll(&self, location: LocationId, start: u64, poll_time: Recorded, scale: &TimeScale) {
        let schedule_latency = self.latency.take();
        if let Some(row) = self.row(location) {
            row.record(poll_time.nanos(), schedule_latency);
        }
        if let (Some(ring), Some(duration)) = (&self.ring, poll_time.nanos()) {
            let poll = RecordedEvent::poll(start, location, duration, schedule_latency);
            ring.push_poll(poll, self.fold, scale);
        }
    }

    /// Records a change of state.
    pub(super) fn enter(&self, kind: FlightEventKind, start: u64) {
        if let Some(ring) = &self.ring {
            ring.push(RecordedEvent::state(kind, start));
        }
    }

    #[inline(always)]
    pub(super) fn row(&self, location: LocationId) -> Option<&LocationRow> {
        self.rows.as_ref()?.of(location)
    }
}
