//! The scripted runtime: its clock, and events outside its workers.

mod probe;
mod script;
mod worker;

pub use probe::MockProbe;
pub use script::TaskId;
pub use worker::MockWorker;

use alloc::{sync::Arc, vec::Vec};
use core::cell::{RefCell, RefMut};
use core::fmt;
use core::time::Duration;
use metrics_core::{
    BlockingStart, HeapStorage, LocationId, RECORDING, RegistryRef, SharedCounters, TaskEnd, TimeSource as _,
    Worker,
};

use crate::ManualClock;
use script::{Queue, Script};

/// A scripted runtime for tests. It records each step of the script through the hooks that a real runtime calls.
///
/// It runs no futures and starts no threads. The test spawns tasks, polls them for a duration and parks workers. The counters,
/// histograms and live records change as they would in a real runtime. The crate documentation has an example.
///
/// # Guarantees
/// - Time advances only when the test advances it: by [`advance`](Self::advance), by a method that takes a [`Duration`], or through
///   the clock. A poll of 3 ms is recorded as 3 ms.
/// - Each method changes only the metrics that its documentation names.
/// - A worker's records become visible to readers as in production: after a park, an unpark, or a poll that ends later than the
///   submit interval. [`flush`](Self::flush) makes all records visible.
/// - An impossible step panics with a message that suggests a valid one, for example a poll of a task that is not scheduled, or on a
///   parked worker.
pub struct MockRuntime<R: RegistryRef<Storage = HeapStorage>> {
    workers: Vec<Worker<R>>,
    clock: Arc<ManualClock>,
    script: RefCell<Script>,
}

impl<R: RegistryRef<Storage = HeapStorage>> MockRuntime<R> {
    /// Creates a runtime of these workers, whose registry reads `clock`. All workers are unparked and have no tasks.
    ///
    /// With `metrics-std`, pass the workers that `metrics_std::build(.., Clock::custom(Arc::clone(&clock)), ..)` returned.
    ///
    /// # Panics
    /// Panics if recording is off ([`RECORDING`]), if there are no workers, if the workers belong to several registries, or if
    /// their registry has another clock.
    #[track_caller]
    pub fn new(workers: Vec<Worker<R>>, clock: Arc<ManualClock>) -> Self {
        let probe = MockProbe::new(workers.len());
        Self::with_probe(workers, clock, &probe)
    }

    /// Creates a runtime whose queue depths `probe` reports. Otherwise behaves as [`new`](Self::new).
    ///
    /// # Panics
    /// Panics as [`new`](Self::new) does, and if the probe was created for another number of workers.
    #[track_caller]
    pub fn with_probe(workers: Vec<Worker<R>>, clock: Arc<ManualClock>, probe: &MockProbe) -> Self {
        Self::make(true, workers, clock, probe)
    }

    /// Creates a runtime for tests of a build without recording. All steps are valid, and every metric remains `None`.
    ///
    /// # Panics
    /// Panics as [`new`](Self::new) does, but if recording is on instead of off.
    #[track_caller]
    pub fn without_recording(workers: Vec<Worker<R>>, clock: Arc<ManualClock>) -> Self {
        let probe = MockProbe::new(workers.len());
        Self::make(false, workers, clock, &probe)
    }

    #[track_caller]
    fn make(recording: bool, workers: Vec<Worker<R>>, clock: Arc<ManualClock>, probe: &MockProbe) -> Self {
        match (recording, RECORDING) {
            (true, false) => panic!(
                "recording is off: `metrics-core` is built without its feature `record`, so every metric is `None`. Run this \
                 test with the feature, or use `MockRuntime::without_recording` to test a build without it"
            ),
            (false, true) => panic!(
                "recording is on: `cargo tree -e features -i metrics-core` lists what enables the feature `record`"
            ),
            _ => {}
        }
        let made_for = probe.0.local.len();
        assert!(
            made_for == workers.len(),
            "the probe was made for {made_for} workers, and there are {}: pass that number to `MockProbe::new`",
            workers.len()
        );
        let Some(first) = workers.first() else {
            panic!("a runtime needs at least one worker: pass those of its registry");
        };
        let registry: *const _ = &raw const **first.registry();
        assert!(
            workers
                .iter()
                .all(|worker| core::ptr::eq(&raw const **worker.registry(), registry)),
            "the workers belong to several registries: make one `MockRuntime` for each"
        );
        if first.registry().is_timed() {
            assert!(
                reads(first, &clock),
                "the workers' registry has another clock: give the same `Arc<ManualClock>` to it and to `MockRuntime::new`"
            );
        }
        Self {
            script: RefCell::new(Script::new(workers.len(), Arc::clone(&probe.0))),
            workers,
            clock,
        }
    }

    /// Returns the worker at this position in the vector that was passed to [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if there is no such worker.
    #[track_caller]
    pub fn worker(&self, position: usize) -> MockWorker<'_, R> {
        let workers = self.workers.len();
        assert!(
            position < workers,
            "the runtime has no worker {position}: it has {workers}, counted from 0"
        );
        MockWorker {
            runtime: self,
            position,
        }
    }

    /// Advances the clock. Queued tasks wait meanwhile, and polls and parks in progress continue.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Spawns a task from a thread that is not a worker. The task is added to the global queue.
    ///
    /// Changes `spawned_tasks_count` and `remote_schedule_count`.
    pub fn spawn(&self, location: LocationId) -> TaskId {
        let id = self.script().spawn(location, Queue::Global, self.clock.now());
        self.shared().task_spawned_at(location);
        self.shared().remote_schedule();
        id
    }

    /// Wakes a task from a thread that is not a worker. Adds it to the global queue unless it is already scheduled; if it is being polled,
    /// it is added after that poll.
    ///
    /// Changes `remote_schedule_count` if the task was not scheduled.
    ///
    /// # Panics
    /// Panics if the task has ended.
    #[track_caller]
    pub fn wake(&self, task: TaskId) {
        if self.script().wake(task, Queue::Global, self.clock.now()) {
            self.shared().remote_schedule();
        }
    }

    /// Cancels a task from a thread that is not a worker. [`MockWorker::end`] ends a task on a worker.
    ///
    /// Changes `cancelled_tasks_count`.
    ///
    /// # Panics
    /// Panics if the task has ended or is being polled.
    #[track_caller]
    pub fn cancel(&self, task: TaskId) {
        let location = self.script().end_task(task);
        self.shared().task_ended_at(location, TaskEnd::Cancelled);
    }

    /// Starts a closure on the blocking pool after it was queued for this duration.
    ///
    /// Changes `blocking_queue_wait`.
    pub fn block(&self, queued: Duration) {
        let queued_at = self.clock.now();
        self.advance(queued);
        self.shared().blocking_started(BlockingStart {
            queued_at,
            started_at: self.clock.now(),
        });
    }

    /// Submits every worker's batch, so that snapshots include everything that was recorded.
    pub fn flush(&self) {
        for worker in &self.workers {
            worker.submit();
        }
    }

    fn shared(&self) -> SharedCounters<'_, HeapStorage> {
        self.workers[0].registry().shared()
    }

    fn script(&self) -> RefMut<'_, Script> {
        self.script.borrow_mut()
    }
}

/// Returns whether `worker` reads `clock`, by moving `clock` one tick forward and back.
fn reads<R: RegistryRef<Storage = HeapStorage>>(worker: &Worker<R>, clock: &ManualClock) -> bool {
    let now = clock.now();
    let other = now.ticks() ^ 1;
    clock.set_ticks(other);
    let follows = worker.now().ticks() == other;
    clock.set_ticks(now.ticks());
    follows && worker.now() == now
}

impl<R: RegistryRef<Storage = HeapStorage>> fmt::Debug for MockRuntime<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockRuntime")
            .field("workers", &self.workers.len())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
