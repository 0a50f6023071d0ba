//! The sequence count: a reader gets one complete write, earlier or later, or nothing.
//!
//! The model takes the protocol as a parameter. [`SeqCount`] passes it. Each copy that lacks one fence or ordering
//! fails it, which shows that the model detects the defect.

use super::{explore, whole};
use crate::cell::{OwnedU64, U64Cell};
use crate::seq::SeqCount;
use crate::sync::{AtomicU32, Ordering, fence, thread};
use alloc::sync::Arc;

trait Protocol: Send + Sync + 'static {
    fn new() -> Self;
    fn write(&self, write: impl FnOnce());
    fn try_read<V>(&self, read: impl FnOnce() -> V) -> Option<V>;
}

impl Protocol for SeqCount {
    fn new() -> Self {
        SeqCount::new()
    }

    fn write(&self, write: impl FnOnce()) {
        SeqCount::write(self, write);
    }

    fn try_read<V>(&self, read: impl FnOnce() -> V) -> Option<V> {
        SeqCount::try_read(self, read)
    }
}

/// A copy of the protocol, with every fence and ordering as a parameter.
struct Parts<
    const RELEASE_FENCE: bool,
    const RELEASE_END: bool,
    const ACQUIRE_BEGIN: bool,
    const ACQUIRE_FENCE: bool,
>(AtomicU32);

impl<const RF: bool, const RE: bool, const AB: bool, const AF: bool> Protocol for Parts<RF, RE, AB, AF> {
    fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn write(&self, write: impl FnOnce()) {
        let seq = self.0.load(Ordering::Relaxed);
        self.0.store(seq.wrapping_add(1), Ordering::Relaxed);
        if RF {
            fence(Ordering::Release);
        }
        write();
        self.0.store(
            seq.wrapping_add(2),
            if RE { Ordering::Release } else { Ordering::Relaxed },
        );
    }

    fn try_read<V>(&self, read: impl FnOnce() -> V) -> Option<V> {
        let seq = self
            .0
            .load(if AB { Ordering::Acquire } else { Ordering::Relaxed });
        if seq & 1 != 0 {
            return None;
        }
        let value = read();
        if AF {
            fence(Ordering::Acquire);
        }
        (self.0.load(Ordering::Relaxed) == seq).then_some(value)
    }
}

/// Two cells that always hold equal values, written twice while a reader reads twice.
fn a_read_is_whole<P: Protocol>() {
    explore(3, || {
        let slot = Arc::new((P::new(), OwnedU64::new(0), OwnedU64::new(0)));
        let writer = Arc::clone(&slot);
        let writer = thread::spawn(move || {
            for n in 1..=2 {
                writer.0.write(|| {
                    writer.1.set(whole(n));
                    writer.2.set(whole(n));
                });
            }
        });
        let mut last = 0;
        for _ in 0..2 {
            if let Some((first, second)) = slot.0.try_read(|| (slot.1.get(), slot.2.get())) {
                assert_eq!(first, second, "one complete write");
                assert_eq!(first, whole(first & 3), "both words of one value");
                assert!(first >= last, "the value never decreases");
                last = first;
            }
        }
        writer.join().unwrap();
        assert_eq!(
            slot.0.try_read(|| slot.1.get()),
            Some(whole(2)),
            "at rest the last write is there"
        );
    });
}

#[test]
fn the_protocol_holds() {
    a_read_is_whole::<SeqCount>();
}

#[test]
fn the_copy_with_every_part_holds() {
    a_read_is_whole::<Parts<true, true, true, true>>();
}

#[test]
#[should_panic]
fn without_the_writers_fence_it_does_not() {
    a_read_is_whole::<Parts<false, true, true, true>>();
}

#[test]
#[should_panic]
fn without_the_release_at_the_end_it_does_not() {
    a_read_is_whole::<Parts<true, false, true, true>>();
}

#[test]
#[should_panic]
fn without_the_acquire_at_the_beginning_it_does_not() {
    a_read_is_whole::<Parts<true, true, false, true>>();
}

#[test]
#[should_panic]
fn without_the_readers_fence_it_does_not() {
    a_read_is_whole::<Parts<true, true, true, false>>();
}
