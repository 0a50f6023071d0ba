//! [`RecordingTarget`]: a measured task keeps it to find where its polls are recorded.

use std::sync::{Arc, Weak};

use portable_atomic::{AtomicUsize, Ordering};

use super::census::Census;
use super::external::ExternalRow;
use super::runtime_leases::RuntimeLeases;
use crate::Registry;

/// A registry, and the assignment of its runtime's threads to workers.
///
/// It holds no part of the runtime, so that tasks and hooks, which the runtime holds, can hold it.
#[derive(Clone)]
pub(crate) struct RecordingTarget {
    pub(crate) registry: Arc<Registry>,
    /// `None` for an executor without an adapter.
    pub(crate) runtime: Option<Arc<dyn RuntimeLeases>>,
    pub(crate) external: Arc<ExternalRow>,
    /// `None` if the registry keeps no census.
    pub(crate) census: Option<Arc<Census>>,
    /// Number of alive tasks of local executors.
    pub(crate) local_tasks: Arc<AtomicUsize>,
    /// Held by the runtime, its readers and its spawners, but not by the leases of threads.
    _owner: Option<Arc<Owner>>,
    owners: Weak<Owner>,
}

/// Its reference count is the number of owners. While there is one, the registry may still be read or recorded into.
struct Owner;

/// Number of registries that have lost their last owner.
static ORPHANED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Owner {
    fn drop(&mut self) {
        // Ordering: release, pairs with the acquire in `orphaned_registries`: a thread that sees the new count sees no owner.
        ORPHANED.fetch_add(1, Ordering::Release);
    }
}

/// Returns the number of registries of this process that have lost their last owner. When it changes, a thread gives back its slots in
/// them.
#[inline]
pub(crate) fn orphaned_registries() -> usize {
    // Ordering: acquire, pairs with the release in `Owner::drop`.
    ORPHANED.load(Ordering::Acquire)
}

impl RecordingTarget {
    /// Creates a target for tasks on an executor without an adapter.
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        let owner = Arc::new(Owner);
        Self {
            census: Census::new(&registry),
            registry,
            runtime: None,
            external: Arc::default(),
            local_tasks: Arc::default(),
            owners: Arc::downgrade(&owner),
            _owner: Some(owner),
        }
    }

    /// Creates a target for tasks on a runtime with an adapter.
    pub(crate) fn with_runtime(registry: Arc<Registry>, runtime: Arc<dyn RuntimeLeases>) -> Self {
        Self {
            runtime: Some(runtime),
            ..Self::new(registry)
        }
    }

    /// Returns a copy for the lease of a thread. The copy does not own the registry.
    pub(crate) fn for_lease(&self) -> Self {
        Self {
            _owner: None,
            ..self.clone()
        }
    }

    /// Returns whether this target has an owner: a holder other than leases and the tasks spawned on their threads.
    pub(crate) fn has_owner(&self) -> bool {
        self.owners.strong_count() > 0
    }
}
