//! A reader that takes snapshots of one runtime again and again.

use super::ReadStorage;
use super::cache::Cache;
use crate::probe::{NoProbe, Probe};
use crate::reader::RuntimeMetrics;
use crate::registry::{Registry, RegistryRef};
use crate::snapshot::Snapshot;
use crate::storage::HeapStorage;
use crate::time::TimeSource;

/// Takes snapshots of one runtime, each for the price of what has changed since the last one.
///
/// It remembers what it read, so it passes over workers that did not submit since, and allocates only for slots that it has not seen.
/// The snapshots of one reader never go back: a worker that can't be read keeps its last numbers and is marked
/// [stale](crate::WorkerSnapshot::staleness). Any number of readers read one runtime without disturbing each other.
///
/// ```
/// use metrics_core::{Builder, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock)?;
/// let worker = Worker::lease(registry.clone(), 0)?;
/// let mut reader = RuntimeMetrics::new(registry).reader();
/// assert_eq!(reader.read().total().poll_count(), Some(0));
///
/// worker.start_poll(PollStart::default());
/// worker.end_poll();
/// worker.submit();
/// assert_eq!(reader.read().total().poll_count(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SnapshotReader<R: RegistryRef<Storage = HeapStorage>, P = NoProbe> {
    metrics: RuntimeMetrics<R, P>,
    cache: Cache,
    snapshot: Snapshot<HeapStorage>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> SnapshotReader<R, P> {
    /// A reader that has read nothing yet.
    pub fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            cache: Cache::new(metrics.registry()),
            metrics,
            snapshot: Snapshot::EMPTY,
        }
    }

    /// Takes a reading.
    pub fn read(&mut self) -> &Snapshot<HeapStorage> {
        let (registry, probe) = (self.metrics.registry(), self.metrics.probe());
        self.cache.read(&mut self.snapshot, registry, probe);
        &self.snapshot
    }

    /// The last reading; empty before the first.
    pub fn snapshot(&self) -> &Snapshot<HeapStorage> {
        &self.snapshot
    }

    /// The handle that it reads through.
    pub fn metrics(&self) -> &RuntimeMetrics<R, P> {
        &self.metrics
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe + Clone> RuntimeMetrics<R, P> {
    /// A reader that takes snapshots again and again: of each, only what has changed is read.
    pub fn reader(&self) -> SnapshotReader<R, P> {
        SnapshotReader::new(self.clone())
    }
}

impl ReadStorage for HeapStorage {
    fn snapshot<T: TimeSource>(registry: &Registry<Self, T>, probe: &impl Probe) -> Snapshot<Self> {
        let mut snapshot = Snapshot::EMPTY;
        Cache::new(registry).read(&mut snapshot, registry, probe);
        snapshot
    }
}
