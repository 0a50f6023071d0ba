//! Records the events of worker threads through Tokio's thread hooks.

use std::sync::Arc;

use super::leases::TokioLeases;
use crate::record::runtime_leases::PolledBy;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;

/// The thread hooks of one runtime.
#[derive(Clone)]
pub(super) struct ThreadHooks {
    pub(super) target: Arc<RecordingTarget>,
    pub(super) leases: Arc<TokioLeases>,
}

impl ThreadHooks {
    /// Records that the thread is about to block until there is work.
    pub(super) fn park(&self) {
        if let Some(lease) = thread_leases::lease_for_poll(&self.target, PolledBy::Runtime) {
            lease.worker.park();
        }
        self.leases.stop_busy();
    }

    /// Records that the thread has woken up.
    pub(super) fn unpark(&self) {
        self.leases.start_busy();
        if let Some(lease) = thread_leases::lease_for_poll(&self.target, PolledBy::Runtime) {
            lease.worker.unpark();
            if lease.options.reports_parks {
                lease.worker.start_processing_scheduled_tasks();
            }
        }
    }

    /// Records that the thread has started.
    pub(super) fn start(&self) {
        self.leases.thread_started();
    }

    /// Records that the thread is about to end.
    pub(super) fn stop(&self) {
        thread_leases::release(&self.target.registry);
        self.leases.thread_stopped();
    }
}
