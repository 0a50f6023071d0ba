//! The clock reads of wakes in the testbed, if only some polls are measured.

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use metrics_core::{HistogramConfig, Sampling, TimeSource, Timestamp};
use metrics_mock::ManualClock;
use metrics_std::Clock;
use tests::testbed::Builder;
use tests::yield_now;

struct CountedClock {
    clock: ManualClock,
    reads: AtomicU32,
}

impl TimeSource for CountedClock {
    fn now(&self) -> Timestamp {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn ticks_per_second(&self) -> u64 {
        self.clock.ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }
}

#[test]
fn a_wake_in_the_testbed_reads_the_clock_only_if_its_poll_is_sampled() {
    const YIELDS: u32 = 5_000;
    let clock = Arc::new(CountedClock {
        clock: ManualClock::new(),
        reads: AtomicU32::new(0),
    });
    let one_in_100 = Sampling::OneIn(NonZeroU32::new(100).unwrap());
    let runtime = Builder::current_thread()
        .metrics(|metrics| {
            let metrics = metrics.epoch(1).schedule_latency(HistogramConfig::DEFAULT);
            metrics.schedule_latency_sampling(one_in_100)
        })
        .build(Clock::custom(Arc::clone(&clock)))
        .unwrap();
    let reads = runtime.block_on(async {
        let counted = Arc::clone(&clock);
        let task = runtime.spawn(async move {
            let before = counted.reads.load(Ordering::Relaxed);
            for _ in 0..YIELDS {
                yield_now().await;
            }
            counted.reads.load(Ordering::Relaxed) - before
        });
        task.await.unwrap()
    });
    let snapshot = runtime.metrics().snapshot();
    let samples = snapshot.total().schedule_latency().unwrap().samples();
    assert!((10..=200).contains(&samples), "{samples} samples");
    // Two for each sample, and a few for the driver and for polls that are not timed.
    assert!(reads < YIELDS / 2, "{reads} reads, {samples} samples");
}
