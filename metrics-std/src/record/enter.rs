//! [`enter`] makes a runtime's worker the current worker of a thread.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use super::lease::Lease;
use super::runtime_leases::{LeaseOptions, SubmitPolicy, ThreadRole};
use super::target::RecordingTarget;
use super::thread_leases;
use crate::Worker;

/// Keeps a worker the current worker of this thread. Returned by [`enter`].
///
/// It dereferences to the [`Worker`], so that the scheduler can call its hooks. Dropping it submits the worker's batch and gives the slot
/// back.
pub struct EnterGuard {
    lease: Rc<Lease>,
    /// Keeps the registry owned while the worker is entered.
    _target: RecordingTarget,
    /// The guard stays on the thread on which it was made.
    _thread: PhantomData<*const ()>,
}

/// Makes `worker` the current worker of this thread: [`Measured`](crate::Measured) futures of its registry that this thread polls are
/// recorded in it.
///
/// A runtime calls it at the start of a worker thread:
///
/// ```
/// use metrics_std::{Builder, Clock, MetricSet, NoProbe, PollStart, RuntimeHandles};
///
/// let builder = Builder::new().name("mine").workers(1).measures(MetricSet::ALL);
/// let RuntimeHandles { metrics, workers } = metrics_std::build(builder, Clock::new(), NoProbe)?;
/// for worker in workers {
///     std::thread::spawn(move || {
///         let worker = metrics_std::enter(worker);
///         worker.start_processing_scheduled_tasks();
///         worker.start_poll(PollStart::default());
///         // Poll a task here.
///         worker.end_poll();
///         worker.park();
///     })
///     .join()
///     .unwrap();
/// }
/// assert_eq!(metrics.poll_count(), Ok(Some(1)));
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
///
/// During a poll that the runtime has started ([`Worker::start_poll`]), measured futures count as nested polls. Between polls they count
/// as tasks.
pub fn enter(worker: Worker) -> EnterGuard {
    let target = RecordingTarget::new(Arc::clone(worker.registry()));
    enter_with(worker, target)
}

/// Makes `worker` the current worker of this thread. Tasks that it spawns keep `target`.
pub(crate) fn enter_with(worker: Worker, target: RecordingTarget) -> EnterGuard {
    let options = LeaseOptions {
        submit: SubmitPolicy::Interval,
        ..LeaseOptions::polls_only(ThreadRole::Any)
    };
    let lease = Rc::new(Lease::new(worker, &target, options));
    // On a thread that is ending, wrappers can't find the worker: they lease a slot or record in the external row.
    let _ = thread_leases::push(&lease);
    EnterGuard {
        lease,
        _target: target,
        _thread: PhantomData,
    }
}

impl Deref for EnterGuard {
    type Target = Worker;

    #[inline(always)]
    fn deref(&self) -> &Worker {
        &self.lease.worker
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        thread_leases::release_where(|lease| core::ptr::eq(lease, &raw const *self.lease));
    }
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnterGuard").field(&self.lease.worker).finish()
    }
}
