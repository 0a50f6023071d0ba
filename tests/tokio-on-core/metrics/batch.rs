//! The hooks that a scheduler calls.

use super::{Registry, ScheduleLatencyContext, WorkerMetrics};
use metrics_core::{PollStart, Worker};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct MetricsBatch(Worker<Registry>);

impl MetricsBatch {
    pub(crate) fn new(worker: &WorkerMetrics) -> Self {
        Self::lease(worker.registry(), worker.index())
    }

    fn lease(registry: &Registry, index: usize) -> Self {
        Self(Worker::lease(Arc::clone(registry), index).expect("the registry has room for each worker"))
    }

    /// Prepares the worker to continue on another thread, in the middle of a poll.
    ///
    /// Returns the batch in which this thread records the end of its poll. The worker records into a new slot: each slot
    /// has one writer.
    pub(crate) fn hand_over(&mut self) -> Self {
        let next = Self::lease(self.0.registry(), self.0.index());
        std::mem::replace(self, next)
    }

    /// Does nothing: the hooks submit at parks and, while the worker is busy, at the ends of polls.
    pub(crate) fn submit(&mut self, _: &WorkerMetrics, _mean_poll_time: u64) {}

    pub(crate) fn about_to_park(&mut self) {
        self.0.park();
    }

    pub(crate) fn unparked(&mut self) {
        self.0.unpark();
    }

    pub(crate) fn start_processing_scheduled_tasks(&mut self) {
        self.0.start_processing_scheduled_tasks();
    }

    pub(crate) fn end_processing_scheduled_tasks(&mut self) {
        self.0.end_processing_scheduled_tasks();
    }

    /// Returns the schedule latency, for the callbacks of a poll.
    pub(crate) fn start_poll(&mut self, scheduled_at: Option<ScheduleLatencyContext>) -> Option<Duration> {
        let start = PollStart {
            scheduled_at,
            ..PollStart::default()
        };
        self.0.start_poll(start).duration()
    }

    /// Ends the poll of a task and starts that of the next one, from the LIFO slot. Tokio records both as one poll.
    pub(crate) fn record_schedule_latency(
        &mut self,
        scheduled_at: Option<ScheduleLatencyContext>,
    ) -> Option<Duration> {
        self.end_poll();
        self.start_poll(scheduled_at)
    }

    pub(crate) fn end_poll(&mut self) {
        self.0.end_poll();
    }

    /// Counts a poll of the future of `block_on`. The time since the last poll of a task belongs to it.
    pub(crate) fn root_polled(&mut self) {
        self.0.inc_root_polls();
    }

    /// Reports that no thread runs the worker until the next `block_on`.
    pub(crate) fn idle(&mut self) {
        self.0.idle();
    }

    pub(crate) fn inc_local_schedule_count(&mut self) {
        self.0.inc_local_schedule_count();
    }

    pub(crate) fn inc_budget_forced_yield_count(&mut self) {
        self.0.inc_budget_forced_yield_count();
    }

    pub(crate) fn incr_steal_count(&mut self, by: u16) {
        self.0.inc_steal_count(by.into());
    }

    pub(crate) fn incr_steal_operations(&mut self) {
        self.0.inc_steal_operations();
    }

    pub(crate) fn incr_overflow_count(&mut self, tasks: u64) {
        self.0.inc_overflow_count(tasks);
    }
}
