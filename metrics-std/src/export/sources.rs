//! The runtimes that an exporter reads, and how it reads them.

use crate::{Runtimes, Snapshot};
use core::cell::Cell;
use core::fmt;
use metrics_core::{HeapStorage, Probe, RECORDING, RegistryRef, RuntimeMetrics, SnapshotReader};
use std::sync::{Arc, Mutex, PoisonError};

/// The error of an exporter's `with_runtime`: it already exports a runtime with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: String,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a runtime named {:?} is already exported: give each registry its own name",
            self.name
        )
    }
}

impl core::error::Error for DuplicateName {}

/// The runtimes that an exporter exports: one, from its [`RuntimeMetrics`], or every runtime that a list contains at the time of an
/// export, including those added later, from a reference to [`Runtimes`].
pub struct ExportedRuntimes(Vec<Box<dyn Source>>);

impl<R, P> From<RuntimeMetrics<R, P>> for ExportedRuntimes
where
    R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
    P: Probe + Clone + Send + Sync + 'static,
{
    fn from(metrics: RuntimeMetrics<R, P>) -> Self {
        Self(vec![Box::new(ReaderPool::new(metrics))])
    }
}

impl<R, P> From<&Runtimes<R, P>> for ExportedRuntimes
where
    R: RegistryRef<Storage = HeapStorage> + Send + Sync + 'static,
    P: Probe + Clone + Send + Sync + 'static,
{
    fn from(list: &Runtimes<R, P>) -> Self {
        Self(vec![Box::new(Listed::new(list))])
    }
}

impl fmt::Debug for ExportedRuntimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl ExportedRuntimes {
    pub(crate) fn add(&mut self, more: Self) -> Result<(), DuplicateName> {
        let names = self.names();
        if let Some(name) = more.names().into_iter().find(|name| names.contains(name)) {
            return Err(DuplicateName { name });
        }
        self.0.extend(more.0);
        Ok(())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().flat_map(|source| source.names()).collect()
    }

    /// Takes a snapshot of each runtime, one per name. Returns `None` in a probe that this thread is reading for an exporter: an export
    /// from there would read the probe again, and recurse without end.
    pub(crate) fn read(&self) -> Option<Vec<Snapshot>> {
        let _reading = Reading::begin()?;
        let mut snapshots: Vec<Snapshot> = Vec::new();
        if !RECORDING {
            return Some(snapshots);
        }
        let mut read = Vec::new();
        for source in &self.0 {
            source.read(&mut read);
        }
        for snapshot in read {
            if !snapshots.iter().any(|first| first.name() == snapshot.name()) {
                snapshots.push(snapshot);
            }
        }
        Some(snapshots)
    }
}

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as reading, until it is dropped.
struct Reading;

impl Reading {
    fn begin() -> Option<Self> {
        (!READING.replace(true)).then_some(Self)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        READING.set(false);
    }
}

/// One or more runtimes to read, whatever the types of their registries and probes.
trait Source: Send + Sync {
    /// Returns the names of the runtimes.
    fn names(&self) -> Vec<String>;
    /// Appends one snapshot per runtime.
    fn read(&self, to: &mut Vec<Snapshot>);
}

/// A runtime and its readers. Reusing a reader ensures that no counter decreases from one export to the next.
pub(crate) struct ReaderPool<R: RegistryRef<Storage = HeapStorage>, P> {
    metrics: RuntimeMetrics<R, P>,
    /// One reader per concurrent export. The lock is not held during a call of the probe, which may wait for another export.
    readers: Mutex<Vec<SnapshotReader<R, P>>>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe + Clone> ReaderPool<R, P> {
    pub(crate) fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            metrics,
            readers: Mutex::default(),
        }
    }

    pub(crate) fn read_one(&self) -> Snapshot {
        let lock = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = lock().pop();
        let mut reader = reader.unwrap_or_else(|| self.metrics.reader());
        let snapshot = reader.read().clone();
        lock().push(reader);
        snapshot
    }
}

impl<R, P> Source for ReaderPool<R, P>
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

/// The runtimes that a list contains at the time of an export.
struct Listed<R: RegistryRef<Storage = HeapStorage>, P> {
    list: Runtimes<R, P>,
    exported: Mutex<Vec<Arc<ReaderPool<R, P>>>>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P> Listed<R, P> {
    fn new(list: &Runtimes<R, P>) -> Self {
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
    /// Returns the runtimes that are listed now, with the readers of the last export.
    fn exported(&self) -> Vec<Arc<ReaderPool<R, P>>> {
        let mut exported = self.exported.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = self.list.all().into_iter().map(|metrics| {
            let same = |known: &&Arc<ReaderPool<R, P>>| {
                core::ptr::eq(
                    &raw const **known.metrics.registry(),
                    &raw const **metrics.registry(),
                )
            };
            match exported.iter().find(same) {
                Some(known) => Arc::clone(known),
                None => Arc::new(ReaderPool::new(metrics)),
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
