//! The external row: the slot that threads without a slot of their own share.

use std::sync::{Arc, Mutex, PoisonError};

use metrics_core::{PollStart, Timestamp};

use crate::{Registry, Worker};

/// The external row of a registry. It records polls on threads that are ending or for which no slot is left. A lock guards it.
#[derive(Default)]
pub(crate) struct ExternalRow(Mutex<Shared>);

#[derive(Default)]
struct Shared {
    worker: Option<Worker>,
    /// The threads that are in a poll.
    polling: Vec<ThreadMark>,
}

impl ExternalRow {
    /// Starts a poll on this thread. Returns whether it is the outermost one.
    #[cold]
    pub(crate) fn start_poll(&self) -> bool {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = ThreadMark::current();
        let outermost = !shared.polling.contains(&here);
        if outermost {
            shared.polling.push(here);
        }
        outermost
    }

    /// Ends and records the outermost poll of this thread.
    pub(crate) fn end_poll(
        &self,
        registry: &Arc<Registry>,
        start: PollStart,
        started: Timestamp,
        ended: Timestamp,
    ) {
        {
            let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let here = ThreadMark::current();
            shared.polling.retain(|thread| *thread != here);
        }
        self.record(registry, |worker| worker.record_poll(start, started, ended));
    }

    /// Calls `record` with the row's worker, and submits.
    #[cold]
    pub(crate) fn record(&self, registry: &Arc<Registry>, record: impl FnOnce(&Worker)) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.worker.is_none() {
            shared.worker = Worker::lease_external(Arc::clone(registry)).ok();
        }
        if let Some(worker) = &shared.worker {
            record(worker);
            worker.submit();
        }
    }
}

thread_local! {
    /// Its address identifies the thread. It has no destructor, so it is accessible until the thread has ended.
    static MARK: u8 = const { 0 };
}

/// Identifies a running thread, also one that is ending and no longer has a number or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThreadMark(usize);

impl ThreadMark {
    fn current() -> Self {
        Self(MARK.with(|mark| core::ptr::from_ref(mark).addr()))
    }
}
