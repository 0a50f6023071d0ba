//! Submits a batch. A submit can't be timed alone, because there must be something to submit: each side touches its
//! buckets in every turn, and a second side submits only every hundredth time. The difference is the submit.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, SetClock, registry, wide_layout};
use metrics_core::{HistogramConfig, LocationId, PollStart, TimeSource, Worker};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    #[cfg(metrics_core_bench)]
    side("submit/ours-5-of-119", histogram::FIVE_OF_119),
    #[cfg(metrics_core_bench)]
    side("submit/ours-touch-5-of-119", histogram::TOUCH_FIVE_OF_119),
    #[cfg(metrics_core_bench)]
    side("submit/ours-5-of-7424", histogram::FIVE_OF_7424),
    #[cfg(metrics_core_bench)]
    side("submit/ours-touch-5-of-7424", histogram::TOUCH_FIVE_OF_7424),
    #[cfg(metrics_core_bench)]
    side("submit/ours-119-of-119", histogram::ALL_OF_119),
    #[cfg(metrics_core_bench)]
    side("submit/ours-touch-119-of-119", histogram::TOUCH_ALL_OF_119),
    side("submit/store-119", STORE_119),
    side("submit/touch-119", TOUCH_119),
    side("submit/store-7424", STORE_7424),
    side("submit/touch-7424", TOUCH_7424),
    side("submit/store-119-of-119", STORE_119_OF_119),
    side("submit/touch-119-of-119", TOUCH_119_OF_119),
    side("submit/submit", SUBMIT),
    side("submit/submit-seldom", SUBMIT_SELDOM),
    side("submit/store-batch", STORE_BATCH),
    side("submit/store-batch-seldom", STORE_BATCH_SELDOM),
];

/// Turns per submit of the side that measures only the touching.
const SELDOM: u64 = 100;

/// A histogram's batch and slot as in Tokio: every bucket is stored, touched or not.
struct StoreAll {
    buckets: Box<[u64]>,
    shared: Box<[AtomicU64]>,
}

impl StoreAll {
    fn new(buckets: usize) -> Self {
        Self {
            buckets: vec![0; buckets].into(),
            shared: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn touch(&mut self, bucket: usize) {
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }

    // Ordering: relaxed, as in Tokio: its readers may see some of the stores.
    fn submit(&self) {
        // The loop of its `HistogramBatch::submit`, index by index.
        #[allow(clippy::needless_range_loop, reason = "the peer's own form")]
        for i in 0..self.buckets.len() {
            self.shared[i].store(self.buckets[i], Ordering::Relaxed);
        }
    }
}

/// Typical poll times in nanoseconds, three octaves apart: each is in a bucket of its own in both layouts.
const FIVE: [u64; 5] = [300, 450, 700, 1_100, 2_000];

/// A value for every bucket.
fn every_bucket(layout: HistogramConfig) -> Vec<u64> {
    (0..layout.num_buckets())
        .filter_map(|i| layout.bucket_range(i))
        .map(|range| range.start)
        .collect()
}

/// Tokio's side: a turn touches a bucket for each of `values`.
fn store_all(layout: HistogramConfig, values: &[u64], every: u64) -> Box<dyn Side> {
    let mut histogram = StoreAll::new(layout.num_buckets());
    let touched: Vec<usize> = values.iter().map(|&value| layout.index(value)).collect();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for turn in 0..ops {
                for &bucket in black_box(&touched) {
                    histogram.touch(bucket);
                }
                if turn % every == 0 {
                    black_box(&histogram).submit();
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

/// Our histogram alone, which the core exposes only under this cfg.
#[cfg(metrics_core_bench)]
mod histogram {
    use super::{Build, FIVE, LAYOUT, Measured, SELDOM, Side, every_bucket, timed, wide_layout};
    use metrics_core::HistogramConfig;
    use metrics_core::bench::BatchAndSlot;
    use std::hint::black_box;

    fn ours(layout: HistogramConfig, values: Vec<u64>, every: u64) -> Box<dyn Side> {
        let histogram = BatchAndSlot::new(layout);
        Box::new(move |ops: u64| -> Measured {
            timed(ops, || {
                for turn in 0..ops {
                    for &value in black_box(&values) {
                        histogram.touch(value);
                    }
                    if turn % every == 0 {
                        black_box(&histogram).submit();
                    }
                }
            })
        })
    }

    pub(super) const FIVE_OF_119: Build = || ours(LAYOUT, FIVE.to_vec(), 1);
    pub(super) const TOUCH_FIVE_OF_119: Build = || ours(LAYOUT, FIVE.to_vec(), SELDOM);
    pub(super) const FIVE_OF_7424: Build = || ours(wide_layout(), FIVE.to_vec(), 1);
    pub(super) const TOUCH_FIVE_OF_7424: Build = || ours(wide_layout(), FIVE.to_vec(), SELDOM);
    pub(super) const ALL_OF_119: Build = || ours(LAYOUT, every_bucket(LAYOUT), 1);
    pub(super) const TOUCH_ALL_OF_119: Build = || ours(LAYOUT, every_bucket(LAYOUT), SELDOM);
}

/// The whole submit of a worker with both histograms, five polls after the last one.
fn submit(every: u64) -> Box<dyn Side> {
    let registry = registry(SetClock::default(), 1, LAYOUT);
    let worker = Worker::lease(registry, 0).expect("a free slot");
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for turn in 0..ops {
                for &nanos in black_box(&FIVE) {
                    let clock = worker.registry().clock();
                    let scheduled_at = clock.now();
                    clock.advance(nanos);
                    worker.start_poll(PollStart {
                        scheduled_at: Some(scheduled_at),
                        spawn_location: LocationId::UNKNOWN,
                    });
                    worker.end_poll();
                }
                if turn % every == 0 {
                    black_box(&worker).submit();
                }
            }
        })
    })
}

/// The whole submit of Tokio: ten counters and two histograms.
fn store_batch(every: u64) -> Box<dyn Side> {
    let mut histograms = [
        StoreAll::new(LAYOUT.num_buckets()),
        StoreAll::new(LAYOUT.num_buckets()),
    ];
    let mut counters = [0_u64; 10];
    let shared: [AtomicU64; 10] = std::array::from_fn(|_| AtomicU64::new(0));
    let touched = FIVE.map(|value| LAYOUT.index(value));
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for turn in 0..ops {
                for bucket in black_box(touched) {
                    counters[0] += 1;
                    for histogram in &mut histograms {
                        histogram.touch(bucket);
                    }
                }
                if turn % every == 0 {
                    for (shared, counter) in shared.iter().zip(black_box(&counters)) {
                        shared.store(*counter, Ordering::Relaxed);
                    }
                    for histogram in black_box(&histograms) {
                        histogram.submit();
                    }
                }
            }
        })
    })
}

const SUBMIT: Build = || submit(1);
const SUBMIT_SELDOM: Build = || submit(SELDOM / 2);
const STORE_BATCH: Build = || store_batch(1);
const STORE_BATCH_SELDOM: Build = || store_batch(SELDOM / 2);
