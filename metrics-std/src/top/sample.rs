//! Computes the values to show from two successive snapshots.

use super::format::{Grouped, Nanos, short_location};
use super::hot_spots::hot_spots;
use super::view::{HistogramRow, Quantiles, Tasks, View, WorkerRow};
use crate::{
    HistogramInterval, HistogramSnapshot, Interval, Quantile, Snapshot, WorkerInterval, WorkerNumber,
    WorkerSnapshot, WorkerState,
};
use core::time::Duration;
use metrics_core::LocationColumn;

/// The duration from which a poll in progress is shown as a stall.
const LONG_POLL: Duration = Duration::from_millis(20);

/// Computes the changes from one snapshot to the next.
#[derive(Debug)]
pub struct Sampler {
    before: Snapshot,
}

impl Sampler {
    /// Creates a sampler whose first interval begins with this snapshot.
    pub fn new(before: Snapshot) -> Self {
        Self { before }
    }

    /// Returns the values to show between the last snapshot and this one of the same runtime. `None` if no time has passed in between, or
    /// if the runtime was started again meanwhile: the next interval then begins with this snapshot.
    pub fn sample(&mut self, now: Snapshot) -> Option<View> {
        let before = core::mem::replace(&mut self.before, now);
        let now = &self.before;
        let interval = now.since(&before).ok()?;
        let wall = interval.wall().filter(|wall| !wall.is_zero())?;
        let seconds = wall.as_secs_f64();
        let workers = now.workers().iter().zip(interval.workers());
        let mut workers: Vec<WorkerRow> = workers
            .map(|(worker, interval)| {
                let index = worker.index();
                row(index.to_string(), Some(index), worker, interval, wall)
            })
            .collect();
        // Threads that are not workers have no interval of their own, but their current state is shown.
        if let Some(external) = now.external() {
            workers.push(WorkerRow {
                name: "external".to_owned(),
                index: None,
                utilization: None,
                polls_per_second: None,
                parks_per_second: None,
                steals_per_second: None,
                state: state(external),
            });
        }
        Some(View {
            title: vec![now.name().to_owned()],
            interval: wall,
            workers,
            tasks: Tasks {
                alive: now.num_alive_tasks(),
                covered: now.covered_tasks(),
                spawned_per_second: interval.tasks().map(|tasks| tasks.spawned as f64 / seconds),
                global_queue: now.global_queue_depth(),
                blocking_queue: now.blocking_queue_depth(),
            },
            histograms: histograms(now, &interval),
            hot_spots: hot_spots(false, now, &before, &interval, seconds),
            groups: hot_spots(true, now, &before, &interval, seconds).unwrap_or_default(),
            blame: Vec::new(),
            unwakeable: unwakeable(now),
            stall_count: stall_count(now),
            stalls: now.workers().iter().filter_map(long_poll).collect(),
            stalls_heading: "long polls in progress",
        })
    }
}

/// Returns a line about the poll in progress, if it is long.
fn long_poll(worker: &WorkerSnapshot<crate::HeapStorage>) -> Option<String> {
    let polling = worker.state() == Some(WorkerState::Polling);
    let time = worker.state_for().filter(|&time| polling && time >= LONG_POLL)?;
    let location = match short_location(worker.spawn_location_name()) {
        "" => "unknown location",
        location => location,
    };
    let (worker, time) = (worker.index(), Nanos(nanos(time)));
    Some(format!("worker {worker}: in progress for {time}  {location}"))
}

/// The number of locations with tasks that nobody can wake for which the screen has room.
const UNWAKEABLE: usize = 3;

/// Returns lines about the locations with most tasks that nobody can wake.
fn unwakeable(now: &Snapshot) -> Vec<String> {
    let locations = now.locations_by(LocationColumn::Unwakeable).into_iter();
    let lines = locations.filter_map(|location| {
        let census = location.census().filter(|census| census.unwakeable > 0)?;
        let (unwakeable, waiting) = (Grouped(census.unwakeable), Grouped(census.waiting));
        let location = short_location(location.name());
        Some(format!("{unwakeable} of {waiting} waiting tasks  {location}"))
    });
    lines.take(UNWAKEABLE).collect()
}

/// Returns the number of stalls that the watchdog has counted, of all kinds that it can detect.
fn stall_count(now: &Snapshot) -> Option<u64> {
    let kinds = [
        now.poll_stall_count(),
        now.no_progress_stall_count(),
        now.queue_stall_count(),
    ];
    kinds.into_iter().flatten().reduce(u64::saturating_add)
}

fn row(
    name: String,
    index: Option<usize>,
    worker: &WorkerSnapshot<crate::HeapStorage>,
    interval: &WorkerInterval<crate::HeapStorage>,
    wall: Duration,
) -> WorkerRow {
    WorkerRow {
        name,
        index,
        utilization: utilization(worker, interval, wall),
        polls_per_second: interval.per_second(WorkerNumber::PollCount),
        parks_per_second: interval.per_second(WorkerNumber::ParkCount),
        steals_per_second: interval.per_second(WorkerNumber::StealCount),
        state: state(worker),
    }
}

/// Returns the busy ratio. The busy time of an attached runtime does not advance during a poll, so a poll in progress counts from its start.
fn utilization(
    worker: &WorkerSnapshot<crate::HeapStorage>,
    interval: &WorkerInterval<crate::HeapStorage>,
    wall: Duration,
) -> Option<f64> {
    let polling = worker.state() == Some(WorkerState::Polling);
    let in_progress = worker.state_for().filter(|_| polling).unwrap_or_default();
    let least = in_progress.min(wall).as_secs_f64() / wall.as_secs_f64();
    interval.utilization().map(|busy| busy.max(least))
}

fn state(worker: &WorkerSnapshot<crate::HeapStorage>) -> String {
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

fn histograms(now: &Snapshot, interval: &Interval<crate::HeapStorage>) -> Vec<HistogramRow> {
    let total = now.total();
    let last = interval.total();
    let row = |name,
               last: Option<&HistogramInterval<Vec<u64>>>,
               all: Option<&HistogramSnapshot<Vec<u64>>>| HistogramRow {
        name,
        interval: last.map_or_else(Quantiles::default, |last| {
            quantiles(|q| last.quantile(q), last.max().map(|max| max.upper))
        }),
        since_start: all.map_or_else(Quantiles::default, |all| {
            quantiles(|q| all.quantile(q), all.max())
        }),
    };
    let mut rows = vec![
        row(
            "poll time",
            last.poll_time(),
            total.poll_time().map(crate::HistogramReading::histogram),
        ),
        row(
            "schedule latency",
            last.schedule_latency(),
            total.schedule_latency().map(crate::HistogramReading::histogram),
        ),
        row(
            "stalled poll",
            interval.poll_stall_duration(),
            now.poll_stall_duration(),
        ),
    ];
    // Most runtimes have no probe.
    let probes = [
        row("loop lag", interval.loop_lag(), now.loop_lag()),
        row("wake latency", interval.wake_latency(), now.wake_latency()),
    ];
    rows.extend(probes.into_iter().filter(|row| row.since_start.max.is_some()));
    rows
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, LocationId, MetricSet, NoProbe, PollStart, RuntimeHandles, build};
    use metrics_core::LocationKind;
    use metrics_mock::ManualClock;
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// Returns two snapshots of a worker that polls tasks of each location once, and once more.
    fn two_snapshots(locations: &[LocationId]) -> [Snapshot; 2] {
        let clock = Arc::new(ManualClock::new());
        let builder = Builder::new().workers(1).locations(4).measures(MetricSet::ALL);
        let RuntimeHandles { metrics, workers } =
            build(builder, Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
        core::array::from_fn(|_| {
            for &spawn_location in locations {
                workers[0].start_poll(PollStart {
                    spawn_location,
                    ..PollStart::default()
                });
                clock.advance(Duration::from_millis(1));
                workers[0].end_poll();
            }
            workers[0].submit();
            metrics.snapshot()
        })
    }

    fn locations(numbers: core::ops::Range<u32>) -> Vec<LocationId> {
        numbers.map(LocationId::from_u32).collect()
    }

    /// Returns the snapshot with other values, as another process may send it.
    fn changed(snapshot: &Snapshot, change: impl FnOnce(&mut Value)) -> Snapshot {
        let mut value = serde_json::to_value(snapshot).unwrap();
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_worker_is_busy_during_a_poll_that_its_busy_time_lacks() {
        let [before, now] = two_snapshots(&locations(1..3));
        let numbers = |value: &Value| value["workers"][0]["measurements"]["numbers"].clone();
        let earlier = numbers(&serde_json::to_value(&before).unwrap());
        let now = changed(&now, |value| {
            // As for an attached runtime.
            value["workers"][0]["measurements"]["numbers"] = earlier;
            value["workers"][0]["state"] = json!("polling");
            value["workers"][0]["since"] = json!("1000000");
        });
        let view = Sampler::new(before).sample(now).unwrap();
        assert_eq!(view.interval, Duration::from_millis(2));
        let busy = view.workers[0].utilization.unwrap();
        assert!((busy - 0.5).abs() < 1e-9, "1 of 2 ms: {busy}");
    }

    #[test]
    fn each_location_is_compared_with_its_own_earlier_values() {
        // Tasks without a location and those beyond the capacity are the first and the last entry.
        let [before, now] = two_snapshots(&locations(0..9));
        let rows = before.locations().unwrap();
        let kinds = [rows.first().unwrap().kind(), rows.last().unwrap().kind()];
        assert_eq!(kinds, [LocationKind::Unknown, LocationKind::Other]);
        let view = Sampler::new(before).sample(now).unwrap();
        let spots = view.hot_spots.unwrap();
        let rates = spots.iter().filter_map(|spot| spot.polls_per_second);
        let polls = rates.sum::<f64>() * view.interval.as_secs_f64();
        assert!((polls - 9.0).abs() < 0.5, "one of each location: {spots:?}");
    }

    #[test]
    fn values_that_no_runtime_has_do_not_overflow() {
        let [before, now] = two_snapshots(&locations(1..3));
        let before = changed(&before, |value| {
            value["locations"][0]["poll_count"] = json!(u64::MAX.to_string());
        });
        let now = changed(&now, |value| {
            value["poll_stall_count"] = json!(u64::MAX.to_string());
            value["no_progress_stall_count"] = json!("1");
        });
        let view = Sampler::new(before).sample(now).unwrap();
        assert_eq!(view.hot_spots.unwrap().len(), 1, "the other one has no new polls");
        assert_eq!(view.stall_count, Some(u64::MAX));
    }

    #[test]
    fn groups_are_no_hot_spots_and_have_a_table_of_their_own() {
        let kind = |snapshot: &Snapshot| {
            changed(snapshot, |value| {
                value["locations"][1]["kind"] = json!("group");
                value["locations"][1]["name"] = json!("/orders/{id}");
            })
        };
        let [before, now] = two_snapshots(&locations(1..3));
        let view = Sampler::new(kind(&before)).sample(kind(&now)).unwrap();
        assert_eq!(view.hot_spots.map(|spots| spots.len()), Some(1));
        let groups: Vec<_> = view.groups.iter().map(|group| &*group.name).collect();
        assert_eq!(groups, ["/orders/{id}"]);
    }

    #[test]
    fn tasks_that_nobody_can_wake_are_listed_by_location() {
        let [before, now] = two_snapshots(&locations(0..4));
        let now = changed(&now, |value| {
            for (place, unwakeable) in [(0, "0"), (1, "1"), (2, "1200")] {
                let location = &mut value["locations"][place];
                for (field, tasks) in [("queued", "0"), ("polling", "0"), ("waiting", "1500")] {
                    location[field] = json!(tasks);
                }
                location["unwakeable"] = json!(unwakeable);
                location["name"] = json!(format!("src/{place}.rs:7"));
            }
        });
        let view = Sampler::new(before).sample(now).unwrap();
        assert_eq!(
            view.unwakeable,
            [
                "1,200 of 1,500 waiting tasks  src/2.rs:7",
                "1 of 1,500 waiting tasks  src/1.rs:7",
            ]
        );
    }
}
