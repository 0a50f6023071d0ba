//! One runtime's snapshot, laid out for the exporter.

use core::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use metrics_core::{Heap, Measurements, Probe, RegistryRef, RuntimeMetrics, Snapshot, WorkerSnapshot};

/// Names of labels and their values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A runtime that can be read, whatever its registry and its probe are.
pub(super) trait Source: Send + Sync {
    /// The runtime's name.
    fn name(&self) -> &str;
    /// Its numbers now.
    fn read(&self) -> Runtime;
}

/// A runtime and what the last scrape saw of it: a worker that can't be read just now stays where it was, and no counter
/// goes back from one scrape to the next.
pub(super) struct Exported<R: RegistryRef, P> {
    metrics: RuntimeMetrics<R, P>,
    last: Mutex<Arc<Snapshot<R::Storage>>>,
}

impl<R: RegistryRef, P> Exported<R, P> {
    pub(super) fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            metrics,
            last: Mutex::default(),
        }
    }
}

impl<R, P> Source for Exported<R, P>
where
    R: RegistryRef<Storage = Heap> + Send + Sync,
    P: Probe + Send + Sync,
{
    fn name(&self) -> &str {
        self.metrics.name()
    }

    fn read(&self) -> Runtime {
        let snapshot = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            // Copied only while another scraper still writes its page from it.
            self.metrics.snapshot_into(Arc::make_mut(&mut last));
            Arc::clone(&last)
        };
        let workers = snapshot.workers().map(|worker| Worker {
            label: worker.index().to_string(),
            worker,
        });
        let foreign = snapshot.foreign().map(|worker| Worker {
            label: "foreign".to_owned(),
            worker,
        });
        Runtime {
            workers: workers.chain(foreign).collect(),
            total: snapshot.total(),
            snapshot,
        }
    }
}

/// A snapshot, and what every family would draw from it anew.
pub(super) struct Runtime {
    pub(super) total: Measurements<Heap>,
    pub(super) workers: Vec<Worker>,
    snapshot: Arc<Snapshot<Heap>>,
}

impl Deref for Runtime {
    type Target = Snapshot<Heap>;

    fn deref(&self) -> &Snapshot<Heap> {
        &self.snapshot
    }
}

/// One worker, and how its label calls it.
pub(super) struct Worker {
    /// Its index, or `foreign` for threads that are none of the runtime's workers.
    pub(super) label: String,
    worker: WorkerSnapshot<Heap>,
}

impl Worker {
    /// The thread that runs it, if one does.
    pub(super) fn thread_labels(&self) -> Option<Labels> {
        Some(vec![
            ("thread", self.thread()?.to_string()),
            ("thread_name", self.thread_name().to_owned()),
        ])
    }

    /// The spawn site of the task that it is polling, if it is polling one and its site is known.
    pub(super) fn site_labels(&self) -> Option<Labels> {
        let site = self.site_name();
        (!site.is_empty()).then(|| vec![("site", site.to_owned())])
    }
}

impl Deref for Worker {
    type Target = WorkerSnapshot<Heap>;

    fn deref(&self) -> &WorkerSnapshot<Heap> {
        &self.worker
    }
}
