//! The part of a worker that every thread may access.

use super::Registry;
use crate::runtime::Config;
use crate::util::metric_atomics::MetricAtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

#[repr(align(128))]
pub(crate) struct WorkerMetrics {
    registry: Registry,
    index: usize,
    /// The length of the current-thread scheduler's queue. Other threads can't access the queue.
    queue_depth: MetricAtomicUsize,
    /// A `ThreadId` can't be made from the number that a worker's slot keeps.
    thread_id: Mutex<Option<ThreadId>>,
}

impl WorkerMetrics {
    pub(crate) fn from_config(config: &Config, index: usize) -> Self {
        Self {
            registry: Arc::clone(&config.metrics),
            index,
            queue_depth: MetricAtomicUsize::new(0),
            thread_id: Mutex::new(None),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn set_queue_depth(&self, len: usize) {
        self.queue_depth.store(len, Relaxed);
    }

    pub(crate) fn queue_depth(&self) -> usize {
        self.queue_depth.load(Relaxed)
    }

    pub(crate) fn set_thread_id(&self, thread_id: ThreadId) {
        *self.thread_id.lock().unwrap() = Some(thread_id);
    }

    pub(crate) fn thread_id(&self) -> Option<ThreadId> {
        *self.thread_id.lock().unwrap()
    }
}
