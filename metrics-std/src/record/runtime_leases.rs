//! What a runtime knows of its own threads. A runtime plugs in here; this module knows none.

use core::any::Any;

/// What a thread is to the runtime whose tasks it polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadRole {
    /// The executor has no workers of its own: the thread has any slot until it ends.
    Any,
    /// The thread runs the worker with this index now.
    Worker(usize),
    /// The runtime has workers, and this thread is not one of them.
    External,
}

/// Who polls a measured future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolledBy {
    /// The runtime that it was spawned on.
    Runtime,
    /// An executor of local tasks on one of any threads. The runtime does not count them among its tasks.
    LocalExecutor,
    /// Not known: it may be moved into another future or to another executor.
    Unknown,
}

/// When the end of a poll submits, apart from when the submit interval has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubmitPolicy {
    /// After every poll: no hook reports that the thread falls idle.
    EveryPoll,
    /// After the last poll of a task: no hook reports that `block_on` returns, which is most often when a task has ended.
    LastPoll,
    /// At no other time: the thread submits when it parks.
    Interval,
}

/// How a thread uses the slot that it leases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseOptions {
    pub(crate) role: ThreadRole,
    /// The number of this lease among those of its worker. The latest one runs the worker.
    pub(crate) generation: u64,
    /// The hooks report when the thread parks and unparks.
    pub(crate) reports_parks: bool,
    pub(crate) submit: SubmitPolicy,
    /// A poll of at least as many ticks may have handed the worker over to another thread, which no hook reports.
    pub(crate) hand_over_ticks: u64,
}

impl LeaseOptions {
    /// The options of a thread that only polls are known of.
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

/// The relation of a runtime's threads to its workers, as its adapter knows it.
///
/// An implementation MUST NOT hold the runtime: the runtime's hooks hold it.
pub(crate) trait RuntimeLeases: Any + Send + Sync {
    /// The options of a new lease for this thread. `None` if the thread can't be given one.
    fn lease_options(&self, polled_by: PolledBy) -> Option<LeaseOptions>;

    /// Whether a lease with these options is still the right one for this thread: its role is the same, and no other thread has
    /// leased the same worker since.
    fn is_current(&self, options: &LeaseOptions, polled_by: PolledBy) -> bool;

    /// Whether no other thread has leased the same worker since.
    fn is_latest(&self, options: &LeaseOptions) -> bool;

    /// Whether the task that this thread has just polled has spent its cooperative budget.
    fn is_budget_spent(&self) -> bool;
}
