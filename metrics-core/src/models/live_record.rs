//! The live record: location and time belong to the poll that the record identifies, and no age is too large.
//!
//! The models take the protocol as a parameter. [`Live`] passes them. Each copy that lacks one part fails one of them,
//! with the message for the property that the part ensures.

use super::{explore, whole};
use crate::cell::WholeU64;
use crate::live::{Live, LocationId, WorkerState};
use crate::sync::{AtomicU32, Ordering, fence, thread};
use alloc::sync::Arc;

/// The values that a reader saw. The transitions of a new record are numbered from 1.
struct Seen {
    number: u32,
    state: WorkerState,
    spawn_location: u32,
    since: u64,
}

trait Protocol: Send + Sync + 'static {
    fn new() -> Self;
    fn start_poll(&self, spawn_location: u32, since: u64);
    fn end_poll(&self);
    fn enter(&self, state: WorkerState, since: u64);
    fn try_read(&self) -> Option<Seen>;
}

impl Protocol for Live {
    fn new() -> Self {
        Self::new()
    }

    fn start_poll(&self, spawn_location: u32, since: u64) {
        self.start_poll(LocationId::from_u32(spawn_location), since);
    }

    fn end_poll(&self) {
        self.end_poll(true);
    }

    fn enter(&self, state: WorkerState, since: u64) {
        self.enter(state, since);
    }

    fn try_read(&self) -> Option<Seen> {
        self.try_read().map(|read| Seen {
            number: read.transition.number(),
            state: read.state,
            spawn_location: read.spawn_location.as_u32(),
            since: read.since.map_or(0, |since| since.ticks()),
        })
    }
}

/// A copy of the protocol, with every part as a parameter.
struct Parts<
    const RELEASE_FENCE: bool,
    const RELEASE_WORD: bool,
    const STORED_END: bool,
    const ACQUIRE_FENCE: bool,
    const SECOND_LOAD: bool,
> {
    word: AtomicU32,
    spawn_location: AtomicU32,
    since: WholeU64,
}

const POLLING: u32 = 4;
const RUNNING: u32 = 3;

impl<const RF: bool, const RW: bool, const SE: bool, const AF: bool, const SL: bool>
    Parts<RF, RW, SE, AF, SL>
{
    fn transition(&self, state: u32, spawn_location: u32, since: u64) {
        let word = self.word.load(Ordering::Relaxed);
        if RF {
            fence(Ordering::Release);
        }
        self.spawn_location.store(spawn_location, Ordering::Relaxed);
        self.since.store_release(since);
        self.store_word((word & !7) + 8 | state);
    }

    fn store_word(&self, word: u32) {
        self.word
            .store(word, if RW { Ordering::Release } else { Ordering::Relaxed });
    }
}

impl<const RF: bool, const RW: bool, const SE: bool, const AF: bool, const SL: bool> Protocol
    for Parts<RF, RW, SE, AF, SL>
{
    fn new() -> Self {
        Self {
            word: AtomicU32::new(0),
            spawn_location: AtomicU32::new(0),
            since: WholeU64::new(0),
        }
    }

    fn start_poll(&self, spawn_location: u32, since: u64) {
        self.transition(POLLING, spawn_location, since);
    }

    fn end_poll(&self) {
        if SE {
            let word = self.word.load(Ordering::Relaxed);
            self.store_word(word & !7 | RUNNING);
        }
    }

    fn enter(&self, state: WorkerState, since: u64) {
        let state = if state == WorkerState::Parked { 1 } else { 2 };
        self.transition(state, 0, since);
    }

    fn try_read(&self) -> Option<Seen> {
        let word = self.word.load(Ordering::Acquire);
        let spawn_location = self.spawn_location.load(Ordering::Relaxed);
        let since = self.since.load_acquire().ok()?;
        if AF {
            fence(Ordering::Acquire);
        }
        if SL && self.word.load(Ordering::Relaxed) != word {
            return None;
        }
        let state = match word & 7 {
            POLLING => WorkerState::Polling,
            RUNNING => WorkerState::Running,
            1 => WorkerState::Parked,
            2 => WorkerState::Searching,
            _ => WorkerState::Idle,
        };
        Some(Seen {
            number: word >> 3,
            state,
            spawn_location,
            since,
        })
    }
}

const OTHER_POLL: &str = "location and time belong to the poll in the word";
const TOO_OLD: &str = "no state is older than its word";

/// Two consecutive polls, while a reader reads. The `n`th has location `n` and starts at `n`.
fn a_poll_has_its_own_location<P: Protocol>() {
    explore(3, || {
        let live = Arc::new(P::new());
        let worker = Arc::clone(&live);
        let worker = thread::spawn(move || {
            for n in 1..=2 {
                worker.start_poll(n, whole(n.into()));
                worker.end_poll();
            }
        });
        if let Some(seen) = live.try_read() {
            let since = whole(seen.number.into());
            match seen.state {
                WorkerState::Polling => {
                    assert_eq!(
                        (seen.spawn_location, seen.since),
                        (seen.number, since),
                        "{OTHER_POLL}"
                    );
                }
                _ => assert!(seen.number == 0 || seen.since >= since, "{TOO_OLD}"),
            }
        }
        worker.join().unwrap();
        let seen = live.try_read().unwrap();
        assert_eq!((seen.number, seen.since), (2, whole(2)));
    });
}

/// Parked, searching and parked again, while a reader reads.
fn a_state_is_never_older_than_it_is<P: Protocol>() {
    explore(3, || {
        let live = Arc::new(P::new());
        let worker = Arc::clone(&live);
        let worker = thread::spawn(move || {
            worker.enter(WorkerState::Parked, whole(1));
            worker.enter(WorkerState::Searching, whole(2));
            worker.enter(WorkerState::Parked, whole(3));
        });
        if let Some(seen) = live.try_read() {
            let expected = match seen.number {
                0 => WorkerState::Idle,
                2 => WorkerState::Searching,
                _ => WorkerState::Parked,
            };
            assert_eq!(seen.state, expected);
            assert!(
                seen.number == 0 || seen.since >= whole(seen.number.into()),
                "{TOO_OLD}"
            );
        }
        worker.join().unwrap();
        let seen = live.try_read().unwrap();
        assert_eq!((seen.number, seen.since), (3, whole(3)));
    });
}

#[test]
fn the_record_names_its_own_poll() {
    a_poll_has_its_own_location::<Live>();
}

#[test]
fn the_record_overstates_no_age() {
    a_state_is_never_older_than_it_is::<Live>();
}

#[test]
fn the_copy_with_every_part_holds() {
    a_poll_has_its_own_location::<Parts<true, true, true, true, true>>();
    a_state_is_never_older_than_it_is::<Parts<true, true, true, true, true>>();
}

#[test]
#[should_panic(expected = "location and time belong to the poll in the word")]
fn without_the_release_fence_it_names_another() {
    a_poll_has_its_own_location::<Parts<false, true, true, true, true>>();
}

#[test]
#[should_panic(expected = "location and time belong to the poll in the word")]
fn without_the_stored_end_it_names_another() {
    a_poll_has_its_own_location::<Parts<true, true, false, true, true>>();
}

#[test]
#[should_panic(expected = "location and time belong to the poll in the word")]
fn without_the_acquire_fence_it_names_another() {
    a_poll_has_its_own_location::<Parts<true, true, true, false, true>>();
}

#[test]
#[should_panic(expected = "location and time belong to the poll in the word")]
fn without_the_second_load_it_names_another() {
    a_poll_has_its_own_location::<Parts<true, true, true, true, false>>();
}

#[test]
#[should_panic(expected = "no state is older than its word")]
fn without_the_release_of_the_word_it_overstates_an_age() {
    a_state_is_never_older_than_it_is::<Parts<true, false, true, true, true>>();
}

/// A record that was read while the worker was parked is not taken as current after the worker has been awake.
#[test]
fn a_record_read_before_two_changes_is_not_current() {
    explore(3, || {
        let live = Arc::new(Live::new());
        live.enter(WorkerState::Parked, whole(1));
        let worker = Arc::clone(&live);
        let worker = thread::spawn(move || {
            worker.enter(WorkerState::Searching, whole(2));
            worker.enter(WorkerState::Parked, whole(3));
        });
        let first = live.try_read();
        worker.join().unwrap();
        if let Some(first) = first {
            assert_eq!(live.is_still(&first), first.transition.number() == 3);
        }
        let last = live.try_read().unwrap();
        assert!(live.is_still(&last));
    });
}

/// A reader that sees everything as submitted sees the submitted values.
#[test]
fn a_record_seen_as_submitted_was_stored() {
    explore(3, || {
        // The live record of a slot, and a counter that its submits store.
        let slot = Arc::new((Live::new(), AtomicU32::new(0)));
        let worker = Arc::clone(&slot);
        let worker = thread::spawn(move || {
            let (live, polls) = &*worker;
            for poll in 1..=2 {
                live.start_poll(LocationId::from_u32(1), 1);
                // In the middle of a poll, the batch has only the earlier polls.
                polls.store(poll - 1, Ordering::Relaxed);
                live.set_submitted(true);
                live.end_poll(true);
                polls.store(poll, Ordering::Relaxed);
                live.set_submitted(false);
            }
        });
        let (live, polls) = &*slot;
        if let Some(read) = live.try_read()
            && live.is_submitted(&read)
        {
            let ended = match read.state {
                WorkerState::Polling => read.transition.number() - 1,
                _ => read.transition.number(),
            };
            assert!(polls.load(Ordering::Relaxed) >= ended, "{read:?}");
        }
        worker.join().unwrap();
        let read = live.try_read().unwrap();
        assert!(live.is_submitted(&read));
    });
}
