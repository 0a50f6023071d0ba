//! What a worker records in Tokio's thread hooks.

use std::sync::Arc;

use super::leases::TokioLeases;
use crate::record::runtime_leases::PolledBy;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;

/// What the thread hooks of one runtime need.
#[derive(Clone)]
pub(super) struct ThreadHooks {
    pub(super) target: Arc<RecordingTarget>,
    pub(super) leases: Arc<TokioLeases>,
}

impl ThreadHooks {
    /// The thread is about to block until there is work.
    pub(super) fn park(&self) {
        if let Some(lease) = thread_leases::lease_for_poll(&self.target, PolledBy::Runtime) {
            lease.worker.park();
        }
        self.leases.stop_busy();
    }

    /// The thread has woken up.
    pub(super) fn unpark(&self) {
        self.leases.start_busy();
        if let Some(lease) = thread_leases::lease_for_poll(&self.target, PolledBy::Runtime) {
            lease.worker.unpark();
            if lease.options.reports_parks {
                lease.worker.start_processing_scheduled_tasks();
            }
        }
    }

    /// The thread has started.
    pub(super) fn start(&self) {
        self.leases.thread_started();
    }

    /// The thread is about to end.
    pub(super) fn stop(&self) {
        thread_leases::release(&self.target.registry);
        self.leases.thread_stopped();
    }
}
