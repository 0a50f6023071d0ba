//! [`RecordingTarget`]: what a measured task keeps to find where its polls are recorded.

use std::sync::{Arc, Weak};

use portable_atomic::{AtomicUsize, Ordering};

use super::external::ExternalRow;
use super::runtime_leases::RuntimeLeases;
use crate::Registry;

/// A registry, and how the threads of its runtime relate to the workers.
///
/// It holds nothing of the runtime itself, so that whatever the runtime holds can hold it.
#[derive(Clone)]
pub(crate) struct RecordingTarget {
    pub(crate) registry: Arc<Registry>,
    /// `None` for an executor that no adapter knows.
    pub(crate) runtime: Option<Arc<dyn RuntimeLeases>>,
    pub(crate) external: Arc<ExternalRow>,
    /// Alive tasks of local executors.
    pub(crate) local_tasks: Arc<AtomicUsize>,
    /// Held by the runtime, its readers and its spawners, but not by the leases of threads.
    _owner: Option<Arc<Owner>>,
    owners: Weak<Owner>,
}

/// While one is alive, the registry may still be read or recorded into.
struct Owner;

/// How many registries have lost their last owner.
static ORPHANED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Owner {
    fn drop(&mut self) {
        // Ordering: release, with the acquire in `orphaned_registries`: a thread that sees the new count finds the owner gone.
        ORPHANED.fetch_add(1, Ordering::Release);
    }
}

/// How many registries of this process have lost their last owner. A thread gives its slots in them back when the number changes.
#[inline]
pub(crate) fn orphaned_registries() -> usize {
    // Ordering: acquire, with the release in `Owner::drop`.
    ORPHANED.load(Ordering::Acquire)
}

impl RecordingTarget {
    /// The target of tasks on any executor, or on one that calls the hooks of its workers.
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        let owner = Arc::new(Owner);
        Self {
            registry,
            runtime: None,
            external: Arc::default(),
            local_tasks: Arc::default(),
            owners: Arc::downgrade(&owner),
            _owner: Some(owner),
        }
    }

    /// The target of tasks on a runtime that an adapter knows.
    pub(crate) fn with_runtime(registry: Arc<Registry>, runtime: Arc<dyn RuntimeLeases>) -> Self {
        Self {
            runtime: Some(runtime),
            ..Self::new(registry)
        }
    }

    /// A copy for the lease of a thread, which does not own the registry.
    pub(crate) fn for_lease(&self) -> Self {
        Self {
            _owner: None,
            ..self.clone()
        }
    }

    /// Whether anything but leases, and the tasks spawned on their threads, holds this target.
    pub(crate) fn has_owner(&self) -> bool {
        self.owners.strong_count() > 0
    }
}
