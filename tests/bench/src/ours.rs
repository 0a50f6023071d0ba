//! Our sides that need no runtime: the hooks of a worker, submits and reads.

use metrics_core::{
    Builder, HeapStorage, HistogramConfig, MetricSet, Registry, Sampling, TimeSource, Timestamp,
};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A registry over any clock, on the heap.
pub(crate) type Shared<T> = Arc<Registry<HeapStorage, T>>;

/// A clock that a side sets, so that a poll has an exact duration.
#[derive(Debug, Default)]
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    /// Advances the clock.
    #[inline]
    pub(crate) fn advance(&self, nanos: u64) {
        // Ordering: relaxed: only one thread uses it.
        self.0
            .store(self.0.load(Ordering::Relaxed) + nanos, Ordering::Relaxed);
    }
}

impl TimeSource for SetClock {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0.load(Ordering::Relaxed))
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

/// Builds a registry with both histograms in this layout, which submits only on request.
pub(crate) fn registry<T: TimeSource>(clock: T, workers: usize, layout: HistogramConfig) -> Shared<T> {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(workers)
        .poll_time(layout)
        .schedule_latency(layout)
        .submit_interval(Duration::from_secs(1 << 20))
        .build(clock)
        .expect("a valid configuration")
}

/// Measures one poll in eight in both histograms.
pub(crate) fn one_in_8(metrics: Builder<'_>) -> Builder<'_> {
    let sampling = Sampling::OneIn(NonZeroU32::new(8).expect("not zero"));
    metrics
        .poll_time_sampling(sampling)
        .schedule_latency_sampling(sampling)
}

/// Tokio's default layout: 119 buckets.
pub(crate) const LAYOUT: HistogramConfig = HistogramConfig::DEFAULT;

/// A layout with 7,424 buckets.
pub(crate) fn wide_layout() -> HistogramConfig {
    HistogramConfig::h2(1, 60_000_000_000, 8).expect("a valid layout")
}

/// A clock of one gigahertz that advances by itself, so that the use of its readings takes the same instructions
/// in every run.
#[derive(Debug, Default)]
#[allow(
    unreachable_pub,
    reason = "named by the public alias of a testbed compiled here"
)]
pub struct StepClock(AtomicU64);

impl TimeSource for StepClock {
    #[inline]
    fn now(&self) -> Timestamp {
        // Ordering: relaxed loads and stores, for one thread drives it. Steps of 32 to 95 ns, irregular enough to
        // reach several buckets.
        let now = self.0.load(Ordering::Relaxed);
        let next = now + 32 + (now.wrapping_mul(0x9E37_79B9) >> 13 & 63);
        self.0.store(next, Ordering::Relaxed);
        Timestamp::from_ticks(next)
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}
