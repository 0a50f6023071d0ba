//! The values that readers query from a monitor: the queue of scheduled tasks, and the names of spawn locations.

use crate::location;
use crate::waker::Wakes;
use core::fmt;
use metrics_core::{LocationId, MetricSet, Probe, WorkerNumber};
use std::sync::Arc;

/// The probe of a [`Monitor`](crate::Monitor): it reports how many measured tasks are scheduled, and where tasks were spawned.
#[derive(Clone)]
pub struct MonitorProbe(Arc<Wakes>);

impl MonitorProbe {
    pub(crate) fn new(wakes: Arc<Wakes>) -> Self {
        Self(wakes)
    }
}

impl fmt::Debug for MonitorProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorProbe").finish_non_exhaustive()
    }
}

impl Probe for MonitorProbe {
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalScheduleCount, WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        match number {
            _ if worker != 0 => None,
            WorkerNumber::LocalScheduleCount => Some(self.0.schedules()),
            WorkerNumber::LocalQueueDepth => Some(self.0.depth()),
            _ => None,
        }
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        location::write(spawn_location, out)
    }
}
