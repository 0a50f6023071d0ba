//! The workers of the scripted runtime.

use core::fmt;
use core::time::Duration;
use metrics_core::{HeapStorage, LocationId, RegistryRef, TaskEnd, TimeSource as _, Worker};

use super::{MockRuntime, TaskId, script::Queue};

/// A worker of a [`MockRuntime`].
///
/// # Panics
/// Each method panics if the worker can't take that step now: if it is parked, or in a poll when the method must be called between
/// two polls. Methods that take a task panic if the task has ended.
pub struct MockWorker<'a, R: RegistryRef<Storage = HeapStorage>> {
    pub(super) runtime: &'a MockRuntime<R>,
    pub(super) position: usize,
}

#[allow(clippy::missing_panics_doc, reason = "the type documents them")]
impl<'a, R: RegistryRef<Storage = HeapStorage>> MockWorker<'a, R> {
    /// Spawns a task onto this worker's queue.
    ///
    /// Changes `spawned_tasks_count` and `local_schedule_count`.
    #[track_caller]
    pub fn spawn(&self, location: LocationId) -> TaskId {
        let mut script = self.runtime.script();
        script.check_awake(self.position, "spawn");
        let id = script.spawn(location, Queue::Local(self.position), self.runtime.clock.now());
        self.hooks().task_spawned_at(location);
        self.hooks().inc_local_schedule_count();
        id
    }

    /// Wakes a task from this worker. Adds it to this worker's queue unless it is already scheduled; if it is being polled, it is added
    /// after that poll.
    ///
    /// Changes `local_schedule_count` if the task was not scheduled.
    #[track_caller]
    pub fn wake(&self, task: TaskId) {
        let mut script = self.runtime.script();
        script.check_awake(self.position, "wake");
        if script.wake(task, Queue::Local(self.position), self.runtime.clock.now()) {
            self.hooks().inc_local_schedule_count();
        }
    }

    /// Polls a task for this duration: calls [`start_poll`](Self::start_poll), advances the clock, and calls
    /// [`end_poll`](Self::end_poll).
    #[track_caller]
    pub fn poll(&self, task: TaskId, duration: Duration) {
        self.start_poll(task);
        self.runtime.advance(duration);
        self.end_poll();
    }

    /// Starts a poll of a task in this worker's queue or in the global queue. The worker is then busy.
    ///
    /// Changes `schedule_latency` and the live record, and `busy_duration_total` as time passes.
    #[track_caller]
    pub fn start_poll(&self, task: TaskId) {
        let start = self.runtime.script().start_poll(self.position, task);
        // Also discards the timestamp of the last poll's end: the time since then is not part of this poll.
        self.hooks().start_processing_scheduled_tasks();
        self.hooks().start_poll(start);
    }

    /// Ends the poll in progress. The task then waits for its next poll if it was woken during this one, else for a wake.
    ///
    /// Changes `poll_count`, `poll_time` and `mean_poll_time`.
    #[track_caller]
    pub fn end_poll(&self) {
        self.runtime.script().end_poll(self.position);
        self.hooks().end_poll();
    }

    /// Records that the polled task has spent its budget: it is going to return `Pending` and is scheduled for another poll.
    ///
    /// Changes `budget_forced_yield_count`, and `local_schedule_count` if the task was not scheduled.
    #[track_caller]
    pub fn force_yield(&self) {
        let task = self.runtime.script().check_polling(self.position, "force_yield");
        self.hooks().inc_budget_forced_yield_count();
        self.wake(task);
    }

    /// Ends a task that is not being polled.
    ///
    /// Changes `completed_tasks_count`, `cancelled_tasks_count` or `panicked_tasks_count`.
    #[track_caller]
    pub fn end(&self, task: TaskId, end: TaskEnd) {
        let mut script = self.runtime.script();
        script.check_awake(self.position, "end");
        let location = script.end_task(task);
        self.hooks().task_ended_at(location, end);
    }

    /// Polls the root future of a `block_on` for this duration. It is not a task: the duration counts as busy time, not as poll time.
    ///
    /// Changes `root_polls`.
    #[track_caller]
    pub fn poll_root(&self, duration: Duration) {
        self.runtime
            .script()
            .check_between_polls(self.position, "poll_root");
        self.hooks().start_processing_scheduled_tasks();
        self.hooks().inc_root_polls();
        self.runtime.advance(duration);
    }

    /// Takes these tasks from the queues of other workers into its own, in one operation.
    ///
    /// Changes `steal_operations` by one and `steal_count` by the number of tasks.
    #[track_caller]
    pub fn steal(&self, tasks: &[TaskId]) {
        self.runtime.script().steal(self.position, tasks);
        self.hooks().inc_steal_count(tasks.len() as u64);
        self.hooks().inc_steal_operations();
    }

    /// Moves these tasks, for which the worker's queue has no room, to the global queue.
    ///
    /// Changes `overflow_count` by one and `overflow_tasks` by the number of tasks.
    #[track_caller]
    pub fn overflow(&self, tasks: &[TaskId]) {
        self.runtime.script().overflow(self.position, tasks);
        self.hooks().inc_overflow_count(tasks.len() as u64);
    }

    /// Records that the worker has no task left and searches for some. It is not busy until its next poll.
    ///
    /// Changes `busy_duration_total`, and `searching_duration_total` as time passes.
    #[track_caller]
    pub fn search(&self) {
        self.runtime.script().check_between_polls(self.position, "search");
        self.stop_being_busy();
    }

    /// Parks the worker. Readers then see everything that it has recorded.
    ///
    /// Changes `park_count`, `park_unpark_count` and `busy_duration_total`, `noop_count` if the worker has polled nothing since its last
    /// park, and `parked_duration_total` as time passes.
    #[track_caller]
    pub fn park(&self) {
        self.runtime.script().park(self.position);
        self.stop_being_busy();
        self.hooks().park();
    }

    /// Unparks the worker. It searches for tasks until its next poll.
    ///
    /// Changes `park_unpark_count`, and `searching_duration_total` as time passes.
    #[track_caller]
    pub fn unpark(&self) {
        self.runtime.script().unpark(self.position);
        self.hooks().unpark();
    }

    /// Parks the worker for this duration: calls [`park`](Self::park), advances the clock, and calls [`unpark`](Self::unpark).
    #[track_caller]
    pub fn park_for(&self, duration: Duration) {
        self.park();
        self.runtime.advance(duration);
        self.unpark();
    }

    fn stop_being_busy(&self) {
        // Otherwise the worker would have been busy only until the end of its last poll.
        self.hooks().discard_last_timestamp();
        self.hooks().end_processing_scheduled_tasks();
    }

    /// Submits the worker's batch. During a poll, the batch includes everything up to the start of that poll.
    pub fn submit(&self) {
        self.hooks().submit();
    }

    /// Returns the underlying worker, for hooks that have no method here.
    pub fn hooks(&self) -> &'a Worker<R> {
        &self.runtime.workers[self.position]
    }
}

impl<R: RegistryRef<Storage = HeapStorage>> fmt::Debug for MockWorker<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockWorker({})", self.position)
    }
}
