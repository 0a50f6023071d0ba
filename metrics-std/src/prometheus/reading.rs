//! The runtimes that a collector exports, and how a scrape reads them.

use crate::{Runtimes, Snapshot};
use metrics_core::{HeapStorage, Probe, RegistryRef, RuntimeMetrics, SnapshotReader};
use std::sync::{Arc, Mutex, PoisonError};

/// One or more runtimes to read, whatever the types of their registries and probes.
pub(super) trait Source: Send + Sync {
    /// The names of the runtimes.
    fn names(&self) -> Vec<String>;
    /// Appends one snapshot per runtime.
    fn read(&self, to: &mut Vec<Snapshot>);
}

/// A runtime and its readers. Reusing a reader ensures that no counter decreases from one scrape to the next.
pub(super) struct Exported<R: RegistryRef<Storage = HeapStorage>, P> {
    metrics: RuntimeMetrics<R, P>,
    /// One reader per concurrent scrape. The lock is not held during a call of the probe, which may wait for another scrape.
    readers: Mutex<Vec<SnapshotReader<R, P>>>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe + Clone> Exported<R, P> {
    pub(super) fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            metrics,
            readers: Mutex::default(),
        }
    }

    fn read_one(&self) -> Snapshot {
        let lock = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = lock().pop();
        let mut reader = reader.unwrap_or_else(|| self.metrics.reader());
        let snapshot = reader.read().clone();
        lock().push(reader);
        snapshot
    }
}

impl<R, P> Source for Exported<R, P>
where
    R: RegistryRef<Storage = HeapStorage> + Send + Sync,
    P: Probe + Clone + Send + Sync,
{
    fn names(&self) -> Vec<String> {
        vec![self.metrics.name().to_owned()]
    }

    fn read(&self, to: &mut Vec<Snapshot>) {
        to.push(self.read_one());
    }
}

/// The runtimes that a list contains at the time of a scrape.
pub(super) struct Listed<R: RegistryRef<Storage = HeapStorage>, P> {
    list: Runtimes<R, P>,
    exported: Mutex<Vec<Arc<Exported<R, P>>>>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P> Listed<R, P> {
    pub(super) fn new(list: &Runtimes<R, P>) -> Self {
        Self {
            list: list.clone(),
            exported: Mutex::default(),
        }
    }
}

impl<R, P> Listed<R, P>
where
    R: RegistryRef<Storage = HeapStorage>,
    P: Probe + Clone,
{
    /// Returns the runtimes that are listed now, with the readers of the last scrape.
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
    R: RegistryRef<Storage = HeapStorage> + Send + Sync,
    P: Probe + Clone + Send + Sync,
{
    fn names(&self) -> Vec<String> {
        let listed = self.list.all();
        listed.iter().map(|metrics| metrics.name().to_owned()).collect()
    }

    fn read(&self, to: &mut Vec<Snapshot>) {
        to.extend(self.exported().iter().map(|one| one.read_one()));
    }
}
