//! The hooks of those who are on no worker.

use core::marker::PhantomData;

use metrics_core::{Storage, TaskEnd, Timestamp};

use super::registry::Registry;

/// What any thread may call: it counts nothing.
#[derive(Debug)]
pub struct SharedCounters<'a, S: Storage>(PhantomData<&'a Registry<S, ()>>);

impl<S: Storage> SharedCounters<'_, S> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// Hooks that do nothing.
impl<S: Storage> SharedCounters<'_, S> {
    /// A task was accepted, from a thread that is no worker.
    #[inline(always)]
    pub fn task_spawned(&self) {}

    /// A task ended on a thread that is no worker.
    #[inline(always)]
    pub fn task_ended(&self, _end: TaskEnd) {}

    /// A task was scheduled onto the global queue from outside a worker.
    #[inline(always)]
    pub fn remote_schedule(&self) {}

    /// Something was registered with the I/O driver.
    #[inline(always)]
    pub fn io_registered(&self) {}

    /// Something was deregistered from the I/O driver.
    #[inline(always)]
    pub fn io_deregistered(&self) {}

    /// The I/O driver delivered so many readiness events.
    #[inline(always)]
    pub fn io_ready(&self, _events: u64) {}

    /// A blocking closure started.
    #[inline(always)]
    pub fn blocking_started(&self, _queued: Timestamp, _started: Timestamp) {}
}
