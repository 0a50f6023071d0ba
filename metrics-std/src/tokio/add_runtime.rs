//! Adds a runtime to the list of measured runtimes, once.

use std::sync::{Arc, Mutex, PoisonError};

use metrics_core::{NoProbe, RECORDING};
use tokio::runtime::Handle;

use super::attach_error::AttachError;
use super::by_id::{self, Options};
use super::leases::TokioLeases;
use super::probe::TokioProbe;
use super::sentinel::Watched;
use crate::os::Os;
use crate::process_probe::ProcessProbe;
use crate::record::runtime_leases::RuntimeLeases;
use crate::record::target::RecordingTarget;
use crate::{Registry, RuntimeMetrics};

/// Creates the reader of a runtime and lists the runtime until it shuts down.
pub(super) fn add(
    runtime: &Handle,
    target: &Arc<RecordingTarget>,
    leases: &Arc<TokioLeases>,
    os: Os,
) -> RuntimeMetrics {
    leases.set_runtime(runtime);
    let registry = Arc::clone(&target.registry);
    if !RECORDING {
        return RuntimeMetrics::with_probe(registry, ProcessProbe::new(Arc::clone(target), NoProbe));
    }
    let watched = Watched::new(runtime);
    let probe = TokioProbe::new(&watched, target, leases, os);
    let metrics = RuntimeMetrics::with_probe(registry, ProcessProbe::new(Arc::clone(target), probe));
    by_id::add(runtime.id(), &metrics);
    // The end removes it from the list, so it is listed first.
    watched.watch(runtime);
    metrics
}

/// Held while a runtime is looked up and added, so that two threads do not both add it. The user's clock and task hooks are called while
/// it is held.
static ATTACHING: Mutex<()> = Mutex::new(());

/// Returns the reader of a runtime: the existing one, or a new one that records in `registry`.
pub(super) fn find_or_add(
    runtime: &Handle,
    registry: Arc<Registry>,
    os: Os,
) -> Result<RuntimeMetrics, AttachError> {
    let _attaching = ATTACHING.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Options::of(&registry);
    match by_id::find(runtime.id(), &options) {
        Some((metrics, true)) => return Ok(metrics),
        Some((metrics, false)) => {
            return Err(AttachError::OtherOptions {
                name: metrics.name().into(),
            });
        }
        None => {}
    }
    let leases = Arc::new(TokioLeases::attached(&registry, runtime));
    let assigns: Arc<dyn RuntimeLeases> = Arc::<TokioLeases>::clone(&leases);
    let target = Arc::new(RecordingTarget::with_runtime(registry, assigns));
    let metrics = add(runtime, &target, &leases, os);
    // A runtime that has shut down drops a new task at once, which removes the runtime from the list.
    if RECORDING && by_id::find(runtime.id(), &options).is_none() {
        return Err(AttachError::RuntimeEnded);
    }
    Ok(metrics)
}
