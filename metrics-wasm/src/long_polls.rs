//! Long polls, for stall reports.

use crate::runtime::Worker;
use core::cell::{Cell, RefCell};
use metrics_core::{LocationId, Timestamp};

/// Polls longer than a threshold, for the stall reports of [`EventLoop`](crate::EventLoop). The worker's histogram does not
/// say which poll was long.
#[derive(Default)]
pub(crate) struct LongPolls {
    /// Nanoseconds. `None` while there is no listener.
    threshold: Cell<Option<u64>>,
    in_progress: Cell<Option<(Timestamp, LocationId)>>,
    found: RefCell<Vec<(Timestamp, Timestamp, LocationId)>>,
}

impl LongPolls {
    /// Keeps polls of at least `threshold` nanoseconds. `u64::MAX` keeps none.
    pub(crate) fn watch(&self, threshold: u64) {
        self.threshold
            .set(Some(threshold).filter(|&nanos| nanos != u64::MAX));
    }

    /// The polls that were kept since the last call.
    pub(crate) fn take(&self) -> Vec<(Timestamp, Timestamp, LocationId)> {
        self.found.take()
    }

    pub(crate) fn start(&self, worker: &Worker, spawn_location: LocationId) {
        if self.threshold.get().is_some() {
            self.in_progress.set(Some((worker.now(), spawn_location)));
        }
    }

    pub(crate) fn end(&self, worker: &Worker) {
        if let (Some((start, spawn_location)), Some(threshold)) =
            (self.in_progress.take(), self.threshold.get())
        {
            let end = worker.now();
            if worker.registry().scale().nanos(end, start) >= threshold {
                self.found.borrow_mut().push((start, end, spawn_location));
            }
        }
    }
}
