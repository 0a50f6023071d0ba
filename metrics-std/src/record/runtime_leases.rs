//! The interface through which the adapter of a runtime assigns threads to workers.

use core::any::Any;

/// The role of a thread in the runtime whose tasks it polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadRole {
    /// The executor has no workers of its own. The thread leases any slot until it ends.
    Any,
    /// The thread runs the worker with this index now.
    Worker(usize),
    /// The runtime has workers, and this thread is not one of them.
    External,
}

/// The kind of executor that polls a measured future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolledBy {
    /// The runtime that it was spawned on.
    Runtime,
    /// An executor of local tasks, on any thread. The runtime does not count its tasks.
    LocalExecutor,
    /// Not known: the future may be moved into another future or to another executor.
    Unknown,
}

/// When the end of a poll submits, in addition to when the submit interval has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubmitPolicy {
    /// After every poll, because no hook reports that the thread becomes idle.
    EveryPoll,
    /// After the last poll of a task. No hook reports that `block_on` returns, which most often happens when a task has ended.
    LastPoll,
    /// At no other time, because the thread submits when it parks.
    Interval,
}

/// How a thread uses the slot that it leases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseOptions {
    pub(crate) role: ThreadRole,
    /// The number of this lease among those of its worker. The thread with the latest lease runs the worker.
    pub(crate) generation: u64,
    /// Whether the hooks report when the thread parks and unparks.
    pub(crate) reports_parks: bool,
    pub(crate) submit: SubmitPolicy,
    /// A poll of at least this many ticks may have handed the worker over to another thread. No hook reports that.
    pub(crate) hand_over_ticks: u64,
}

impl LeaseOptions {
    /// Returns the options of a thread for which only polls are known.
    pub(crate) fn polls_only(role: ThreadRole) -> Self {
        Self {
            role,
            generation: 0,
            reports_parks: false,
            submit: SubmitPolicy::EveryPoll,
            hand_over_ticks: u64::MAX,
        }
    }
}

/// Assigns the threads of a runtime to its workers. The runtime's adapter implements it.
///
/// An implementation MUST NOT hold the runtime, because the runtime's hooks hold the implementation.
pub(crate) trait RuntimeLeases: Any + Send + Sync {
    /// Returns the options of a new lease for this thread, or `None` if the thread can't have one.
    fn lease_options(&self, polled_by: PolledBy) -> Option<LeaseOptions>;

    /// Returns whether a lease with these options is still valid for this thread: its role is the same, and no other thread has leased
    /// the same worker since.
    fn is_current(&self, options: &LeaseOptions, polled_by: PolledBy) -> bool;

    /// Returns whether no other thread has leased the same worker since.
    fn is_latest(&self, options: &LeaseOptions) -> bool;

    /// Returns whether the task that this thread has just polled has spent its cooperative budget.
    fn is_budget_spent(&self) -> bool;
}
