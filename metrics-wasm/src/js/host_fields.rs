//! The fields that the wrapper and the event loop add to a snapshot and to an interval of a runtime.

use crate::event_loop::{EventLoopSnapshot, Histogram};
use core::num::ParseIntError;
use core::time::Duration;
use metrics_core::HistogramInterval;
use serde::{Deserialize, Serialize};

/// The fields that a snapshot gets.
#[derive(Serialize)]
pub(super) struct HostSnapshot {
    self_wake_count: Option<u64>,
    event_loop: Option<EventLoopWire>,
}

#[derive(Serialize)]
struct EventLoopWire {
    loop_lag: Histogram,
    long_task_time: Option<Histogram>,
    loop_busy_duration_total: u64,
}

/// The same fields, read from the JSON of a snapshot.
#[derive(Deserialize)]
pub(super) struct EarlierHost {
    self_wake_count: Option<Decimal>,
    event_loop: Option<EarlierEventLoop>,
}

#[derive(Deserialize)]
struct EarlierEventLoop {
    loop_lag: Histogram,
    long_task_time: Option<Histogram>,
    loop_busy_duration_total: Decimal,
}

/// The fields that an interval gets.
#[derive(Serialize)]
pub(super) struct HostInterval {
    self_wake_count: Option<u64>,
    event_loop: Option<EventLoopInterval>,
}

#[derive(Serialize)]
struct EventLoopInterval {
    busy_ratio: Option<f64>,
    loop_lag: HistogramInterval<Vec<u64>>,
    long_task_time: Option<HistogramInterval<Vec<u64>>>,
    loop_busy_duration_total: u64,
}

/// A counter as JSON has it.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Decimal(u64);

impl TryFrom<String> for Decimal {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl HostSnapshot {
    pub(super) fn new(self_wake_count: Option<u64>, event_loop: Option<EventLoopSnapshot>) -> Self {
        let event_loop = event_loop.map(|event_loop| EventLoopWire {
            loop_busy_duration_total: nanos(event_loop.loop_busy_duration_total),
            loop_lag: event_loop.loop_lag,
            long_task_time: event_loop.long_task_time,
        });
        Self {
            self_wake_count,
            event_loop,
        }
    }
}

impl HostInterval {
    /// What was added since `before`; `wall` is the time in between. `event_loop` is `None` unless one watch made both snapshots.
    pub(super) fn new(
        before: &EarlierHost,
        self_wake_count: Option<u64>,
        event_loop: Option<&EventLoopSnapshot>,
        wall: Option<Duration>,
    ) -> Self {
        let self_wake_count = self_wake_count
            .zip(before.self_wake_count)
            .map(|(now, Decimal(before))| now.saturating_sub(before));
        let event_loop = event_loop
            .zip(before.event_loop.as_ref())
            .and_then(|(now, before)| EventLoopInterval::new(now, before, wall));
        Self {
            self_wake_count,
            event_loop,
        }
    }
}

impl EventLoopInterval {
    fn new(now: &EventLoopSnapshot, before: &EarlierEventLoop, wall: Option<Duration>) -> Option<Self> {
        let busy = nanos(now.loop_busy_duration_total).checked_sub(before.loop_busy_duration_total.0)?;
        let ratio = |wall: Duration| (Duration::from_nanos(busy).as_secs_f64() / wall.as_secs_f64()).min(1.0);
        let long_task_time = match (&now.long_task_time, &before.long_task_time) {
            (Some(now), Some(before)) => Some(now.since(before).ok()?),
            _ => None,
        };
        Some(Self {
            busy_ratio: wall.filter(|wall| !wall.is_zero()).map(ratio),
            loop_lag: now.loop_lag.since(&before.loop_lag).ok()?,
            long_task_time,
            loop_busy_duration_total: busy,
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
