//! The alive tasks of a spawn location, counted by their activity.

use crate::time::Timestamp;
use core::time::Duration;

/// The activity of a task. A [`Probe`](crate::Probe) reports it for each alive task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TaskActivity {
    /// It was spawned or woken, and waits for its poll.
    Queued,
    /// It is being polled.
    Polling,
    /// Its last poll returned `Pending`, and it has not been woken since.
    Waiting {
        /// The end of that poll, or the time at which a snapshot first found the task waiting. `None` if neither is known.
        since: Option<Timestamp>,
        /// Whether the task may still be woken: a waker of it exists, or its last poll ended less than a second ago.
        is_wakeable: bool,
    },
}

/// The alive tasks of one spawn location, counted by their activity at the time of the snapshot.
///
/// Tasks continue to run while they are counted, so the sum may differ from the number of alive tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LocationCensus {
    /// Tasks that were spawned or woken, and wait for their poll.
    pub queued: u64,
    /// Tasks that are being polled.
    pub polling: u64,
    /// Tasks whose last poll returned `Pending` and that have not been woken since.
    pub waiting: u64,
    /// Waiting tasks that have no waker left, so that nothing can wake them. Each is counted from one second after its last poll.
    pub unwakeable: u64,
    /// The longest time for which a task has waited: since the end of its last poll, if the adapter knows it, and otherwise
    /// since the first snapshot that found the task waiting. `None` if no time is known, as in that first snapshot.
    pub longest_wait: Option<Duration>,
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl LocationCensus {
    /// Counts a task. `nanos_since` returns the nanoseconds since a timestamp.
    pub(crate) fn add(&mut self, task: TaskActivity, nanos_since: impl FnOnce(Timestamp) -> u64) {
        match task {
            TaskActivity::Queued => self.queued += 1,
            TaskActivity::Polling => self.polling += 1,
            TaskActivity::Waiting { since, is_wakeable } => {
                self.waiting += 1;
                self.unwakeable += u64::from(!is_wakeable);
                let waited = since.map(|since| Duration::from_nanos(nanos_since(since)));
                self.longest_wait = self.longest_wait.max(waited);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued + self.polling + self.waiting == 0
    }
}
