//! The time at which a task was scheduled, as its header keeps it.

use metrics_core::Timestamp;
use std::num::NonZeroU64;
use std::time::Instant;

/// Nanoseconds since the registry's clock started; `None` if latency is not measured.
#[derive(Copy, Clone)]
pub(crate) struct ScheduleLatencyInstant(Option<NonZeroU64>);

pub(crate) type ScheduleLatencyContext = Timestamp;

impl ScheduleLatencyInstant {
    /// Returns the current time of the clock that started at `clock_start`.
    pub(crate) fn new(clock_start: Option<Instant>) -> Self {
        Self(
            clock_start
                .map(|start| NonZeroU64::new(start.elapsed().as_nanos() as u64).unwrap_or(NonZeroU64::MIN)),
        )
    }

    pub(crate) fn prepare(self, _clock_start: Option<Instant>) -> Option<ScheduleLatencyContext> {
        self.0.map(|ticks| Timestamp::from_ticks(ticks.get()))
    }
}
