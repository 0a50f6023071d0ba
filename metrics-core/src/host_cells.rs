//! The cells of a registry with many writers.

use crate::cell::{SharedCounter, SharedU32};
use crate::live::LocationId;
use crate::locations::GroupId;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::locations::{SharedLocationRow, group_row_of, row_of};
use crate::record::{LoadCell, OnDemandCells, SharedHistogram, StallCells};
use crate::tasks::SharedTaskCells;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::boxed::Box;

/// The cells with many writers. No worker's hot path accesses them.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) tasks: SharedTaskCells,
    pub(crate) remote_schedules: SharedCounter,
    pub(crate) host: H,
}

/// The counters that exist only under an operating system: those of an I/O driver and of a blocking pool.
#[derive(Debug)]
pub struct HostCells<B> {
    pub(crate) io_registered: SharedCounter,
    pub(crate) io_deregistered: SharedCounter,
    pub(crate) io_ready: SharedCounter,
    pub(crate) blocking_queue_wait: Option<SharedHistogram<B>>,
    pub(crate) stalls: StallCells,
    pub(crate) load: LoadCell,
    pub(crate) on_demand: OnDemandCells,
    /// Nonzero once a root future is measured.
    pub(crate) measures_roots: SharedU32,
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) locations: Box<[SharedLocationRow]>,
}

impl<H> Shared<H> {
    crate::sync::const_unless_loom! {
        pub(crate) const fn new(host: H) -> Self {
            Self {
                tasks: SharedTaskCells::new(),
                remote_schedules: SharedCounter::new(),
                host,
            }
        }
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<B> HostCells<B> {
    /// Creates cells with this number of rows for spawn locations.
    pub(crate) fn new(blocking_queue_wait: Option<SharedHistogram<B>>, locations: usize) -> Self {
        Self {
            locations: (0..locations).map(|_| SharedLocationRow::new()).collect(),
            io_registered: SharedCounter::new(),
            io_deregistered: SharedCounter::new(),
            io_ready: SharedCounter::new(),
            blocking_queue_wait,
            stalls: StallCells::new(),
            load: LoadCell::new(),
            on_demand: OnDemandCells::new(),
            measures_roots: SharedU32::new(0),
        }
    }
}

/// What happened to a task of a spawn location, or to a future of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LocationEvent {
    Spawned,
    Ended,
    Stalled,
}

/// Tasks per spawn location, which only heap storage counts.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<B> HostCells<B> {
    pub(crate) fn count_at(&self, location: LocationId, event: LocationEvent) {
        if let Some(row) = row_of(&self.locations, location) {
            row.count(event);
        }
    }

    pub(crate) fn count_in_group(&self, group: GroupId, event: LocationEvent) {
        if let Some(row) = group_row_of(&self.locations, group) {
            row.count(event);
        }
    }
}

#[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
#[allow(clippy::unused_self)]
impl<B> HostCells<B> {
    pub(crate) fn count_at(&self, _: LocationId, _: LocationEvent) {}

    pub(crate) fn count_in_group(&self, _: GroupId, _: LocationEvent) {}
}
