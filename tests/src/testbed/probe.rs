//! What the runtime answers when somebody reads: depths that are not worth a store on every push.

use std::sync::{Arc, OnceLock, Weak};

use super::metrics::Probe;
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
    fn local_queue_depth(&self, worker: usize) -> Option<u64> {
        self.ask(|shared| Some(shared.workers.get(worker)?.queue.depth() as u64))?
    }

    fn global_queue_depth(&self) -> Option<u64> {
        self.ask(|shared| shared.global.len() as u64)
    }

    fn num_alive_tasks(&self) -> Option<u64> {
        self.ask(|shared| shared.num_alive_tasks() as u64)
    }

    fn num_blocking_threads(&self) -> Option<u64> {
        self.ask(|shared| shared.blocking.depths().threads as u64)
    }

    fn num_idle_blocking_threads(&self) -> Option<u64> {
        self.ask(|shared| shared.blocking.depths().idle as u64)
    }

    fn blocking_queue_depth(&self) -> Option<u64> {
        self.ask(|shared| shared.blocking.depths().queued as u64)
    }
}
