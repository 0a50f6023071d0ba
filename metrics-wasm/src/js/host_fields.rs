//! The fields that the wrapper and the event loop add to a snapshot and to an interval of a runtime.

use super::merge::all;
use crate::event_loop::{EventLoopSnapshot, Histogram};
use core::num::ParseIntError;
use core::time::Duration;
use metrics_core::HistogramInterval;
use metrics_core::histogram::HistogramMergeError;
use serde::{Deserialize, Serialize};

/// The fields that a snapshot gets.
#[derive(Serialize)]
pub(super) struct HostSnapshot {
    self_wake_count: Option<u64>,
    event_loop: Option<EventLoopWire>,
}

#[derive(Serialize)]
struct EventLoopWire {
    long_task_time: Option<Histogram>,
    frame_delay: Option<Histogram>,
    loop_busy_duration_total: Option<u64>,
}

/// The same fields, read from the JSON of a snapshot.
#[derive(Deserialize)]
pub(super) struct EarlierHost {
    self_wake_count: Option<Decimal>,
    event_loop: Option<EarlierEventLoop>,
}

#[derive(Clone, Deserialize)]
struct EarlierEventLoop {
    long_task_time: Option<Histogram>,
    frame_delay: Option<Histogram>,
    loop_busy_duration_total: Option<Decimal>,
}

/// The fields that an interval gets.
#[derive(Serialize)]
pub(super) struct HostInterval {
    self_wake_count: Option<u64>,
    event_loop: Option<EventLoopInterval>,
}

#[derive(Serialize)]
struct EventLoopInterval {
    utilization: Option<f64>,
    long_task_time: Option<HistogramInterval<Vec<u64>>>,
    frame_delay: Option<HistogramInterval<Vec<u64>>>,
    loop_busy_duration_total: Option<u64>,
}

/// A counter in JSON: a decimal string.
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
            long_task_time: event_loop.long_task_time,
            frame_delay: event_loop.frame_delay,
            loop_busy_duration_total: event_loop.loop_busy_duration_total.map(nanos),
        });
        Self {
            self_wake_count,
            event_loop,
        }
    }

    /// Adds the fields of several snapshots. A field that one of them lacks is `None`.
    pub(super) fn merge(hosts: &[EarlierHost]) -> Result<Self, HistogramMergeError> {
        let count = all(
            hosts.iter().map(|host| host.self_wake_count.as_ref()),
            Decimal::add,
        )?;
        let event_loop = all(
            hosts.iter().map(|host| host.event_loop.as_ref()),
            EarlierEventLoop::add,
        )?;
        Ok(Self {
            self_wake_count: count.map(|Decimal(count)| count),
            event_loop: event_loop.map(|event_loop| EventLoopWire {
                long_task_time: event_loop.long_task_time,
                frame_delay: event_loop.frame_delay,
                loop_busy_duration_total: event_loop.loop_busy_duration_total.map(|Decimal(busy)| busy),
            }),
        })
    }
}

impl Decimal {
    #[allow(
        clippy::unnecessary_wraps,
        clippy::trivially_copy_pass_by_ref,
        reason = "the same signature as for histograms"
    )]
    fn add(&mut self, other: &Self) -> Result<(), HistogramMergeError> {
        self.0 = self.0.saturating_add(other.0);
        Ok(())
    }
}

impl EarlierEventLoop {
    fn add(&mut self, other: &Self) -> Result<(), HistogramMergeError> {
        let histogram = |one: &Option<Histogram>, other: &Option<Histogram>| {
            all([one.as_ref(), other.as_ref()].into_iter(), Histogram::merge)
        };
        self.long_task_time = histogram(&self.long_task_time, &other.long_task_time)?;
        self.frame_delay = histogram(&self.frame_delay, &other.frame_delay)?;
        let busy = [
            self.loop_busy_duration_total.as_ref(),
            other.loop_busy_duration_total.as_ref(),
        ];
        self.loop_busy_duration_total = all(busy.into_iter(), Decimal::add)?;
        Ok(())
    }
}

impl HostInterval {
    /// Computes the change since `before`; `wall` is the time in between. `event_loop` is `None` unless one watch made both snapshots.
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
        let busy = match (now.loop_busy_duration_total, before.loop_busy_duration_total) {
            (Some(now), Some(Decimal(before))) => Some(nanos(now).checked_sub(before)?),
            _ => None,
        };
        let ratio =
            |(busy, wall): (u64, Duration)| Duration::from_nanos(busy).div_duration_f64(wall).min(1.0);
        Some(Self {
            utilization: busy.zip(wall.filter(|wall| !wall.is_zero())).map(ratio),
            long_task_time: difference(now.long_task_time.as_ref(), before.long_task_time.as_ref())?,
            frame_delay: difference(now.frame_delay.as_ref(), before.frame_delay.as_ref())?,
            loop_busy_duration_total: busy,
        })
    }
}

/// The samples added to a histogram. `Some(None)` unless both snapshots have it; `None` if they are of different watches.
#[allow(
    clippy::option_option,
    reason = "a watch that began later is not a histogram that is not measured"
)]
fn difference(
    now: Option<&Histogram>,
    before: Option<&Histogram>,
) -> Option<Option<HistogramInterval<Vec<u64>>>> {
    match (now, before) {
        (Some(now), Some(before)) => now.since(before).ok().map(Some),
        _ => Some(None),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
