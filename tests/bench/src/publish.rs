//! Publishing a batch. A publish can't be timed alone, for there must be something to publish: each side touches its
//! buckets in every turn, and a twin of it publishes every hundredth time only. The difference is the publish.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, SetClock, poll, wide_layout};
use metrics_core::{Builder, HistogramConfig, Worker};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    side("publish/ours-5-of-119", OURS_5_OF_119),
    side("publish/ours-touch-5-of-119", OURS_TOUCH_5_OF_119),
    side("publish/ours-5-of-7424", OURS_5_OF_7424),
    side("publish/ours-touch-5-of-7424", OURS_TOUCH_5_OF_7424),
    side("publish/ours-119-of-119", OURS_119_OF_119),
    side("publish/ours-touch-119-of-119", OURS_TOUCH_119_OF_119),
    side("publish/store-119", STORE_119),
    side("publish/touch-119", TOUCH_119),
    side("publish/store-7424", STORE_7424),
    side("publish/touch-7424", TOUCH_7424),
    side("publish/store-119-of-119", STORE_119_OF_119),
    side("publish/touch-119-of-119", TOUCH_119_OF_119),
];

/// Turns from one publish to the next where only the touching is to be seen.
const SELDOM: u64 = 100;

/// A batch and a slot as Tokio has them: every counter and every bucket is stored, touched or not.
struct StoreAll {
    counters: [u64; 10],
    buckets: Box<[u64]>,
    shared_counters: [AtomicU64; 10],
    shared_buckets: Box<[AtomicU64]>,
}

impl StoreAll {
    fn new(buckets: usize) -> Self {
        Self {
            counters: [0; 10],
            buckets: vec![0; buckets].into(),
            shared_counters: std::array::from_fn(|_| AtomicU64::new(0)),
            shared_buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn touch(&mut self, bucket: usize) {
        self.counters[0] += 1;
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }

    // Ordering: relaxed, as Tokio stores them; nothing makes its readers see them together.
    fn publish(&self) {
        for (shared, counter) in self.shared_counters.iter().zip(&self.counters) {
            shared.store(*counter, Ordering::Relaxed);
        }
        // The loop of its `HistogramBatch::submit`, index by index.
        #[allow(clippy::needless_range_loop, reason = "the peer's own form")]
        for i in 0..self.buckets.len() {
            self.shared_buckets[i].store(self.buckets[i], Ordering::Relaxed);
        }
    }
}

/// Nanoseconds as a service's polls take them, three octaves apart: in both layouts a bucket each.
const FIVE: [u64; 5] = [300, 450, 700, 1_100, 2_000];

/// A value for every bucket.
fn every_bucket(layout: HistogramConfig) -> Vec<u64> {
    (0..layout.num_buckets())
        .filter_map(|i| layout.bucket_range(i))
        .map(|range| range.start)
        .collect()
}

/// The whole of Tokio's way: a turn touches a bucket for each of `values`.
fn store_all(layout: HistogramConfig, values: &[u64], every: u64) -> Box<dyn Side> {
    let mut batch = StoreAll::new(layout.num_buckets());
    let touched: Vec<usize> = values.iter().map(|&value| layout.index(value)).collect();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for turn in 0..ops {
                for &bucket in black_box(&touched) {
                    batch.touch(bucket);
                }
                if turn % every == 0 {
                    black_box(&batch).publish();
                }
            }
        })
    })
}

/// The whole of ours: a turn has a poll of each of `values`.
fn ours(layout: HistogramConfig, values: Vec<u64>, every: u64) -> Box<dyn Side> {
    let registry = Builder::new()
        .workers(1)
        .poll_time(layout)
        // A publish only where this side wants one.
        .submit_interval(std::time::Duration::from_secs(1 << 20))
        .build(SetClock::default())
        .expect("a valid configuration");
    let worker = Worker::lease(registry, 0).expect("a free slot");
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for turn in 0..ops {
                for &value in black_box(&values) {
                    poll(&worker, value);
                }
                if turn % every == 0 {
                    black_box(&worker).submit();
                }
            }
        })
    })
}

const STORE_119: Build = || store_all(LAYOUT, &FIVE, 1);
const TOUCH_119: Build = || store_all(LAYOUT, &FIVE, SELDOM);
const STORE_7424: Build = || store_all(wide_layout(), &FIVE, 1);
const TOUCH_7424: Build = || store_all(wide_layout(), &FIVE, SELDOM);
const STORE_119_OF_119: Build = || store_all(LAYOUT, &every_bucket(LAYOUT), 1);
const TOUCH_119_OF_119: Build = || store_all(LAYOUT, &every_bucket(LAYOUT), SELDOM);

const OURS_5_OF_119: Build = || ours(LAYOUT, FIVE.to_vec(), 1);
const OURS_TOUCH_5_OF_119: Build = || ours(LAYOUT, FIVE.to_vec(), SELDOM);
const OURS_5_OF_7424: Build = || ours(wide_layout(), FIVE.to_vec(), 1);
const OURS_TOUCH_5_OF_7424: Build = || ours(wide_layout(), FIVE.to_vec(), SELDOM);
const OURS_119_OF_119: Build = || ours(LAYOUT, every_bucket(LAYOUT), 1);
const OURS_TOUCH_119_OF_119: Build = || ours(LAYOUT, every_bucket(LAYOUT), SELDOM);
