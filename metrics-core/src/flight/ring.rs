//! A ring of events with one writer, which readers copy while it goes on.

use super::event::{BURST, KIND_MASK, LOCATION_MASK, Recorded, START_MASK, Words, start_of};
use super::fold::Fold;
use crate::cell::WholeU64;
use crate::sync::{AtomicU32, Ordering, fence};
use crate::time_scale::TimeScale;

/// The last events of one worker. A new event overwrites the oldest one; the writer never waits.
///
/// The writer stores the words of an event and then the number of all events. A reader loads the number, copies the
/// events, and loads the number again: an event that the writer may have overwritten meanwhile is dropped. The release
/// fence before the words of an event orders them after the number that was stored before: a reader that copied any of
/// these words sees that number, and drops the event that they overwrote.
///
/// The writer also extends its last event, if that is a burst. A copy that is made meanwhile may have the poll that is
/// being added in some of the words of this burst and not in others. Each of the words belongs to this burst, because
/// the fence comes before these stores too.
#[derive(Debug)]
pub(crate) struct FlightRing<E> {
    /// Their number is a power of two.
    events: E,
    /// The number of events that were ever written.
    written: WholeU64,
}

/// The cells of one event.
pub(crate) type Cells = [AtomicU32; 4];

/// The part of a copy that is intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intact {
    /// The range of the intact events in the words that were copied, oldest first.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether events before these were overwritten.
    pub(crate) has_overwritten: bool,
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) type HeapRing = FlightRing<alloc::boxed::Box<[Cells]>>;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl HeapRing {
    /// Creates an empty ring that returns at least the last `events` events.
    pub(crate) fn new(events: usize) -> Self {
        let cells = || [(); 4].map(|()| AtomicU32::new(0));
        // `copy` leaves out the oldest event, over which the writer may be writing the next one.
        let capacity = (events + 1).next_power_of_two();
        Self {
            events: (0..capacity).map(|_| cells()).collect(),
            written: WholeU64::new(0),
        }
    }

    /// Copies the events.
    pub(crate) fn copy(&self) -> (alloc::vec::Vec<Words>, bool) {
        let mut words = alloc::vec![[0; 4]; self.events.len()];
        let intact = self.copy_to(&mut words);
        words.truncate(intact.end);
        words.drain(..intact.start);
        (words, intact.has_overwritten)
    }
}

/// A ring in a `static`.
#[cfg(not(metrics_core_loom))]
pub(crate) type StaticRing<const EVENTS: usize> = FlightRing<[Cells; EVENTS]>;

#[cfg(not(metrics_core_loom))]
impl<const EVENTS: usize> StaticRing<EVENTS> {
    /// Creates an empty ring that returns at least the last `EVENTS - 1` events.
    pub(crate) const fn new() -> Self {
        const {
            assert!(
                EVENTS.is_power_of_two(),
                "the number of events must be a power of two"
            );
        };
        Self {
            events: [const { [const { AtomicU32::new(0) }; 4] }; EVENTS],
            written: WholeU64::new(0),
        }
    }
}

impl<E: AsRef<[Cells]>> FlightRing<E> {
    /// Returns the cells of the event with this number.
    #[inline(always)]
    fn cells(&self, number: u64) -> Option<&Cells> {
        let events = self.events.as_ref();
        events.get(number as usize & events.len().wrapping_sub(1))
    }

    /// Writes an event. Only the writer may call this.
    #[inline(always)]
    pub(crate) fn push(&self, event: Recorded) {
        self.push_words(event.words());
    }

    #[inline(always)]
    fn push_words(&self, words: Words) {
        let number = self.written.own();
        let Some(cells) = self.cells(number) else { return };
        // Ordering: release fence, pairs with the acquire fence in `copy_to`: a reader that sees a store below sees the
        // number that was stored before it.
        fence(Ordering::Release);
        for (cell, word) in cells.iter().zip(words) {
            // Ordering: relaxed, between the fence and the number.
            cell.store(word, Ordering::Relaxed);
        }
        // Ordering: release, pairs with the acquire in `copy_to`: a reader of this number sees the event.
        self.written.store_release(number.wrapping_add(1));
    }

    /// Writes a poll: as an event of its own, or as part of a burst if it and its wait were short. Only the writer may
    /// call this.
    #[inline(always)]
    pub(crate) fn push_poll(&self, poll: Recorded, fold: Fold, scale: &TimeScale) {
        if !fold.folds(&poll) {
            return self.push(poll);
        }
        if !self.extend(&poll, fold, scale) {
            self.push_words(poll.burst_words());
        }
    }

    /// Adds a short poll to the last event, if that is a burst that the poll continues.
    #[inline(always)]
    fn extend(&self, poll: &Recorded, fold: Fold, scale: &TimeScale) -> bool {
        let last = self.written.own().checked_sub(1);
        let Some([low, word, duration, count]) = last.and_then(|last| self.cells(last)) else {
            return false;
        };
        // Ordering: relaxed, here and below: the only writer reads its own last stores, and its stores come after the
        // fence of this event's `push_words`.
        let (bits, span) = (word.load(Ordering::Relaxed), duration.load(Ordering::Relaxed));
        if bits & KIND_MASK != BURST {
            return false;
        }
        let ticks = poll
            .start
            .wrapping_sub(start_of(low.load(Ordering::Relaxed), bits))
            & START_MASK;
        let Some(end) = fold.extended(span, scale.nanos_of(ticks), poll.duration) else {
            return false;
        };
        if bits & LOCATION_MASK != poll.location_bits() {
            // Several locations.
            word.store(bits & !LOCATION_MASK, Ordering::Relaxed);
        }
        duration.store(end, Ordering::Relaxed);
        let polls = count.load(Ordering::Relaxed);
        count.store(polls.saturating_add(1), Ordering::Relaxed);
        true
    }

    /// Copies the events to `words`, which has space for all of them.
    pub(crate) fn copy_to(&self, words: &mut [Words]) -> Intact {
        let capacity = self.events.as_ref().len() as u64;
        // In the middle of a carry, no number is known: a reader a moment earlier would have seen fewer events.
        let end = self
            .written
            .load_acquire()
            .unwrap_or_else(|high| u64::from(high) << 32);
        let start = end.saturating_sub(capacity);
        let events = self.events.as_ref();
        let oldest = start as usize & events.len().wrapping_sub(1);
        let (last, first) = events.split_at_checked(oldest).unwrap_or_default();
        let count = (end - start) as usize;
        // Two loops over slices: a check of each index would take half of the time.
        let copy = |events: &[Cells], words: &mut [Words]| {
            for (cells, words) in events.iter().zip(words) {
                // Ordering: relaxed, between the number and the fence.
                *words = cells.each_ref().map(|cell| cell.load(Ordering::Relaxed));
            }
        };
        let (first_words, last_words) = words
            .split_at_mut_checked(first.len().min(count))
            .unwrap_or_default();
        copy(first, first_words);
        copy(last, last_words);
        // Ordering: acquire fence, pairs with the release fence in `push_words`; it keeps the loads above before the
        // next one.
        fence(Ordering::Acquire);
        let after = self
            .written
            .load_acquire()
            .unwrap_or_else(|high| u64::from(high) << 32 | 0xFFFF_FFFF);
        // The writer may be storing the event with the number `after` over the event one ring before it.
        let intact = (after + 1).saturating_sub(capacity).max(start);
        Intact {
            start: (intact - start).min(end - start) as usize,
            end: (end - start) as usize,
            has_overwritten: intact > 0,
        }
    }
}
