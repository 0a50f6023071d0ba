//! The recorder of one thread: a worker whose hooks are called at each measured poll and at the end of each turn.

use crate::runtime::{Registry, Worker};
use crate::turn::{self, Turn};
use crate::waker::{TaskWaker, Wakes};
use core::cell::{Cell, RefCell};
use metrics_core::{LeaseError, LocationId, PollStart, Timestamp};
use std::rc::Rc;
use std::sync::Arc;

/// The state that a monitor shares with its clones.
pub(crate) struct Recorder {
    pub(crate) registry: Arc<Registry>,
    pub(crate) worker: Worker,
    pub(crate) wakes: Arc<Wakes>,
    turn: Turn<Self>,
    /// Whether a measured future is being polled. A poll that starts now is nested.
    polling: Cell<bool>,
    long_polls: LongPolls,
}

/// Polls longer than a threshold, for the stall reports of [`EventLoop`](crate::EventLoop). The worker's histogram does not
/// say which poll was long.
#[derive(Default)]
struct LongPolls {
    /// Nanoseconds. `None` while there is no listener.
    threshold: Cell<Option<u64>>,
    in_progress: Cell<Option<(Timestamp, LocationId)>>,
    found: RefCell<Vec<(Timestamp, Timestamp, LocationId)>>,
}

impl LongPolls {
    fn start(&self, worker: &Worker, spawn_location: LocationId) {
        if self.threshold.get().is_some() {
            self.in_progress.set(Some((worker.now(), spawn_location)));
        }
    }

    fn end(&self, worker: &Worker) {
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

impl Recorder {
    /// Leases the one worker of `registry` and parks it.
    pub(crate) fn new(registry: Arc<Registry>) -> Result<Rc<Self>, LeaseError> {
        let worker = Worker::lease(Arc::clone(&registry), 0)?;
        worker.park();
        Ok(Rc::new_cyclic(|recorder| Self {
            registry,
            worker,
            wakes: Arc::default(),
            turn: Turn::new(recorder.clone()),
            polling: Cell::new(false),
            long_polls: LongPolls::default(),
        }))
    }

    /// Keeps polls of at least `threshold` nanoseconds for [`take_long_polls`](Self::take_long_polls). `u64::MAX` keeps none.
    pub(crate) fn watch_long_polls(&self, threshold: u64) {
        self.long_polls
            .threshold
            .set(Some(threshold).filter(|&nanos| nanos != u64::MAX));
    }

    pub(crate) fn take_long_polls(&self) -> Vec<(Timestamp, Timestamp, LocationId)> {
        self.long_polls.found.take()
    }

    pub(crate) fn spawned(&self) -> Arc<TaskWaker> {
        TaskWaker::spawned(Arc::clone(&self.registry), Arc::clone(&self.wakes))
    }

    /// Starts a poll. Returns `false` for a nested poll, which has no end to record.
    pub(crate) fn start_poll(self: &Rc<Self>, start: PollStart) -> bool {
        let Self {
            worker,
            turn,
            polling,
            long_polls,
            ..
        } = &**self;
        if polling.replace(true) {
            worker.inc_nested_polls();
            return false;
        }
        if turn.poll(self) {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
        } else {
            // Other work may have run since the last poll.
            worker.discard_last_timestamp();
        }
        long_polls.start(worker, start.spawn_location);
        worker.start_poll(start);
        true
    }

    pub(crate) fn end_poll(&self) {
        let Self {
            worker,
            turn,
            polling,
            long_polls,
            ..
        } = self;
        polling.set(false);
        worker.end_poll();
        long_polls.end(worker);
        if !turn.is_open() {
            worker.park();
        }
    }
}

impl turn::Owner for Recorder {
    fn turn(&self) -> &Turn<Self> {
        &self.turn
    }

    fn has_work(&self) -> bool {
        self.wakes.depth() > 0
    }

    fn end_turn(&self) {
        self.worker.park();
    }
}
