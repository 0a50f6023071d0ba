//! What the runtime answers when somebody reads: depths that are not worth a store on every push.

use std::sync::{Arc, OnceLock, Weak};

use super::metrics::{MetricSet, Probe, RuntimeNumber, WorkerNumber};
use super::shared::Shared;

/// Asks a runtime for as long as anything of it lives, without keeping it alive. It is made before the runtime is.
#[derive(Clone, Default)]
pub(super) struct TestbedProbe(Arc<OnceLock<Weak<Shared>>>);

impl TestbedProbe {
    /// From here on there is somebody to ask.
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
