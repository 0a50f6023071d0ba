//! A scripted load of three locations: a hog, a starved task, and quick tasks that are stolen. Blame names the hog.

mod common;

use common::{millis, workers};
use core::time::Duration;
use metrics_core::{BlameRow, Builder, Culprit, HistogramConfig, LocationId, MetricSet, RuntimeMetrics};
use metrics_mock::{ManualClock, MockRuntime};
use std::sync::Arc;

const HOG: LocationId = LocationId::from_u32(1);
const QUICK: LocationId = LocationId::from_u32(2);
const STARVED: LocationId = LocationId::from_u32(3);

#[test]
fn a_scripted_load_gives_the_exact_table() {
    let clock = Arc::new(ManualClock::new());
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .flight_recorder(64)
        .build(Arc::clone(&clock))
        .unwrap();
    let runtime = MockRuntime::new(workers(&registry), clock);
    let (first, second) = (runtime.worker(0), runtime.worker(1));
    second.park();
    let hog = first.spawn(HOG);
    let starved = first.spawn(STARVED);
    let [local, stolen] = [(); 2].map(|()| first.spawn(QUICK));
    first.start_poll(hog);
    runtime.advance(millis(10));
    second.unpark();
    second.steal(&[stolen]);
    second.poll(stolen, millis(2));
    runtime.advance(millis(26));
    first.end_poll();
    first.poll(local, millis(3));
    // Woken by its own worker, behind the hog again.
    first.wake(local);
    first.wake(hog);
    first.poll(hog, millis(5));
    first.poll(local, millis(1));
    first.poll(starved, millis(4));

    let recording = RuntimeMetrics::new(registry).flight_recording().unwrap();
    let mut rows: Vec<_> = recording.blame().rows.iter().map(parts).collect();
    rows.sort_by_key(|row| (row.0.as_u32(), core::cmp::Reverse(row.2)));
    assert_eq!(
        rows,
        [
            // The whole first poll of the hog for one task, and its second poll for the other.
            (QUICK, Culprit::Polls(HOG), millis(38 + 5)),
            // The stolen task waited for the hog on another worker, which its own worker can't know.
            (QUICK, Culprit::NoPoll, millis(10)),
            (STARVED, Culprit::Polls(HOG), millis(38 + 5)),
            (STARVED, Culprit::Polls(QUICK), millis(3 + 1)),
        ]
    );
}

fn parts(row: &BlameRow) -> (LocationId, Culprit, Duration) {
    (row.victim, row.culprit, row.waited)
}
