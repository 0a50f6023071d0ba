//! What a measured task keeps of its runtime: where its polls are recorded.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use metrics_core::{PollStart, Sampling, TaskEnd, Timestamp};

use crate::record::lease::{self as current, Lease, Spot, Terms};
use crate::{Registry, Worker};

/// The registry of a runtime and how its threads relate to its workers. Holds nothing of the runtime itself, so that
/// whatever the runtime holds may hold this.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) registry: Arc<Registry>,
    /// Held by the runtime, its readers and its spawners, but not by the leases of threads.
    _wanted: Option<Arc<Wanted>>,
    wanted_by: Weak<Wanted>,
    foreign: Arc<Mutex<Foreign>>,
    #[cfg(feature = "tokio")]
    pub(crate) tokio: Option<Arc<crate::tokio::Host>>,
}

/// As long as it lives, somebody may ask for a registry's numbers or count in it.
struct Wanted;

impl Drop for Wanted {
    fn drop(&mut self) {
        current::home_is_gone();
    }
}

/// The row of threads that can't have a slot of their own.
#[derive(Default)]
struct Foreign {
    worker: Option<Worker>,
    /// The threads that are in the middle of a poll.
    polling: Vec<ThreadMark>,
}

/// What is known of where a task is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// The runtime it was spawned on, and nobody else.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    Spawned,
    /// Whoever has it: another future, another executor.
    Anyone,
}

impl Home {
    /// The home of an executor that is asked nothing.
    pub(crate) fn of(registry: Arc<Registry>) -> Self {
        let wanted = Arc::new(Wanted);
        Self {
            registry,
            wanted_by: Arc::downgrade(&wanted),
            _wanted: Some(wanted),
            foreign: Arc::default(),
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// The home of a Tokio runtime that calls our hooks.
    #[cfg(feature = "tokio")]
    pub(crate) fn of_tokio(registry: Arc<Registry>) -> Self {
        let host = Arc::new(crate::tokio::Host::new(&registry));
        Self {
            tokio: Some(host),
            ..Self::of(registry)
        }
    }

    /// The same for a lease of a thread, which holds it for the tasks spawned there and wants nothing itself.
    pub(crate) fn of_lease(&self) -> Self {
        Self {
            _wanted: None,
            ..self.clone()
        }
    }

    /// Whether anybody else than leases, and the tasks spawned on their threads, has this home.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted_by.strong_count() > 0
    }

    /// The slot in which a poll on this thread is recorded. `None` where the thread can't have one.
    #[inline]
    pub(crate) fn lease(&self, driver: Driver) -> Option<Rc<Lease>> {
        current::forget_the_gone();
        #[cfg(feature = "tokio")]
        if let Some(host) = &self.tokio {
            return host.lease(self, driver);
        }
        let _ = driver;
        current::find(&self.registry).or_else(|| current::lease(self, Terms::polls_only(Spot::Thread)))
    }

    /// A home that shares no reference count with other threads, where this thread has one.
    pub(crate) fn near(self: &Arc<Self>) -> (Arc<Self>, Option<Rc<Lease>>) {
        match current::find(&self.registry) {
            Some(lease) => (Arc::clone(&lease.home), Some(lease)),
            None => (Arc::clone(self), None),
        }
    }

    /// Whether anybody wants to know when a task was woken.
    #[inline]
    pub(crate) fn stamps_wakes(&self) -> bool {
        let registry = &self.registry;
        registry.schedule_latency_config().is_some() && registry.options().schedule_latency() != Sampling::Off
    }

    /// A task was accepted on this thread.
    pub(crate) fn task_spawned(&self, lease: Option<&Lease>) {
        match lease {
            Some(lease) => lease.worker.task_spawned(),
            None => self.registry.shared().task_spawned(),
        }
    }

    /// A task ended on this thread.
    pub(crate) fn task_ended(&self, end: TaskEnd) {
        match current::find(&self.registry) {
            Some(lease) => lease.worker.task_ended(end),
            None => self.registry.shared().task_ended(end),
        }
    }

    /// Does something to the row of threads that can't have a slot of their own.
    #[cold]
    fn with_foreign(&self, record: impl FnOnce(&Worker)) {
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        if foreign.worker.is_none() {
            foreign.worker = Worker::lease_foreign(Arc::clone(&self.registry)).ok();
        }
        if let Some(worker) = &foreign.worker {
            record(worker);
            worker.submit();
        }
    }

    /// A poll begins on a thread that can't have a slot. Says whether it is the outermost there.
    #[cold]
    pub(crate) fn begin_foreign_poll(&self) -> bool {
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        let here = ThreadMark::current();
        let outermost = !foreign.polling.contains(&here);
        if outermost {
            foreign.polling.push(here);
        }
        outermost
    }

    /// Records the outermost poll on a thread that can't have a slot, once it is over.
    pub(crate) fn end_foreign_poll(&self, start: PollStart, started: Timestamp, ended: Timestamp) {
        {
            let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
            let here = ThreadMark::current();
            foreign.polling.retain(|thread| *thread != here);
        }
        self.with_foreign(|worker| worker.record_poll(start, started, ended));
    }

    pub(crate) fn count_foreign_nested_poll(&self) {
        self.with_foreign(Worker::incr_nested_polls);
    }

    pub(crate) fn count_foreign_root_poll(&self) {
        self.with_foreign(Worker::incr_root_polls);
    }
}

thread_local! {
    /// Without a destructor it is there until the thread is gone.
    static MARK: u8 = const { 0 };
}

/// One of the running threads, also while it is ending and has neither number nor name any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThreadMark(usize);

impl ThreadMark {
    fn current() -> Self {
        Self(MARK.with(|mark| core::ptr::from_ref(mark).addr()))
    }
}
