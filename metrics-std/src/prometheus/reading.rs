//! The runtimes that are exported, and how a scrape reads them.

use crate::{Runtimes, Snapshot};
use metrics_core::{Heap, Probe, RegistryRef, RuntimeMetrics};
use std::sync::{Arc, Mutex, PoisonError};

/// One runtime or several that can be read, whatever their registries and probes are.
pub(super) trait Source: Send + Sync {
    /// The names of the runtimes.
    fn names(&self) -> Vec<String>;
    /// Adds a snapshot of each.
    fn read(&self, to: &mut Vec<Arc<Snapshot>>);
}

/// A runtime and what the last scrape saw of it: a worker that can't be read just now stays where it was, and no counter
/// goes back from one scrape to the next.
pub(super) struct Exported<R: RegistryRef, P> {
    metrics: RuntimeMetrics<R, P>,
    /// One for each scrape that has been going on at the same time. The lock is not held while the probe is called, which
    /// may wait for another scrape.
    last: Mutex<Vec<Arc<Snapshot>>>,
}

impl<R: RegistryRef<Storage = Heap>, P: Probe> Exported<R, P> {
    pub(super) fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            metrics,
            last: Mutex::default(),
        }
    }

    fn read_one(&self) -> Arc<Snapshot> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut snapshot = lock().pop().unwrap_or_default();
        // Copied only while another scraper still writes its page from it.
        self.metrics.snapshot_into(Arc::make_mut(&mut snapshot));
        lock().push(Arc::clone(&snapshot));
        snapshot
    }
}

impl<R, P> Source for Exported<R, P>
where
    R: RegistryRef<Storage = Heap> + Send + Sync,
    P: Probe + Send + Sync,
{
    fn names(&self) -> Vec<String> {
        vec![self.metrics.name().to_owned()]
    }

    fn read(&self, to: &mut Vec<Arc<Snapshot>>) {
        to.push(self.read_one());
    }
}

/// Whatever is in a list of runtimes when somebody scrapes.
pub(super) struct Listed<R: RegistryRef, P> {
    list: Runtimes<R, P>,
    exported: Mutex<Vec<Arc<Exported<R, P>>>>,
}

impl<R: RegistryRef, P> Listed<R, P> {
    pub(super) fn new(list: &Runtimes<R, P>) -> Self {
        Self {
            list: list.clone(),
            exported: Mutex::default(),
        }
    }
}

impl<R, P> Listed<R, P>
where
    R: RegistryRef<Storage = Heap>,
    P: Probe + Clone,
{
    /// What is listed now, with what the last scrape saw of it.
    fn exported(&self) -> Vec<Arc<Exported<R, P>>> {
        let mut exported = self.exported.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = self.list.all().into_iter().map(|metrics| {
            let same = |known: &&Arc<Exported<R, P>>| {
                core::ptr::eq(
                    &raw const **known.metrics.registry(),
                    &raw const **metrics.registry(),
                )
            };
            match exported.iter().find(same) {
                Some(known) => Arc::clone(known),
                None => Arc::new(Exported::new(metrics)),
            }
        });
        *exported = listed.collect();
        exported.clone()
    }
}

impl<R, P> Source for Listed<R, P>
where
    R: RegistryRef<Storage = Heap> + Send + Sync,
    P: Probe + Clone + Send + Sync,
{
    fn names(&self) -> Vec<String> {
        let listed = self.list.all();
        listed.iter().map(|metrics| metrics.name().to_owned()).collect()
    }

    fn read(&self, to: &mut Vec<Arc<Snapshot>>) {
        to.extend(self.exported().iter().map(|one| one.read_one()));
    }
}
