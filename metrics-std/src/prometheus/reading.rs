//! One runtime's snapshot, laid out for the exporter.

use crate::{ProcessProbe, Registry, Runtimes};
use core::ops::Deref;
use metrics_core::{Heap, Measurements, Probe, RegistryRef, RuntimeMetrics, Snapshot, WorkerSnapshot};
use std::sync::{Arc, Mutex, PoisonError};

/// Names of labels and their values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// One runtime or several that can be read, whatever their registries and probes are.
pub(super) trait Source: Send + Sync {
    /// The names of the runtimes.
    fn names(&self) -> Vec<String>;
    /// Adds their numbers now.
    fn read(&self, to: &mut Vec<Runtime>);
}

/// A runtime and what the last scrape saw of it: a worker that can't be read just now stays where it was, and no counter
/// goes back from one scrape to the next.
pub(super) struct Exported<R: RegistryRef, P> {
    metrics: RuntimeMetrics<R, P>,
    last: Mutex<Arc<Snapshot<R::Storage>>>,
}

impl<R: RegistryRef<Storage = Heap>, P: Probe> Exported<R, P> {
    pub(super) fn new(metrics: RuntimeMetrics<R, P>) -> Self {
        Self {
            metrics,
            last: Mutex::default(),
        }
    }

    fn read_one(&self) -> Runtime {
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

impl<R, P> Source for Exported<R, P>
where
    R: RegistryRef<Storage = Heap> + Send + Sync,
    P: Probe + Send + Sync,
{
    fn names(&self) -> Vec<String> {
        vec![self.metrics.name().to_owned()]
    }

    fn read(&self, to: &mut Vec<Runtime>) {
        to.push(self.read_one());
    }
}

/// Whatever is in a list of runtimes when somebody scrapes.
pub(super) struct Listed {
    list: Runtimes,
    exported: Mutex<Vec<Exported<Arc<Registry>, ProcessProbe>>>,
}

impl Listed {
    pub(super) fn new(list: &Runtimes) -> Self {
        Self {
            list: list.clone(),
            exported: Mutex::default(),
        }
    }
}

impl Source for Listed {
    fn names(&self) -> Vec<String> {
        let listed = self.list.all();
        listed.iter().map(|metrics| metrics.name().to_owned()).collect()
    }

    fn read(&self, to: &mut Vec<Runtime>) {
        let mut exported = self.exported.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = core::mem::take(&mut *exported);
        for metrics in self.list.all() {
            let same =
                |known: &Exported<_, ProcessProbe>| Arc::ptr_eq(known.metrics.registry(), metrics.registry());
            let one = match before.iter().position(same) {
                Some(place) => before.swap_remove(place),
                None => Exported::new(metrics),
            };
            to.push(one.read_one());
            exported.push(one);
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
