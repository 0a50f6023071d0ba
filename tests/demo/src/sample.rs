//! Computes the values to show from two successive snapshots.

use crate::hot_spots::hot_spots;
use crate::stalls::Stalls;
use crate::view::{HistogramRow, Nanos, Quantiles, Tasks, View, WorkerRow, short_location};
use metrics_std::{
    HistogramInterval, HistogramSnapshot, Interval, Quantile, RuntimeMetrics, Snapshot, WorkerInterval,
    WorkerNumber, WorkerSnapshot, WorkerState,
};
use std::time::Duration;

/// The number of stalls for which the screen has room.
const SHOWN_STALLS: usize = 8;

/// Takes one snapshot per second and computes the changes since the previous one.
pub(crate) struct Sampler {
    metrics: RuntimeMetrics,
    address: String,
    before: Snapshot,
    requests_before: u64,
}

impl Sampler {
    pub(crate) fn new(metrics: RuntimeMetrics, address: String) -> Self {
        Self {
            before: metrics.snapshot(),
            metrics,
            address,
            requests_before: 0,
        }
    }

    /// Returns the values to show now, or `None` if no time has passed since the last call.
    pub(crate) fn sample(&mut self, elapsed: Duration, requests: u64, stalls: &Stalls) -> Option<View> {
        let now = self.metrics.snapshot();
        let interval = now.since(&self.before).ok()?;
        let seconds = interval.wall().filter(|wall| !wall.is_zero())?.as_secs_f64();
        let workers = now.workers().iter().zip(interval.workers());
        let mut workers: Vec<WorkerRow> = workers
            .map(|(worker, interval)| row(worker.index().to_string(), worker, interval))
            .collect();
        // Threads that are not workers have no interval of their own, but their current state is shown.
        if let Some(external) = now.external() {
            workers.push(WorkerRow {
                name: "external".to_owned(),
                busy_ratio: None,
                polls_per_second: None,
                parks_per_second: None,
                steals_per_second: None,
                state: state(external),
            });
        }
        let view = View {
            address: self.address.clone(),
            elapsed,
            requests_per_second: (requests - self.requests_before) as f64 / seconds,
            requests,
            workers,
            tasks: Tasks {
                alive: now.num_alive_tasks(),
                covered: now.covered_tasks(),
                spawned_per_second: interval.tasks().map(|tasks| tasks.spawned as f64 / seconds),
                global_queue: now.global_queue_depth(),
                blocking_queue: now.blocking_queue_depth(),
            },
            histograms: histograms(&now, &interval),
            hot_spots: hot_spots(&now, &self.before, &interval, seconds),
            stall_count: stall_count(&now),
            stalls: stalls.last(SHOWN_STALLS),
        };
        self.before = now;
        self.requests_before = requests;
        Some(view)
    }
}

/// Returns the number of stalls that the watchdog has counted, of all kinds that it can detect.
fn stall_count(now: &Snapshot) -> Option<u64> {
    let kinds = [now.poll_stall_count(), now.no_progress_stall_count()];
    kinds.into_iter().flatten().reduce(|sum, count| sum + count)
}

fn row(
    name: String,
    worker: &WorkerSnapshot<metrics_std::HeapStorage>,
    interval: &WorkerInterval<metrics_std::HeapStorage>,
) -> WorkerRow {
    WorkerRow {
        name,
        busy_ratio: interval.busy_ratio(),
        polls_per_second: interval.per_second(WorkerNumber::PollCount),
        parks_per_second: interval.per_second(WorkerNumber::ParkCount),
        steals_per_second: interval.per_second(WorkerNumber::StealCount),
        state: state(worker),
    }
}

fn state(worker: &WorkerSnapshot<metrics_std::HeapStorage>) -> String {
    let state = match worker.state() {
        Some(WorkerState::Idle) => "no thread",
        Some(WorkerState::Parked) => "parked",
        Some(WorkerState::Searching) => "searching",
        Some(WorkerState::Running) => "between polls",
        Some(WorkerState::Polling) => "polling",
        _ => "awake",
    };
    let mut text = state.to_owned();
    if !worker.spawn_location_name().is_empty() {
        text = format!("{text} {}", short_location(worker.spawn_location_name()));
    }
    match worker.state_for() {
        Some(time) => format!("{text} for {}", Nanos(nanos(time))),
        None => text,
    }
}

fn histograms(now: &Snapshot, interval: &Interval<metrics_std::HeapStorage>) -> Vec<HistogramRow> {
    let total = now.total();
    let last = interval.total();
    let row = |name,
               last: Option<&HistogramInterval<Vec<u64>>>,
               all: Option<&HistogramSnapshot<Vec<u64>>>| HistogramRow {
        name,
        last_second: last.map_or_else(Quantiles::default, |last| {
            quantiles(|q| last.quantile(q), last.max().map(|max| max.upper))
        }),
        since_start: all.map_or_else(Quantiles::default, |all| {
            quantiles(|q| all.quantile(q), all.max())
        }),
    };
    vec![
        row(
            "poll time",
            last.poll_time(),
            total.poll_time().map(metrics_std::HistogramReading::histogram),
        ),
        row(
            "schedule latency",
            last.schedule_latency(),
            total
                .schedule_latency()
                .map(metrics_std::HistogramReading::histogram),
        ),
        row(
            "stalled poll",
            interval.poll_stall_duration(),
            now.poll_stall_duration(),
        ),
    ]
}

fn quantiles(quantile: impl Fn(f64) -> Option<Quantile>, max: Option<u64>) -> Quantiles {
    let upper = |q| quantile(q).map(|quantile| quantile.upper);
    Quantiles {
        p50: upper(0.5),
        p90: upper(0.9),
        p99: upper(0.99),
        p999: upper(0.999),
        max,
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
