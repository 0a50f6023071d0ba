//! The polls that workers run while a timer of the runtime is overdue.

use std::collections::BTreeMap;

use metrics_core::{LiveThread, Timestamp, Transition, WorkerState};

/// The polls since a timer became overdue: what workers do while none of them turns the runtime's driver.
#[derive(Debug, Default)]
pub(super) struct PollsWithoutTurn {
    /// The time at which the timer was due.
    due: Option<Timestamp>,
    /// The last time at which no poll had ended yet. The runtime may not have been driven until then.
    since: Option<Timestamp>,
    /// The last time at which a poll is known to have ended.
    last: Option<Timestamp>,
    /// The threads that run workers, by slot, with their last transition, and the thread once it has changed.
    threads: BTreeMap<usize, (Transition, Option<LiveThread>)>,
}

impl PollsWithoutTurn {
    /// Forgets the polls: no timer is overdue.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Forgets the polls of threads that are stalled themselves. If they ran all polls, the rest counts from now on.
    pub(super) fn leave_out(&mut self, stalled: &[&LiveThread]) {
        for thread in stalled {
            self.threads.remove(&thread.slot);
        }
        if self.threads.values().all(|(_, polled)| polled.is_none()) {
            self.last = None;
        }
    }

    /// Notes the polls of the threads that run a worker. Returns the start and the end of the period in which polls have ended without a
    /// turn, and a thread of the worker if only one worker ran them. `None` if no poll has ended: one long poll is a stall of another
    /// kind.
    ///
    /// `due` is known only to `skew` ticks.
    pub(super) fn observe<'a>(
        &mut self,
        now: Timestamp,
        due: Timestamp,
        skew: u64,
        threads: impl Iterator<Item = &'a LiveThread>,
    ) -> Option<(Timestamp, Timestamp, Option<LiveThread>)> {
        if self
            .due
            .is_some_and(|before| due.ticks() > before.ticks().saturating_add(skew))
        {
            // The timer has fired, and the next one is overdue.
            self.end();
        }
        self.due.get_or_insert(due);
        for thread in threads.filter(|thread| thread.worker.is_some()) {
            let (transition, polled) = self
                .threads
                .entry(thread.slot)
                .or_insert((thread.live.transition, None));
            if *transition != thread.live.transition {
                *transition = thread.live.transition;
                *polled = Some(*thread);
                // The poll in progress has not ended, but the one before it had when it began.
                let is_polling = thread.live.state == WorkerState::Polling;
                let ended = thread.live.since.filter(|_| is_polling).unwrap_or(now);
                self.last = self.last.max(Some(ended));
            }
        }
        let mut polled = self.threads.values().filter_map(|(_, polled)| *polled);
        let Some(first) = polled.next() else {
            self.since = Some(now);
            return None;
        };
        let only = polled
            .all(|thread| thread.worker == first.worker)
            .then_some(first);
        Some((self.since?, self.last?, only))
    }
}
