//! The metrics of an event loop at one moment.

use crate::clock::PerformanceClock;
use crate::resolution::no_finer_than;
use core::time::Duration;
use metrics_core::{HistogramConfig, HistogramSnapshot, TimeSource};

/// A histogram of durations in nanoseconds.
pub type Histogram = HistogramSnapshot<Vec<u64>>;

/// The least and the largest value in nanoseconds, and the precision.
type Layout = (u64, u64, u32);

pub(super) const LAG_LAYOUT: Layout = (100_000, 60_000_000_000, 2);
/// The layout of frame delays: a frame takes 4 ms on the fastest displays.
pub(super) const FRAME_LAYOUT: Layout = (1_000_000, 60_000_000_000, 3);
/// The layout of long tasks, which the Long Tasks API defines as tasks of at least 50 ms.
pub(super) const LONG_TASK_LAYOUT: Layout = (50_000_000, 60_000_000_000, 3);

/// The metrics of an event loop at one moment. Its lag is in the snapshot of the runtime, as on servers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventLoopSnapshot {
    /// The durations of tasks of 50 ms and more since the page was loaded, in nanoseconds. `None` if the browser does not report them.
    pub long_task_time: Option<Histogram>,
    /// The time from the request of each animation frame to the frame, in nanoseconds. `None` unless frames are watched: see
    /// [`watch_frames`](super::EventLoop::watch_frames).
    pub frame_delay: Option<Histogram>,
    /// The time that the event loop was busy since the watch began. `None` in browsers, which do not measure it.
    pub loop_busy_duration_total: Option<Duration>,
}

pub(super) fn layout((min, max, precision): Layout, clock: &PerformanceClock) -> Option<HistogramConfig> {
    let config = HistogramConfig::h2(min, max, precision).ok()?;
    Some(no_finer_than(config, clock.resolution()))
}

pub(super) fn histogram(of: Layout, clock: &PerformanceClock) -> Option<Histogram> {
    Histogram::new(layout(of, clock)?).ok()
}
