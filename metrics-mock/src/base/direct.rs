//! The hooks of a `static` registry's worker.

use core::marker::PhantomData;

use metrics_core::{BucketWidth, Buckets64, PollStart, TaskEnd, TimeSource, Timestamp};

/// A worker of a `static` registry: a value without size whose hooks do nothing.
#[derive(Debug)]
pub struct DirectWorker<T: 'static, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth = Buckets64>(
    PhantomData<&'static T>,
    PhantomData<C>,
);

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Clone
    for DirectWorker<T, WORKERS, BUCKETS, C>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Copy
    for DirectWorker<T, WORKERS, BUCKETS, C>
{
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> DirectWorker<T, WORKERS, BUCKETS, C> {
    pub(super) const fn new() -> Self {
        Self(PhantomData, PhantomData)
    }
}

/// Hooks that do nothing.
impl<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
    DirectWorker<T, WORKERS, BUCKETS, C>
{
    /// Zero ticks, as without a clock.
    #[inline(always)]
    pub fn now(self) -> Timestamp {
        Timestamp::from_ticks(0)
    }

    /// The worker is about to wait for an interrupt.
    #[inline(always)]
    pub fn park(self) {}

    /// The worker woke up.
    #[inline(always)]
    pub fn unpark(self) {}

    /// The worker turns to its tasks.
    #[inline(always)]
    pub fn start_processing_scheduled_tasks(self) {}

    /// The worker ran out of tasks.
    #[inline(always)]
    pub fn end_processing_scheduled_tasks(self) {}

    /// A task is about to be polled.
    #[inline(always)]
    pub fn start_poll(self, _start: PollStart) {}

    /// The poll ended.
    #[inline(always)]
    pub fn end_poll(self) {}

    /// Something took time that belongs to no poll.
    #[inline(always)]
    pub fn break_chain(self) {}

    /// A task was scheduled from this worker onto its own queue.
    #[inline(always)]
    pub fn inc_local_schedule_count(self) {}

    /// A poll returned `Pending` because its cooperative budget was spent.
    #[inline(always)]
    pub fn incr_budget_forced_yield_count(self) {}

    /// A task was accepted by this worker's executor.
    #[inline(always)]
    pub fn task_spawned(self) {}

    /// A task of this worker's executor ended.
    #[inline(always)]
    pub fn task_ended(self, _end: TaskEnd) {}
}
