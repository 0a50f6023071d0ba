//! A submit during a read: the histogram of a snapshot has as many samples as its counter.

use super::{explore, whole};
use crate::cell::{OwnedU64, U64Cell};
use crate::record::{BucketCells, HeapBuckets, SlotHistogram};
use crate::seq::SeqCount;
use crate::sync::thread;
use alloc::sync::Arc;

/// A slot with one counter and a histogram of two buckets.
struct Small {
    seq: SeqCount,
    polls: OwnedU64,
    poll_time: SlotHistogram<HeapBuckets>,
}

impl Small {
    fn new() -> Self {
        Self {
            seq: SeqCount::new(),
            polls: OwnedU64::new(0),
            poll_time: SlotHistogram::new(HeapBuckets::new(2)),
        }
    }

    /// Submits that the `n`th poll fell into a bucket.
    fn submit(&self, n: u64, bucket: usize) {
        self.seq.write(|| {
            self.polls.set(n);
            self.poll_time.buckets.chunks()[0][bucket].add(1);
            self.poll_time.set_totals(whole(n), 1, n);
        });
    }

    /// Polls, buckets and the sum.
    fn read(&self) -> Option<(u64, [u64; 2], u64)> {
        self.seq.try_read(|| {
            let polls = self.polls.get();
            let buckets = [0, 1].map(|i| self.poll_time.buckets.count(i));
            let (sum, _, _) = self.poll_time.totals();
            (polls, buckets, sum)
        })
    }
}

#[test]
fn samples_are_the_sum_of_the_buckets_and_the_polls() {
    explore(2, || {
        let slot = Arc::new(Small::new());
        // The second submit races: loom tries every mix of old and new words for the reader.
        slot.submit(1, 0);
        let worker = Arc::clone(&slot);
        let worker = thread::spawn(move || {
            worker.submit(2, 1);
        });
        if let Some((polls, buckets, sum)) = slot.read() {
            assert_eq!(buckets[0] + buckets[1], polls);
            assert_eq!(sum, whole(polls), "the sum of the same samples, in both words");
        }
        worker.join().unwrap();
        assert_eq!(slot.read(), Some((2, [1, 1], whole(2))));
    });
}

#[test]
fn two_readers_do_not_disturb_each_other() {
    explore(2, || {
        let slot = Arc::new(Small::new());
        let worker = Arc::clone(&slot);
        let worker = thread::spawn(move || worker.submit(1, 0));
        let other = Arc::clone(&slot);
        let other = thread::spawn(move || other.seq.try_read(|| other.polls.get()));
        if let Some(polls) = slot.seq.try_read(|| slot.polls.get()) {
            assert!(polls <= 1);
        }
        worker.join().unwrap();
        assert!(other.join().unwrap().is_none_or(|polls| polls <= 1));
        assert_eq!(slot.read(), Some((1, [1, 0], whole(1))), "no value was reset");
    });
}
