//! The part of the recording API that the testbed uses, doing nothing: what is left of the testbed is the bare loop.

use core::fmt::Error;
use std::sync::Arc;

pub trait TimeSource {
    fn now(&self) -> Timestamp;
}
#[derive(Clone, Copy)]
pub struct Clock;
impl TimeSource for Clock {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp
    }
}
#[derive(Clone, Copy, Default)]
pub struct Timestamp;
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Site;
pub mod site {
    pub fn intern(_: &'static core::panic::Location<'static>) -> super::Site {
        super::Site
    }
}
#[derive(Clone, Copy, Default)]
pub struct PollStart {
    pub scheduled_at: Option<Timestamp>,
    pub site: Site,
}
pub struct WakeStamp;
impl WakeStamp {
    pub const fn new() -> Self {
        Self
    }
    #[inline]
    pub fn take(&self) -> Option<Timestamp> {
        None
    }
}
#[derive(Clone, Copy)]
pub enum TaskEnd {
    Completed,
    Cancelled,
    Panicked,
}
#[derive(Clone, Copy)]
pub enum Counter {
    RootPolls,
}
#[derive(Clone, Copy)]
pub struct CounterSet;
impl CounterSet {
    pub const ALL: Self = Self;
    pub fn without(self, _: Counter) -> Self {
        self
    }
}
pub struct Registry;
impl Registry {
    pub fn shared(&self) -> Shared {
        Shared
    }
    pub fn clock(&self) -> Clock {
        Clock
    }
    #[inline]
    pub fn stamp(&self, _: &WakeStamp) {}
}
pub struct Shared;
impl Shared {
    pub fn task_spawned(&self) {}
    pub fn task_ended(&self, _: TaskEnd) {}
    pub fn remote_schedule(&self) {}
    pub fn io_registered(&self) {}
    pub fn io_deregistered(&self) {}
    pub fn io_ready(&self, _: u64) {}
    pub fn blocking_started(&self, _: Timestamp, _: Timestamp) {}
}
pub struct Worker;
pub type Entered = Worker;
pub fn enter(worker: Worker) -> Entered {
    worker
}
impl Worker {
    pub fn lease<R>(_: R, _: usize) -> Result<Self, Error> {
        Ok(Self)
    }
    pub fn start_poll(&self, _: PollStart) {}
    pub fn end_poll(&self) {}
    pub fn park(&self) {}
    pub fn unpark(&self) {}
    pub fn tick(&self) {}
    pub fn submit(&self) {}
    pub fn set_thread(&self, _: u64) {}
    pub fn start_processing_scheduled_tasks(&self) {}
    pub fn end_processing_scheduled_tasks(&self) {}
    pub fn inc_local_schedule_count(&self) {}
    pub fn incr_overflow_count(&self, _: u64) {}
    pub fn incr_steal_count(&self, _: u64) {}
    pub fn incr_steal_operations(&self) {}
    pub fn incr_budget_forced_yield_count(&self) {}
    pub fn incr_root_polls(&self) {}
    pub fn task_spawned(&self) {}
    pub fn task_ended(&self, _: TaskEnd) {}
}
#[derive(Clone, Copy)]
pub struct Builder<'a>(core::marker::PhantomData<&'a ()>);
impl Builder<'_> {
    pub fn new() -> Self {
        Self(core::marker::PhantomData)
    }
    pub fn workers(self, _: usize) -> Self {
        self
    }
    pub fn counters(self, _: CounterSet) -> Self {
        self
    }
}
pub fn build<P>(_: Builder<'_>, _: Clock, _: P) -> Result<(RuntimeMetrics, ()), Error> {
    Ok((RuntimeMetrics(Arc::new(Registry)), ()))
}
pub trait Probe {
    fn local_queue_depth(&self, _: usize) -> Option<u64>;
    fn global_queue_depth(&self) -> Option<u64>;
    fn num_alive_tasks(&self) -> Option<u64>;
    fn num_blocking_threads(&self) -> Option<u64>;
    fn num_idle_blocking_threads(&self) -> Option<u64>;
    fn blocking_queue_depth(&self) -> Option<u64>;
}
#[derive(Clone)]
pub struct RuntimeMetrics(Arc<Registry>);
impl RuntimeMetrics {
    pub fn registry(&self) -> &Arc<Registry> {
        &self.0
    }
}
