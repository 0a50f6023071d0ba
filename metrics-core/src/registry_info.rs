//! The part of a registry that never changes.

use crate::catalog::MetricSet;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::flight::Fold;
use crate::histogram::HistogramConfig;
use crate::time::Timestamp;
use crate::time_scale::TimeScale;
use core::time::Duration;

/// The part of a registry that never changes after construction.
// The fields that a poll reads come first: see `Registry`.
#[repr(C)]
#[derive(Debug)]
pub struct RegistryInfo<N> {
    pub(crate) scale: TimeScale,
    /// The number of ticks after which the end of a poll submits.
    pub(crate) interval: u64,
    pub(crate) poll_time: Layout,
    pub(crate) schedule_latency: Layout,
    pub(crate) timed: bool,
    /// Whether the adapter keeps the activity of each alive task. Here, it takes padding.
    pub(crate) census: bool,
    pub(crate) name: N,
    pub(crate) epoch: u64,
    pub(crate) started_at: Option<u64>,
    pub(crate) started: Timestamp,
    pub(crate) num_workers: usize,
    pub(crate) resolution: Duration,
    /// The metrics that the runtime's hooks measure.
    pub(crate) measures: MetricSet,
    pub(crate) blocking_queue_wait: Option<HistogramConfig>,
    /// The number of spawn locations with rows of their own; zero if there are no rows.
    pub(crate) locations: usize,
    /// The number of events that each worker keeps; zero if none.
    pub(crate) flight_events: usize,
    /// Which polls of the flight recorder are folded into bursts. Static storage has its own.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fold: Fold,
}

/// The layout of a histogram that may be absent.
///
/// This is not an `Option`: a slot that has the histogram knows that the layout exists, so a poll does not check for
/// it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    config: HistogramConfig,
    kept: bool,
}

impl Layout {
    pub(crate) const fn new(config: Option<HistogramConfig>) -> Self {
        match config {
            Some(config) => Self { config, kept: true },
            None => Self {
                config: HistogramConfig::DEFAULT,
                kept: false,
            },
        }
    }

    /// Returns the layout, if the registry keeps the histogram.
    pub(crate) const fn get(&self) -> Option<&HistogramConfig> {
        if self.kept { Some(&self.config) } else { None }
    }

    /// Returns the layout of a histogram, if the histogram exists.
    #[inline(always)]
    pub(crate) fn of<'a, H>(&'a self, histogram: Option<&'a H>) -> Option<(&'a HistogramConfig, &'a H)> {
        histogram.map(|histogram| (&self.config, histogram))
    }
}

/// Creates an epoch that is unique within this process, and most likely unique among processes that start at different
/// times.
///
/// The epochs of two registries of one process that are `n` registries apart differ by `n` times 2^64 divided by the
/// golden ratio. They are equal only if their times differ by exactly that much, which is hours for a million
/// registries (the three-distance theorem).
#[cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    use crate::cell::SharedU32;
    static REGISTRIES: SharedU32 = SharedU32::new(0);
    let number = REGISTRIES.add(1);
    started.wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Each model creates one registry, and loom's atomics can't be static.
#[cfg(all(feature = "alloc", metrics_core_loom))]
pub(crate) fn unique_epoch(started: u64) -> u64 {
    started
}
