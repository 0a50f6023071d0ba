//! A ring of events with one writer, which readers copy while it goes on.

use super::event::{FlightEvent, Recorded, Words};
use crate::cell::WholeU64;
use crate::sync::{AtomicU32, Ordering, fence};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The last events of one worker. A new event overwrites the oldest one; the writer never waits.
///
/// The writer stores the words of an event and then the number of all events. A reader loads the number, copies the
/// events, and loads the number again: an event that the writer may have overwritten meanwhile is dropped. The release
/// fence before the words of an event orders them after the number that was stored before: a reader that copied any of
/// these words sees that number, and drops the event that they overwrote.
#[derive(Debug)]
pub(crate) struct FlightRing {
    events: Box<[Cells]>,
    /// The number of events that were ever written.
    written: WholeU64,
}

/// The cells of one event.
type Cells = [AtomicU32; 4];

/// The events of a ring, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) events: Vec<FlightEvent>,
    /// Whether events before these were overwritten.
    pub(crate) has_overwritten: bool,
}

impl FlightRing {
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

    /// Returns the cells of the event with this number.
    #[inline(always)]
    fn cells(&self, number: u64) -> Option<&Cells> {
        self.events
            .get(number as usize & (self.events.len().wrapping_sub(1)))
    }

    /// Writes an event. Only the writer may call this.
    #[inline(always)]
    pub(crate) fn push(&self, event: Recorded) {
        let number = self.written.own();
        let Some(cells) = self.cells(number) else { return };
        // Ordering: release fence, pairs with the acquire fence in `copy`: a reader that sees a store below sees the
        // number that was stored before it.
        fence(Ordering::Release);
        for (cell, word) in cells.iter().zip(event.words()) {
            // Ordering: relaxed, between the fence and the number.
            cell.store(word, Ordering::Relaxed);
        }
        // Ordering: release, pairs with the acquire in `copy`: a reader of this number sees the event.
        self.written.store_release(number.wrapping_add(1));
    }

    /// Copies the events. `now` is a timestamp in ticks, about that of the copy.
    pub(crate) fn copy(&self, now: u64) -> Copied {
        let capacity = self.events.len() as u64;
        // In the middle of a carry, no number is known: a reader a moment earlier would have seen fewer events.
        let end = self
            .written
            .load_acquire()
            .unwrap_or_else(|high| u64::from(high) << 32);
        let start = end.saturating_sub(capacity);
        let words = (start..end).map(|number| -> Words {
            let cells = self.cells(number);
            core::array::from_fn(|word| cells.map_or(0, |cells| cells[word].load(Ordering::Relaxed)))
        });
        let words: Vec<Words> = words.collect();
        // Ordering: acquire fence, pairs with the release fence in `push`; it keeps the loads above before the next
        // one.
        fence(Ordering::Acquire);
        let after = self
            .written
            .load_acquire()
            .unwrap_or_else(|high| u64::from(high) << 32 | 0xFFFF_FFFF);
        // The writer may be storing the event with the number `after` over the event one ring before it.
        let intact = (after + 1).saturating_sub(capacity).max(start);
        let lost = (intact - start) as usize;
        let events = words
            .into_iter()
            .skip(lost)
            .map(|words| FlightEvent::from_words(words, now));
        Copied {
            events: events.collect(),
            has_overwritten: intact > 0,
        }
    }
}
