//! The writer's side of a ring: what a worker keeps of the poll in progress.

use super::event::{FlightEventKind, Recorded};
use super::ring::FlightRing;
use crate::live::LocationId;
use crate::sync::Cell;
use alloc::sync::Arc;

/// Writes the events of one worker.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    ring: Arc<FlightRing>,
    /// The schedule latency of the poll in progress in nanoseconds, if it was measured.
    latency: Cell<Option<u64>>,
}

impl FlightRecorder {
    pub(crate) fn new(ring: &Arc<FlightRing>) -> Self {
        Self {
            ring: Arc::clone(ring),
            latency: Cell::new(None),
        }
    }

    /// Keeps the schedule latency of the poll that starts.
    #[inline(always)]
    pub(crate) fn start_poll(&self, latency: Option<u64>) {
        self.latency.set(latency);
    }

    /// Records a poll that ended after this many nanoseconds.
    #[inline(always)]
    pub(crate) fn end_poll(&self, start: u64, location: LocationId, duration: u64) {
        self.ring.push(Recorded {
            kind: FlightEventKind::Poll,
            start,
            location,
            duration,
            schedule_latency: self.latency.take(),
        });
    }

    /// Records a change of state.
    pub(crate) fn enter(&self, kind: FlightEventKind, start: u64) {
        self.ring.push(Recorded {
            kind,
            start,
            location: LocationId::UNKNOWN,
            duration: 0,
            schedule_latency: None,
        });
    }
}
