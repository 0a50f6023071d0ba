//! Long polls and turns of many short polls, for stall reports. The worker's histogram does not say which poll was long.

use crate::runtime::Worker;
use core::cell::{Cell, RefCell};
use metrics_core::{LocationId, Timestamp};

/// A turn with less measured time than this, in nanoseconds, explains no stall.
const SHORTEST_TURN: u64 = 1_000_000;

/// A poll, or the polls of one turn.
#[derive(Clone, Copy)]
pub(crate) struct PollSpan {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// Nanoseconds in measured polls. The time between the polls of a turn is not part of it.
    pub(crate) measured: u64,
    /// The spawn location of the longest poll.
    pub(crate) spawn_location: LocationId,
    /// Whether these are the polls of a turn.
    pub(crate) is_turn: bool,
}

/// Measures polls while a stall listener is registered.
#[derive(Default)]
pub(crate) struct LongPolls {
    /// Nanoseconds. `None` while there is no listener.
    threshold: Cell<Option<u64>>,
    in_progress: Cell<Option<(Timestamp, LocationId)>>,
    /// The polls of this turn, and the length of the longest in nanoseconds.
    turn: Cell<Option<(PollSpan, u64)>>,
    found: RefCell<Vec<PollSpan>>,
}

impl LongPolls {
    /// Keeps polls of at least `threshold` nanoseconds. `u64::MAX` keeps none.
    pub(crate) fn watch(&self, threshold: u64) {
        self.threshold
            .set(Some(threshold).filter(|&nanos| nanos != u64::MAX));
    }

    /// The polls and turns that have ended since the last call.
    pub(crate) fn take(&self) -> Vec<PollSpan> {
        self.found.take()
    }

    pub(crate) fn start(&self, worker: &Worker, spawn_location: LocationId) {
        if self.threshold.get().is_some() {
            self.in_progress.set(Some((worker.now(), spawn_location)));
        }
    }

    pub(crate) fn end(&self, worker: &Worker) {
        let (Some((start, spawn_location)), Some(threshold)) =
            (self.in_progress.take(), self.threshold.get())
        else {
            return;
        };
        let end = worker.now();
        let nanos = worker.registry().scale().nanos(end, start);
        let poll = PollSpan {
            start,
            end,
            measured: nanos,
            spawn_location,
            is_turn: false,
        };
        if nanos >= threshold {
            self.found.borrow_mut().push(poll);
        }
        let (turn, longest) = match self.turn.get() {
            None => (poll, nanos),
            Some((turn, longest)) => {
                let longer = nanos > longest;
                let turn = PollSpan {
                    end,
                    measured: turn.measured.saturating_add(nanos),
                    spawn_location: if longer {
                        spawn_location
                    } else {
                        turn.spawn_location
                    },
                    ..turn
                };
                (turn, longest.max(nanos))
            }
        };
        self.turn.set(Some((
            PollSpan {
                is_turn: true,
                ..turn
            },
            longest,
        )));
    }

    /// Call this at the end of a turn.
    pub(crate) fn end_turn(&self) {
        let Some((turn, _)) = self.turn.take() else {
            return;
        };
        if self.threshold.get().is_some() && turn.measured >= SHORTEST_TURN {
            self.found.borrow_mut().push(turn);
        }
    }
}
