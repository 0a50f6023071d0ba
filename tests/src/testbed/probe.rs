//! The runtime's probe: computes queue depths when a reader queries them, so that a push stores nothing.

use std::sync::{Arc, OnceLock, Weak};

use super::metrics::{MetricSet, Probe, RuntimeNumber, WorkerNumber};
use super::shared::Shared;

/// Reads from a runtime while it exists, without keeping it alive. It is created before the runtime.
#[derive(Clone, Default)]
pub(super) struct TestbedProbe(Arc<OnceLock<Weak<Shared>>>);

impl TestbedProbe {
    /// Connects the probe to its runtime.
    pub(super) fn learn(&self, shared: &Arc<Shared>) {
        self.0.get_or_init(|| Arc::downgrade(shared));
    }

    fn ask<V>(&self, question: impl FnOnce(&Shared) -> V) -> Option<V> {
        self.0.get()?.upgrade().map(|shared| question(&shared))
    }
}

impl Probe for TestbedProbe {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        self.ask(|shared| {
            Some(match number {
                RuntimeNumber::GlobalQueueDepth => shared.global.len() as u64,
                RuntimeNumber::NumAliveTasks => shared.num_alive_tasks() as u64,
                RuntimeNumber::NumBlockingThreads => shared.blocking.depths().threads as u64,
                RuntimeNumber::NumIdleBlockingThreads => shared.blocking.depths().idle as u64,
                RuntimeNumber::BlockingQueueDepth => shared.blocking.depths().queued as u64,
                _ => return None,
            })
        })?
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        match number {
            WorkerNumber::LocalQueueDepth => {
                self.ask(|shared| Some(shared.workers.get(worker)?.queue.depth() as u64))?
            }
            _ => None,
        }
    }
}
