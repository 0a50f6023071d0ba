//! Checks of snapshots: each is coherent, and has what the model counted.

use std::collections::BTreeMap;

use metrics_core::{
    HeapStorage, Interval, LocationKind, LocationSnapshot, Snapshot, WorkerInterval, WorkerNumber,
    WorkerSnapshot,
};

use crate::model::{EXTERNAL, Model, Row, RowModel, WorkerModel};
use crate::ops::Runtime;
use crate::probe::{Activity, is_group, location};

pub type HeapSnapshot = Snapshot<HeapStorage>;

/// The times that a reader estimates up to its snapshot.
pub const STATE_TIMES: &[WorkerNumber] = &[
    WorkerNumber::BusyDurationTotal,
    WorkerNumber::ParkedDurationTotal,
    WorkerNumber::SearchingDurationTotal,
    WorkerNumber::PollingDurationTotal,
    WorkerNumber::RunningDurationTotal,
];

/// Checks a snapshot that was taken just now.
pub fn check_snapshot(runtime: &Runtime, snapshot: &HeapSnapshot) {
    let model = &runtime.model;
    assert_eq!(snapshot.num_alive_tasks(), Some(model.alive()));
    let tasks = snapshot.tasks().expect("they are measured");
    assert_eq!(tasks.spawned, model.spawned);
    assert_eq!([tasks.completed, tasks.cancelled, tasks.panicked], model.ended);
    assert_eq!(snapshot.remote_schedule_count(), Some(model.remote_schedules));
    assert_eq!(snapshot.io_driver_ready_count(), Some(model.io_ready));
    let stalls = [
        snapshot.poll_stall_count(),
        snapshot.no_progress_stall_count(),
        snapshot.queue_stall_count(),
    ];
    assert_eq!(stalls, model.stalls);
    let lag = [snapshot.loop_lag(), snapshot.wake_latency()];
    assert_eq!(lag.map(|lag| Some(lag?.count())), model.lag);
    if let Some(waits) = snapshot.blocking_queue_wait() {
        assert!(waits.count() <= model.blocking);
    }

    assert!(
        snapshot
            .workers()
            .is_sorted_by(|one, next| one.index() < next.index())
    );
    for (&index, of_model) in &model.workers {
        let worker = match index {
            EXTERNAL => snapshot.external(),
            index => snapshot.worker(index),
        };
        check_worker(worker.expect("it was leased"), of_model);
    }
    assert_eq!(
        snapshot.workers().len() + usize::from(snapshot.external().is_some()),
        model.workers.len()
    );
    check_total(snapshot);
    check_histograms(snapshot);
    check_locations(runtime, snapshot);
}

/// Returns the workers, followed by the external threads.
fn all(snapshot: &HeapSnapshot) -> impl Iterator<Item = &WorkerSnapshot<HeapStorage>> {
    snapshot.workers().iter().chain(snapshot.external())
}

fn check_worker(worker: &WorkerSnapshot<HeapStorage>, of_model: &WorkerModel) {
    assert!(!worker.is_missing() && worker.staleness().is_none());
    let least = of_model.recorded.without(&of_model.pending);
    for ((number, least), (_, most)) in least.iter().zip(of_model.recorded.iter()) {
        if let Some(count) = worker.counter(number) {
            assert!(
                (least..=most).contains(&count),
                "{number:?}: {count} in {least}..={most}"
            );
        }
    }
}

/// The total is the sum of the workers.
fn check_total(snapshot: &HeapSnapshot) {
    for &number in WorkerNumber::COUNTERS {
        if let WorkerNumber::OnCpuDurationTotal | WorkerNumber::RunnableWaitDurationTotal = number {
            assert_eq!(snapshot.total().counter(number), None, "only a probe reports it");
            continue;
        }
        if let Some(total) = snapshot.total().counter(number) {
            let sum: u64 = all(snapshot).filter_map(|worker| worker.counter(number)).sum();
            assert_eq!(total, sum, "{number:?}");
        }
    }
    let total = snapshot.total();
    let samples = total.poll_time().map(|reading| reading.samples());
    assert!(samples <= total.poll_count(), "no sample without a poll");
}

fn check_histograms(snapshot: &HeapSnapshot) {
    let total = snapshot.total();
    let readings = [total.poll_time(), total.schedule_latency()];
    let of_workers = readings.into_iter().flatten().map(|reading| reading.histogram());
    let of_runtime = [
        snapshot.blocking_queue_wait(),
        snapshot.loop_lag(),
        snapshot.wake_latency(),
        snapshot.poll_stall_duration(),
    ];
    for histogram in of_workers.chain(of_runtime.into_iter().flatten()) {
        let count = histogram.count();
        assert_eq!(count, histogram.buckets().iter().sum::<u64>());
        assert_eq!(count == 0, histogram.min().is_none());
        assert_eq!(count == 0, histogram.max().is_none());
        let mut merged = histogram.clone();
        merged.merge(histogram).expect("one layout");
        assert_eq!(merged.count(), 2 * count);
        let mut below = 0;
        for percent in [0.0, 0.5, 0.9, 0.99, 1.0] {
            if let Some(quantile) = histogram.quantile(percent) {
                assert!(quantile.lower >= below, "quantiles rise");
                below = quantile.lower;
            }
        }
        let small = histogram.downsample(4).expect("four buckets are enough");
        assert_eq!(small.iter().map(|(_, count)| count).sum::<u64>(), count);
    }
}

/// Each row of the table has what the model counted in it: a row needs no submit.
fn check_locations(runtime: &Runtime, snapshot: &HeapSnapshot) {
    let capacity = runtime.capacity();
    assert_eq!(snapshot.locations().is_some(), capacity > 0);
    let model = &runtime.model;
    let Some(locations) = snapshot.locations() else {
        return;
    };
    let mut rows = model.rows.clone();
    for location in locations {
        let expected = rows.remove(&row_of(location)).unwrap_or_default();
        check_row(location, &expected, model);
    }
    let is_counted = |row: &RowModel| row.spawned | row.ended | row.polls != 0;
    assert!(!rows.values().any(is_counted), "not in the snapshot: {rows:?}");

    let tasks = locations.iter().filter(|location| !location.is_group());
    let polls: u64 = tasks.map(LocationSnapshot::poll_count).sum();
    if !model.changed_state_in_a_poll {
        assert_eq!(polls, model.polls());
    }
    check_census(runtime, locations);
}

fn row_of(location: &LocationSnapshot<HeapStorage>) -> Row {
    match location.kind() {
        LocationKind::Unknown => Row::Unknown,
        LocationKind::Location | LocationKind::Group => Row::Number(location.location().as_u32()),
        LocationKind::Other => Row::Other,
        _ => Row::OtherGroups,
    }
}

fn check_row(location: &LocationSnapshot<HeapStorage>, expected: &RowModel, model: &Model) {
    let number = location.location().as_u32();
    assert_eq!(location.kind() == LocationKind::Group, is_group(number));
    assert_eq!(
        location.spawned(),
        expected.spawned.max(expected.ended),
        "{location:?}"
    );
    assert_eq!(location.ended(), expected.ended, "{location:?}");
    if !model.changed_state_in_a_poll {
        assert_eq!(location.poll_count(), expected.polls, "{location:?}");
    }
    assert!(location.measured_polls() <= location.poll_count());
    assert!(location.measured_latencies() <= location.poll_count());
    assert!(location.longest_poll() <= location.poll_time());
    assert!(location.longest_schedule_latency() <= location.schedule_latency());
    let is_watched = model.stalls[0].is_some();
    assert_eq!(location.stall_count(), is_watched.then_some(expected.stalls));
}

/// The census has each task that the probe reported once.
fn check_census(runtime: &Runtime, locations: &[LocationSnapshot<HeapStorage>]) {
    let mut tasks = BTreeMap::<Row, [u64; 4]>::new();
    for &(raw, activity) in &runtime.metrics.probe().tasks {
        let counts = tasks
            .entry(Row::of_location(location(raw), runtime.capacity()))
            .or_default();
        match activity {
            Activity::Queued => counts[0] += 1,
            Activity::Polling => counts[1] += 1,
            Activity::Waiting { is_wakeable, .. } => {
                counts[2] += 1;
                counts[3] += u64::from(!is_wakeable);
            }
        }
    }
    for row in locations {
        assert_eq!(row.census().is_none(), row.is_group());
        if let Some(census) = row.census() {
            let counts = [census.queued, census.polling, census.waiting, census.unwakeable];
            assert_eq!(counts, tasks.remove(&row_of(row)).unwrap_or_default());
        }
    }
    assert!(tasks.is_empty(), "not in the snapshot: {tasks:?}");
}

/// Asserts that the interval of a worker, which has no error, has the difference of each counter and of each histogram.
pub fn check_growth(
    interval: &WorkerInterval<HeapStorage>,
    earlier: Option<&metrics_core::Measurements<HeapStorage>>,
    later: &metrics_core::Measurements<HeapStorage>,
) {
    for &number in WorkerNumber::COUNTERS {
        let before = earlier.map_or(Some(0), |earlier| earlier.counter(number));
        // Two readers estimate the time in progress apart.
        let growth = |(later, before): (u64, u64)| match STATE_TIMES.contains(&number) {
            true => later.saturating_sub(before),
            false => later - before,
        };
        let expected = later.counter(number).zip(before).map(growth);
        assert_eq!(interval.counter(number), expected, "{number:?}");
    }
    type Reading = metrics_core::HistogramReading<HeapStorage>;
    type Growth = metrics_core::HistogramInterval<Vec<u64>>;
    let check = |growth: Option<&Growth>, later: Option<&Reading>, earlier: Option<Option<&Reading>>| {
        let before = earlier.map_or(Some(0), |earlier| Some(earlier?.samples()));
        let expected = later.zip(before).map(|(later, before)| later.samples() - before);
        assert_eq!(growth.map(|growth| growth.count()), expected);
    };
    check(
        interval.poll_time(),
        later.poll_time(),
        earlier.map(|earlier| earlier.poll_time()),
    );
    check(
        interval.schedule_latency(),
        later.schedule_latency(),
        earlier.map(|earlier| earlier.schedule_latency()),
    );
}

/// Checks the interval between two snapshots of which `later` was taken later.
pub fn check_interval(interval: &Interval<HeapStorage>, earlier: &HeapSnapshot, later: &HeapSnapshot) {
    let uptimes = later.uptime().zip(earlier.uptime());
    assert_eq!(interval.wall(), uptimes.map(|(later, earlier)| later - earlier));
    assert_eq!(interval.total().error(), None);
    check_growth(interval.total(), Some(earlier.total()), later.total());
    assert_eq!(interval.workers().len(), later.workers().len());
    for worker in later.workers() {
        let grown = interval.worker(worker.index()).expect("it has an entry");
        assert_eq!(grown.error(), None);
        let earlier = earlier.worker(worker.index());
        check_growth(
            grown,
            earlier.map(WorkerSnapshot::measurements),
            worker.measurements(),
        );
        assert!(
            grown
                .utilization()
                .is_none_or(|share| (0.0..=1.0).contains(&share))
        );
    }
    let tasks = later.tasks().zip(earlier.tasks());
    assert_eq!(
        interval.tasks().map(|tasks| tasks.spawned),
        tasks.map(|(later, earlier)| later.spawned - earlier.spawned)
    );
    let counts = |snapshot: &HeapSnapshot| snapshot.loop_lag().map(|lag| lag.count());
    assert_eq!(
        interval.loop_lag().map(|lag| lag.count()),
        counts(later)
            .zip(counts(earlier))
            .map(|(later, earlier)| later - earlier)
    );
}

/// The counters of one reader never go back.
pub fn check_order(earlier: &HeapSnapshot, later: &HeapSnapshot) {
    let total = |snapshot: &HeapSnapshot, number| snapshot.total().counter(number);
    for &number in WorkerNumber::COUNTERS {
        if let Some((before, after)) = total(earlier, number).zip(total(later, number)) {
            assert!(after >= before, "{number:?} went back from {before} to {after}");
        }
    }
}
