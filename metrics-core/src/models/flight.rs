//! A worker writes events while a reader copies them.

use super::explore;
use crate::flight::{Fold, HeapRing, RecordedEvent};
use crate::live::LocationId;
use crate::sync::thread;
use crate::sync::{AtomicU32, Ordering};
use crate::time_scale::TimeScale;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

trait Ring: Send + Sync + 'static {
    fn new() -> Self;
    /// Writes the event with this number in all its words.
    fn push(&self, number: u32);
    /// Returns the words of each event that was copied.
    fn copy(&self) -> Vec<[u32; 2]>;
}

impl Ring for HeapRing {
    fn new() -> Self {
        // Two places: one for the event that is returned, and one for the event that is written.
        Self::new(1)
    }

    fn push(&self, number: u32) {
        self.push(RecordedEvent::poll(
            number.into(),
            LocationId::UNKNOWN,
            number.into(),
            None,
        ));
    }

    fn copy(&self) -> Vec<[u32; 2]> {
        let (events, _) = self.copy();
        events
            .into_iter()
            .map(|[start, _, duration, _]| [start, duration])
            .collect()
    }
}

/// The same ring with a reader that does not load the number again.
struct Trusting {
    events: [[AtomicU32; 2]; 2],
    written: AtomicU32,
}

impl Ring for Trusting {
    fn new() -> Self {
        Self {
            events: [(); 2].map(|()| [(); 2].map(|()| AtomicU32::new(0))),
            written: AtomicU32::new(0),
        }
    }

    fn push(&self, number: u32) {
        let written = self.written.load(Ordering::Relaxed);
        for cell in &self.events[written as usize & 1] {
            cell.store(number, Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
    }

    fn copy(&self) -> Vec<[u32; 2]> {
        let end = self.written.load(Ordering::Acquire);
        let numbers = end.saturating_sub(2)..end;
        let event = |number| self.events[number as usize & 1].each_ref();
        numbers
            .map(|number| event(number).map(|cell| cell.load(Ordering::Relaxed)))
            .collect()
    }
}

fn copies_have_whole_events_in_order<R: Ring>() {
    explore(2, || {
        let ring = Arc::new(R::new());
        ring.push(1);
        ring.push(2);
        // The reader runs on the second thread, so that loom runs the next event first and derives the other orders
        // from it.
        let reader = Arc::clone(&ring);
        let reader = thread::spawn(move || {
            let copied = reader.copy();
            let whole = copied.iter().all(|[start, duration]| start == duration);
            let in_order = copied.windows(2).all(|pair| pair[0][0] + 1 == pair[1][0]);
            assert!(whole && in_order, "whole events, in order: {copied:?}");
        });
        ring.push(3);
        ring.push(4);
        reader.join().unwrap();
        let copied = ring.copy();
        assert_eq!(copied.last(), Some(&[4, 4]));
    });
}

#[test]
fn a_copy_has_no_torn_event() {
    copies_have_whole_events_in_order::<HeapRing>();
}

/// A burst that is being extended has only words of its own, and one that is over has all its polls.
#[test]
fn a_copy_has_whole_bursts() {
    explore(2, || {
        let ring = Arc::new(HeapRing::new(1));
        let poll = |start| RecordedEvent::poll(start, LocationId::UNKNOWN, 1, None);
        let fold = Fold::below(Duration::from_nanos(2));
        let scale = TimeScale::new(1_000_000_000);
        ring.push(poll(100));
        ring.push_poll(poll(200), fold, &scale);
        let reader = Arc::clone(&ring);
        let reader = thread::spawn(move || {
            let (events, _) = reader.copy();
            for [start, _, duration, last] in events {
                let is_whole = match start {
                    200 => (1..=2).contains(&duration) && (1..=2).contains(&last),
                    _ => duration == 1 && last == u32::MAX,
                };
                assert!(is_whole, "{start} {duration} {last}");
            }
        });
        ring.push_poll(poll(201), fold, &scale);
        ring.push(poll(300));
        ring.push(poll(400));
        reader.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "whole events, in order")]
fn without_the_second_load_it_has_one() {
    copies_have_whole_events_in_order::<Trusting>();
}
