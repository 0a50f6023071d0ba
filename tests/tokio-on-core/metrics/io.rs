//! Counters of the I/O driver.

use super::Registry;

pub(crate) struct IoDriverMetrics(Registry);

impl IoDriverMetrics {
    pub(crate) fn new(registry: Registry) -> Self {
        Self(registry)
    }

    pub(crate) fn incr_fd_count(&self) {
        self.0.shared().io_registered();
    }

    pub(crate) fn dec_fd_count(&self) {
        self.0.shared().io_deregistered();
    }

    pub(crate) fn incr_ready_count_by(&self, amt: u64) {
        self.0.shared().io_ready(amt);
    }
}
