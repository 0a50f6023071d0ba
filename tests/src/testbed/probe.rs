//! What the runtime answers when somebody reads: depths that are not worth a store on every push.

use std::fmt;
use std::sync::{Arc, Weak};

use super::metrics::{Probe, Site};
use super::shared::Shared;

/// Asks a runtime for as long as anything of it lives, without keeping it alive.
#[derive(Clone)]
pub struct TestbedProbe(Weak<Shared>);

impl TestbedProbe {
    pub(super) fn new(shared: &Arc<Shared>) -> TestbedProbe {
        TestbedProbe(Arc::downgrade(shared))
    }

    fn ask<V>(&self, question: impl FnOnce(&Shared) -> V) -> Option<V> {
        self.0.upgrade().map(|shared| question(&shared))
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

    fn write_site(&self, site: Site, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.ask(|shared| shared.sites.get(site)).flatten() {
            Some(place) => write!(out, "{}:{}", place.file(), place.line()),
            None => Ok(()),
        }
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.ask(|shared| shared.names.get(thread)).flatten() {
            Some(name) => out.write_str(&name),
            None => Ok(()),
        }
    }
}
