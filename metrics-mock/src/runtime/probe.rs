//! Reports the queue depths of the scripted runtime.

use alloc::{sync::Arc, vec::Vec};
use metrics_core::{MetricSet, Probe, RuntimeNumber, WorkerNumber};
use portable_atomic::{AtomicU64, Ordering};

/// Reports the queue depths of a [`MockRuntime`](crate::MockRuntime) to readers of its metrics.
///
/// Pass a clone where the metrics are built, and the probe itself to
/// [`MockRuntime::with_probe`](crate::MockRuntime::with_probe).
#[derive(Clone, Debug)]
pub struct MockProbe(pub(super) Arc<Depths>);

/// The number of tasks in each queue. The script writes it; any thread reads it.
// Ordering: relaxed throughout: no other data depends on a depth.
#[derive(Debug)]
pub(super) struct Depths {
    pub(super) global: AtomicU64,
    pub(super) local: Vec<AtomicU64>,
}

impl MockProbe {
    /// Creates the probe of a runtime with this many workers. The queues are empty until the runtime is created.
    pub fn new(workers: usize) -> Self {
        let local = (0..workers).map(|_| AtomicU64::default()).collect();
        let global = AtomicU64::default();
        Self(Arc::new(Depths { global, local }))
    }
}

impl Probe for MockProbe {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        (number == RuntimeNumber::GlobalQueueDepth).then(|| self.0.global.load(Ordering::Relaxed))
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        let depth = self.0.local.get(worker)?;
        (number == WorkerNumber::LocalQueueDepth).then(|| depth.load(Ordering::Relaxed))
    }
}
