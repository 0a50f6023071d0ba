//! A reader that takes snapshots of one runtime repeatedly.

use super::cache::Cache;
use crate::probe::{NoProbe, Probe};
use crate::reader::RuntimeMetrics;
use crate::registry::RegistryRef;
use crate::snapshot::Snapshot;
use crate::storage::HeapStorage;

/// Takes snapshots of one runtime repeatedly. Each snapshot costs only what has changed since the last one.
///
/// A reader caches what it has read: it skips workers that have not submitted since, and allocates only for new slots.
/// Counters never decrease from one snapshot to the next: a worker that can't be read keeps its last values and is
/// marked [stale](crate::WorkerSnapshot::staleness). Several readers can read one runtime without affecting each
/// other.
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
pub struct SnapshotReader<R, P = NoProbe> {
    metrics: RuntimeMetrics<R, P>,
    cache: Cache,
    snapshot: Snapshot<HeapStorage>,
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> SnapshotReader<R, P> {
    /// Creates a reader with an empty snapshot.
    pub fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            cache: Cache::new(metrics.registry()),
            metrics,
            snapshot: Snapshot::EMPTY,
        }
    }

    /// Leaves out the metrics per spawn location and the census, whose cost grows with the locations and the alive tasks.
    #[must_use]
    pub fn without_locations(mut self) -> Self {
        self.cache.reads_locations = false;
        self
    }

    /// Takes a snapshot.
    pub fn read(&mut self) -> &Snapshot<HeapStorage> {
        let (registry, probe) = (self.metrics.registry(), self.metrics.probe());
        self.cache.read(&mut self.snapshot, registry, probe);
        &self.snapshot
    }

    /// Returns the last snapshot, which is empty before the first [`read`](Self::read).
    pub fn snapshot(&self) -> &Snapshot<HeapStorage> {
        &self.snapshot
    }

    /// Returns the handle through which it reads.
    pub fn metrics(&self) -> &RuntimeMetrics<R, P> {
        &self.metrics
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> RuntimeMetrics<R, P> {
    /// Takes a snapshot. A worker that can't be read is [missing](crate::WorkerSnapshot::is_missing) from it. To take
    /// snapshots repeatedly, use a [`SnapshotReader`].
    pub fn snapshot(&self) -> Snapshot<HeapStorage> {
        let mut snapshot = Snapshot::EMPTY;
        Cache::new(self.registry()).read(&mut snapshot, self.registry(), self.probe());
        snapshot
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe + Clone> RuntimeMetrics<R, P> {
    /// Creates a reader that takes snapshots repeatedly and reads only what has changed.
    pub fn reader(&self) -> SnapshotReader<R, P> {
        SnapshotReader::new(self.clone())
    }
}
