//! A task's wake stamp: the first wake since the last poll is kept, and taken once.

use super::explore;
use crate::stamp::WakeStamp;
use crate::sync::thread;
use crate::time::Timestamp;
use alloc::sync::Arc;

#[test]
fn a_wake_is_taken_once() {
    explore(3, || {
        let stamp = Arc::new(WakeStamp::new());
        let wakers: [_; 2] = core::array::from_fn(|i| {
            let stamp = Arc::clone(&stamp);
            thread::spawn(move || stamp.mark(Timestamp::from_ticks(1 + i as u64)))
        });
        let first = stamp.take();
        for waker in wakers {
            waker.join().unwrap();
        }
        let second = stamp.take();
        assert!(first.is_some() || second.is_some(), "a wake is not lost");
        assert!(first.is_none() || first != second, "a wake is not taken twice");
        assert_eq!(stamp.take(), None);
    });
}

/// Two wakes on either side of a carry between the words: the poll gets one of the two times, or none, but no mix of
/// them.
#[test]
fn a_time_is_one_that_was_set() {
    const TIMES: [u64; 2] = [(1 << 31) - 1, 1 << 31];
    explore(3, || {
        let stamp = Arc::new(WakeStamp::new());
        let wakers = TIMES.map(|ticks| {
            let stamp = Arc::clone(&stamp);
            thread::spawn(move || stamp.mark(Timestamp::from_ticks(ticks)))
        });
        let first = stamp.take();
        for waker in wakers {
            waker.join().unwrap();
        }
        for taken in [first, stamp.take()].into_iter().flatten() {
            assert!(
                TIMES.contains(&taken.ticks()),
                "a time that no wake set: {taken:?}"
            );
        }
    });
}
