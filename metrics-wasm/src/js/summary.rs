//! A summary of a snapshot that is small enough for a beacon: browsers limit one to 64 KiB.

use crate::event_loop::{EventLoopSnapshot, Histogram};
use crate::runtime::Snapshot;
use core::time::Duration;
use serde::Serialize;

/// Only strings, plain numbers and null. Durations are milliseconds.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    name: &'a str,
    uptime_ms: Option<f64>,
    polls: Option<f64>,
    utilization: Option<f64>,
    alive_tasks: Option<f64>,
    panicked_tasks: Option<f64>,
    poll_stalls: Option<f64>,
    poll_time: Option<Quantiles>,
    schedule_latency: Option<Quantiles>,
    loop_lag: Option<Quantiles>,
    long_task_time: Option<Quantiles>,
    frame_delay: Option<Quantiles>,
}

#[derive(Serialize)]
struct Quantiles {
    count: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl<'a> Summary<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, event_loop: Option<&EventLoopSnapshot>) -> Self {
        let total = snapshot.total();
        let busy = total.busy_duration_total().zip(snapshot.uptime());
        let histogram = |of: fn(&EventLoopSnapshot) -> Option<&Histogram>| event_loop.and_then(of);
        Self {
            name: snapshot.name(),
            uptime_ms: snapshot.uptime().map(millis),
            polls: total.poll_count().map(number),
            utilization: busy
                .filter(|(_, uptime)| !uptime.is_zero())
                .map(|(busy, uptime)| busy.div_duration_f64(uptime).min(1.0)),
            alive_tasks: snapshot.num_alive_tasks().map(number),
            panicked_tasks: snapshot.panicked_tasks_count().map(number),
            poll_stalls: snapshot.poll_stall_count().map(number),
            poll_time: total
                .poll_time()
                .and_then(|reading| quantiles(reading.histogram())),
            schedule_latency: total
                .schedule_latency()
                .and_then(|reading| quantiles(reading.histogram())),
            loop_lag: snapshot.loop_lag().and_then(quantiles),
            long_task_time: histogram(|event_loop| event_loop.long_task_time.as_ref()).and_then(quantiles),
            frame_delay: histogram(|event_loop| event_loop.frame_delay.as_ref()).and_then(quantiles),
        }
    }
}

/// Returns `None` without samples.
fn quantiles(histogram: &Histogram) -> Option<Quantiles> {
    let quantile = |q| {
        let found = histogram.quantile(q)?;
        Some(millis(Duration::from_nanos(found.estimate)))
    };
    Some(Quantiles {
        count: number(histogram.count()),
        p50_ms: quantile(0.5)?,
        p99_ms: quantile(0.99)?,
        max_ms: millis(Duration::from_nanos(histogram.max()?)),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Converts a counter to a plain number, exact up to `2^53`.
fn number(count: u64) -> f64 {
    count as f64
}
