//! The cells of a live record, and the protocol by which one thread writes them while others read.

use super::{LiveRecord, LocationId, Transition, UNTIMED, WorkerState};
use crate::cell::WholeU64;
use crate::sync::{AtomicU32, Ordering, const_unless_loom, fence};
use crate::time::Timestamp;

/// The cells of a live record. The start of a poll stores two of them, or three if it is timed; its end stores one.
///
/// There is no sequence count. The word itself shows a reader whether anything changed while it read the other cells:
///
/// - The writer increments the number in the word at the start of each poll and at each change of state. It issues a
///   release fence, stores the location and the time, and then stores the word with release.
/// - The end of a poll stores the same word with another state. The word of a poll in progress is therefore replaced
///   before the location and the time of the next poll are stored.
/// - A reader loads the word (acquire), loads the other cells, issues an acquire fence, and loads the word again. If
///   it saw a location or a time of a later transition, the fences make the word that was stored before that
///   transition visible to it.
///
/// Two equal words therefore prove that the location and the time belong to the poll that the word identifies. In
/// another state, the time may be that of the transition that is being stored: a reader may see a worker as parked for
/// less time than it was, but never for more, and never attributes a poll to the location of another task.
#[derive(Debug)]
pub(crate) struct Live {
    /// The number from bit [`NUMBER_SHIFT`] up, the period, [`TIMED_BIT`], and the state.
    word: AtomicU32,
    spawn_location: AtomicU32,
    since: WholeU64,
    /// The start of the period: of the last change of state outside a poll.
    period_since: WholeU64,
    /// The number of the last poll or state whose records are submitted.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    submitted: AtomicU32,
}

const STATE_MASK: u32 = 0b111;
/// The time of this transition is known. Otherwise `since` holds the time of an earlier one.
const TIMED_BIT: u32 = 1 << 3;
/// The state during a poll that `poll_count` does not count, such as that of a root future; readers see [`WorkerState::Polling`].
const UNCOUNTED_POLL: u32 = 5;
/// The state after a poll that `poll_count` counts, in busy time. Readers see [`WorkerState::Running`].
const POLL_ENDED: u32 = if cfg!(all(feature = "alloc", target_has_atomic = "ptr")) {
    6
} else {
    WorkerState::Running.bits()
};
/// The last state outside a poll, which polls continue: parked, searching, running, or idle for none of them.
const PERIOD_SHIFT: u32 = 4;
const PERIOD_MASK: u32 = 0b11 << PERIOD_SHIFT;
const NUMBER_SHIFT: u32 = 6;
const NEXT_NUMBER: u32 = 1 << NUMBER_SHIFT;

/// The number of the last poll or state that has ended: the one before `word` if that is a poll in progress, and
/// otherwise its own.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
const fn ended(word: u32, in_poll: bool) -> u32 {
    let word = if in_poll {
        word.wrapping_sub(NEXT_NUMBER)
    } else {
        word
    };
    word >> NUMBER_SHIFT
}

impl Live {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                word: AtomicU32::new(WorkerState::Idle.bits()),
                spawn_location: AtomicU32::new(0),
                since: WholeU64::new(0),
                period_since: WholeU64::new(0),
                #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
                submitted: AtomicU32::new(0),
            }
        }
    }

    /// Stores a transition to a state in [`STATE_MASK`]. `since` is [`UNTIMED`] if timing is off.
    #[inline(always)]
    fn transition_to(&self, state: u32, spawn_location: LocationId, since: u64) {
        // Ordering: release fence, pairs with the acquire fence in `try_read`: a reader that sees a store below sees
        // the word that was stored before it, or a later one.
        fence(Ordering::Release);
        // Ordering: relaxed, between the fence and the word.
        self.spawn_location.store(spawn_location.0, Ordering::Relaxed);
        let timed = if since == UNTIMED {
            0
        } else {
            self.since.store_release(since);
            TIMED_BIT
        };
        let mut word = self.next_number();
        if state < WorkerState::Polling.bits() {
            self.period_since.store_release(since);
            word = word & !PERIOD_MASK | state << PERIOD_SHIFT;
        }
        self.store_word(word | timed | state);
    }

    #[inline(always)]
    fn next_number(&self) -> u32 {
        // Ordering: relaxed, the only writer reads its own last store.
        let word = self.word.load(Ordering::Relaxed);
        word.wrapping_add(NEXT_NUMBER) & !(TIMED_BIT | STATE_MASK)
    }

    #[inline(always)]
    fn store_word(&self, word: u32) {
        // Ordering: release, pairs with the acquire in `try_read`: a reader of this word sees its location and time, or later ones.
        self.word.store(word, Ordering::Release);
    }

    /// Stores a transition to `state`. `since` is [`UNTIMED`] if timing is off.
    #[inline(always)]
    pub(crate) fn transition(&self, state: WorkerState, spawn_location: LocationId, since: u64) {
        self.transition_to(state.bits(), spawn_location, since);
    }

    /// Starts a poll of a task from `spawn_location`. `since` is [`UNTIMED`] if timing is off.
    #[inline(always)]
    pub(crate) fn start_poll(&self, spawn_location: LocationId, since: u64) {
        self.transition(WorkerState::Polling, spawn_location, since);
    }

    /// Starts a poll that `poll_count` does not count.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn start_uncounted_poll(&self, location: LocationId, since: u64) {
        self.transition_to(UNCOUNTED_POLL, location, since);
    }

    /// Sets the location of the task that is being polled, after its poll has started.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn set_spawn_location(&self, spawn_location: LocationId) {
        // Ordering: relaxed, after the fence of this poll's start. Both locations were given for this poll.
        self.spawn_location.store(spawn_location.0, Ordering::Relaxed);
    }

    /// Returns the time of the last transition that was timed, for the worker itself.
    pub(crate) fn entered_at(&self) -> u64 {
        self.since.own()
    }

    /// Returns the spawn location of the last poll, for the worker itself.
    #[inline(always)]
    pub(crate) fn polled_location(&self) -> LocationId {
        // Ordering: relaxed, the only writer reads its own last store.
        LocationId(self.spawn_location.load(Ordering::Relaxed))
    }

    /// Returns whether the worker is in this state, for the worker itself and for readers that detect writes by other
    /// means.
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        all(
            any(target_has_atomic = "ptr", feature = "require-cas"),
            not(metrics_core_loom)
        )
    ))]
    #[inline(always)]
    pub(crate) fn is(&self, other: WorkerState) -> bool {
        // Ordering: relaxed, the only writer reads its own last store.
        state(self.word.load(Ordering::Relaxed)) == other
    }

    /// Returns the state, as [`is`](Self::is).
    #[cfg(all(
        any(target_has_atomic = "ptr", feature = "require-cas"),
        not(metrics_core_loom)
    ))]
    pub(crate) fn state(&self) -> WorkerState {
        // Ordering: relaxed, as above.
        state(self.word.load(Ordering::Relaxed))
    }

    /// Ends the poll: the same transition in another state. A worker that does not report when it runs tasks is not
    /// busy between two polls.
    #[inline(always)]
    pub(crate) fn end_poll(&self, busy: bool) {
        self.end_transition(if busy {
            POLL_ENDED
        } else {
            WorkerState::Searching.bits()
        });
    }

    /// Ends a poll that `poll_count` does not count.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn end_uncounted_poll(&self, busy: bool) {
        let state = if busy {
            WorkerState::Running
        } else {
            WorkerState::Searching
        };
        self.end_transition(state.bits());
    }

    /// Enters a search whose time does not count, because the thread may have left its worker.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn leave(&self, since: u64) {
        self.enter(WorkerState::Idle, since);
        self.end_transition(WorkerState::Searching.bits());
    }

    /// Stores the same transition in another state.
    #[inline(always)]
    fn end_transition(&self, state: u32) {
        // Ordering: relaxed, the only writer reads its own last store.
        let word = self.word.load(Ordering::Relaxed);
        self.store_word(word & !STATE_MASK | state);
    }

    /// Changes the state outside a poll. This ends no poll, so if all polls were submitted, they still are.
    pub(crate) fn enter(&self, state: WorkerState, since: u64) {
        let was_submitted = self.has_submitted();
        self.transition(state, LocationId::UNKNOWN, since);
        if was_submitted {
            self.set_submitted(false);
        }
    }

    /// Restarts the period at `since` in the current state, because the clock stepped back.
    pub(crate) fn restart_period(&self, since: u64) {
        // Ordering: release fence, as in `transition`.
        fence(Ordering::Release);
        self.period_since.store_release(since);
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        if self.is(WorkerState::Running) {
            // The duration of the last poll is lost.
            self.end_uncounted_poll(true);
        }
        self.progress();
    }

    /// Marks progress without a change of state, such as the poll of a root future.
    #[inline(always)]
    pub(crate) fn progress(&self) {
        // Ordering: relaxed, the only writer reads its own last store.
        let word = self.word.load(Ordering::Relaxed);
        self.store_word(word.wrapping_add(NEXT_NUMBER));
    }

    /// Returns `true` if everything that has ended is submitted, as the worker itself sees it outside a poll.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    fn has_submitted(&self) -> bool {
        // Ordering: relaxed, the only writer reads its own last stores.
        let word = self.word.load(Ordering::Relaxed);
        self.submitted.load(Ordering::Relaxed) == ended(word, false)
    }

    #[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
    #[allow(clippy::unused_self)]
    const fn has_submitted(&self) -> bool {
        false
    }

    #[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
    #[allow(clippy::unused_self)]
    const fn set_submitted(&self, _: bool) {}

    /// Marks everything that has ended as submitted. A poll in progress (`in_poll`) has not ended.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn set_submitted(&self, in_poll: bool) {
        // Ordering: relaxed, the only writer reads its own last store.
        let word = self.word.load(Ordering::Relaxed);
        // Ordering: release, pairs with the acquire in `is_submitted`: a reader that sees the number sees the submit before it.
        self.submitted.store(ended(word, in_poll), Ordering::Release);
    }

    /// Returns `true` if everything that had ended at the time of this record is submitted.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn is_submitted(&self, read: &LiveRecord) -> bool {
        let word = read.transition.0 << NUMBER_SHIFT;
        self.submitted().0 == ended(word, read.state == WorkerState::Polling)
    }

    /// Returns the last poll or state for which everything is submitted.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn submitted(&self) -> Transition {
        // Ordering: acquire, pairs with the release in `set_submitted`.
        Transition(self.submitted.load(Ordering::Acquire))
    }

    /// Returns `true` if the record has not changed since it was read.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline(always)]
    pub(crate) fn is_still(&self, read: &LiveRecord) -> bool {
        // Ordering: relaxed. An older word is the state of a moment ago. The only other value that is read is a location that
        // `set_spawn_location` stored, which is compared itself.
        let word = self.word.load(Ordering::Relaxed);
        word >> NUMBER_SHIFT == read.transition.0
            && state(word) == read.state
            && (read.state != WorkerState::Polling
                || self.spawn_location.load(Ordering::Relaxed) == read.spawn_location.0)
    }

    /// Returns the time in ticks since which the worker is busy, or [`UNTIMED`], for a reader that detects writes by
    /// other means.
    pub(crate) fn busy_since(&self) -> Option<u64> {
        let since = self.period_since.load_acquire().ok()?;
        // Ordering: relaxed, the caller detects writes.
        let word = self.word.load(Ordering::Relaxed);
        Some(match period(word) {
            WorkerState::Running => since,
            _ => UNTIMED,
        })
    }

    /// Tries once to read the record; `None` if the worker was writing it.
    pub(crate) fn try_read(&self) -> Option<LiveRecord> {
        // Ordering: acquire, pairs with the release in `store_word`.
        let word = self.word.load(Ordering::Acquire);
        // Ordering: relaxed, between the word and the fence.
        let spawn_location = LocationId(self.spawn_location.load(Ordering::Relaxed));
        let since = self.since.load_acquire().ok()?;
        let period_since = self.period_since.load_acquire().ok()?;
        // Ordering: acquire fence, pairs with the release fence in `transition`; it keeps the loads above before the next one.
        fence(Ordering::Acquire);
        if self.word.load(Ordering::Relaxed) != word {
            return None;
        }
        let state = state(word);
        Some(LiveRecord {
            state,
            spawn_location: match state {
                WorkerState::Polling => spawn_location,
                _ => LocationId::UNKNOWN,
            },
            since: (word & TIMED_BIT != 0).then(|| Timestamp::from_ticks(since)),
            transition: Transition(word >> NUMBER_SHIFT),
            is_of_poll: is_of_poll(word),
            period: period(word),
            period_since,
        })
    }
}

const fn is_of_poll(word: u32) -> bool {
    let state = word & STATE_MASK;
    state == WorkerState::Polling.bits()
        || cfg!(all(feature = "alloc", target_has_atomic = "ptr")) && state == POLL_ENDED
}

const fn state(word: u32) -> WorkerState {
    match word & STATE_MASK {
        UNCOUNTED_POLL => WorkerState::Polling,
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        POLL_ENDED => WorkerState::Running,
        bits => WorkerState::from_bits(bits),
    }
}

const fn period(word: u32) -> WorkerState {
    WorkerState::from_bits((word & PERIOD_MASK) >> PERIOD_SHIFT)
}
