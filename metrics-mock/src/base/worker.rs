//! The hooks of a worker.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use metrics_core::{Heap, LeaseError, PollStart, Site, TaskEnd, Timestamp};

use super::registry::RegistryRef;

/// The recording side of one worker: a value without size whose hooks do nothing.
///
/// Like the real one it can be sent, not shared and not cloned.
pub struct Worker<R: RegistryRef<Storage = Heap>>(PhantomData<(R, Cell<()>)>);

impl<R: RegistryRef<Storage = Heap>> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// Hooks that do nothing.
impl<R: RegistryRef<Storage = Heap>> Worker<R> {
    /// A worker. The registry and the index are not kept.
    ///
    /// # Errors
    /// Never.
    pub fn lease(_registry: R, _index: usize) -> Result<Self, LeaseError> {
        Ok(Self(PhantomData))
    }

    /// A worker. The registry is not kept.
    ///
    /// # Errors
    /// Never.
    pub fn lease_any(_registry: R) -> Result<Self, LeaseError> {
        Ok(Self(PhantomData))
    }

    /// A worker. The registry is not kept.
    ///
    /// # Errors
    /// Never.
    pub fn lease_foreign(_registry: R) -> Result<Self, LeaseError> {
        Ok(Self(PhantomData))
    }

    /// Zero, whichever index was leased.
    #[inline(always)]
    pub fn index(&self) -> usize {
        0
    }

    /// Zero ticks, as without a clock.
    #[inline(always)]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ticks(0)
    }

    /// The worker is about to block until there is work.
    #[inline(always)]
    pub fn park(&self) {}

    /// The worker woke up.
    #[inline(always)]
    pub fn unpark(&self) {}

    /// The worker turns to its tasks.
    #[inline(always)]
    pub fn start_processing_scheduled_tasks(&self) {}

    /// The worker ran out of tasks.
    #[inline(always)]
    pub fn end_processing_scheduled_tasks(&self) {}

    /// A spawned task is about to be polled.
    #[inline(always)]
    pub fn start_poll(&self, _start: PollStart) {}

    /// The poll ended.
    #[inline(always)]
    pub fn end_poll(&self) {}

    /// Something took time that belongs to no poll.
    #[inline(always)]
    pub fn break_chain(&self) {}

    /// The poll's spawn site is known only now.
    #[inline(always)]
    pub fn set_site(&self, _site: Site) {}

    /// False: no poll is ever open.
    #[inline(always)]
    pub fn is_polling(&self) -> bool {
        false
    }

    /// `None`: no poll is measured.
    #[inline(always)]
    pub fn last_poll(&self) -> Option<u64> {
        None
    }

    /// The thread may have left the worker.
    #[inline(always)]
    pub fn leave(&self) {}

    /// A poll is over.
    #[inline(always)]
    pub fn record_poll(&self, _start: PollStart, _started: Timestamp, _ended: Timestamp) {}

    /// A task was scheduled from this worker onto its own queue.
    #[inline(always)]
    pub fn inc_local_schedule_count(&self) {}

    /// This many tasks were taken from another worker's queue.
    #[inline(always)]
    pub fn incr_steal_count(&self, _tasks: u64) {}

    /// A steal succeeded.
    #[inline(always)]
    pub fn incr_steal_operations(&self) {}

    /// The local queue overflowed.
    #[inline(always)]
    pub fn incr_overflow_count(&self, _tasks: u64) {}

    /// A poll returned `Pending` because its cooperative budget was spent.
    #[inline(always)]
    pub fn incr_budget_forced_yield_count(&self) {}

    /// A root future (`block_on`) was polled on this worker.
    #[inline(always)]
    pub fn incr_root_polls(&self) {}

    /// A measured future inside a measured task was polled.
    #[inline(always)]
    pub fn incr_nested_polls(&self) {}

    /// A task was accepted on this worker's thread.
    #[inline(always)]
    pub fn task_spawned(&self) {}

    /// A task ended on this worker's thread.
    #[inline(always)]
    pub fn task_ended(&self, _end: TaskEnd) {}

    /// The adapter's number for the thread that now runs the worker.
    #[inline(always)]
    pub fn set_thread(&self, _thread: u64) {}

    /// The runtime's tick.
    #[inline(always)]
    pub fn tick(&self) {}

    /// Publishes nothing.
    #[inline(always)]
    pub fn submit(&self) {}
}
