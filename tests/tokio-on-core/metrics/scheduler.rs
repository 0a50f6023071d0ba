//! Counters of events that may happen outside the workers.

use super::Registry;
use crate::runtime::{context, Config};
use metrics_core::Worker;
use std::sync::{Arc, Mutex};

pub(crate) struct SchedulerMetrics {
    registry: Registry,
    /// Counts for threads that are no workers, which share it. It takes a slot once such a thread needs it.
    external: Mutex<Option<Worker<Registry>>>,
}

impl SchedulerMetrics {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            registry: Arc::clone(&config.metrics),
            external: Mutex::new(None),
        }
    }

    pub(crate) fn inc_remote_schedule_count(&self) {
        self.registry.shared().remote_schedule();
    }

    /// Counts a forced yield, for the worker that the thread runs. Task budgets also apply in `block_on`, on threads that
    /// run none.
    pub(crate) fn inc_budget_forced_yield_count(&self) {
        let of_a_worker = context::with_scheduler(|scheduler| {
            scheduler.is_some_and(|scheduler| scheduler.inc_budget_forced_yield_count())
        });
        if !of_a_worker {
            let mut external = self.external.lock().unwrap();
            let external = external.get_or_insert_with(|| {
                Worker::lease_external(Arc::clone(&self.registry)).expect("the registry has room")
            });
            external.inc_budget_forced_yield_count();
            external.submit();
        }
    }
}
