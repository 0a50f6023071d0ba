//! metrics-wasm's API.

mod clock;
mod event_loop;
mod measured;
mod monitor;

use alloc::sync::Arc;
use core::panic::Location;
use core::time::Duration;

use ::metrics_core::{Heap, HistogramConfig, Site};

pub use clock::{NoPerformance, PerformanceClock};
pub use event_loop::{
    DEFAULT_PERIOD, EventLoop, EventLoopSnapshot, Histogram, Stall, StallListener, StallSource, WatchError,
};
pub use measured::Measured;
pub use monitor::{BuildError, Builder, Monitor, MonitorProbe, spawn_local};

/// What metrics-wasm re-exports of metrics-core.
pub mod metrics_core {
    pub use crate::base::*;
}

/// A registry of nothing.
pub type Registry = crate::base::Registry<Heap, PerformanceClock>;
/// A worker, without size.
pub type Worker = crate::base::Worker<Arc<Registry>>;
/// A reader, whose every answer is `None`.
pub type RuntimeMetrics<P = ::metrics_core::NoProbe> = crate::base::RuntimeMetrics<Arc<Registry>, P>;
/// A snapshot of nothing.
pub type Snapshot = crate::base::Snapshot<Heap>;

/// The configuration as it is: there is no clock that it could be finer than.
pub fn no_finer_than(config: HistogramConfig, _resolution: Duration) -> HistogramConfig {
    config
}

/// `None`: spawn sites are not kept.
pub fn location(_site: Site) -> Option<&'static Location<'static>> {
    None
}
