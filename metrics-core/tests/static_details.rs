//! Spawn locations and the flight recorder of a registry in a `static`.
#![cfg(all(feature = "record", not(metrics_core_loom)))]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;
use metrics_core::{
    Builder, FlightEventKind, HistogramConfig, LocationId, MetricSet, NoClock, PollStart, Registry,
    RuntimeMetrics, Snapshot, StaticDetails, StaticRegistryConfig, StaticStorage, TaskEnd, Timestamp,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 4) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};
const CONFIG: StaticRegistryConfig<1, 4> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("two histograms of 4 buckets fit"),
};

type Metrics = Registry<StaticStorage<1, 4>, &'static TestClock>;

fn nanos(time: Option<Duration>) -> u128 {
    time.unwrap().as_nanos()
}

fn leak<V>(value: V) -> &'static V {
    Box::leak(Box::new(value))
}

/// A table for the locations 1 and 2, all others, and tasks without one, and three events.
fn details() -> &'static StaticDetails<4, 4> {
    leak(StaticDetails::new().flight_recorder_threshold(Duration::from_nanos(100)))
}

struct Load {
    clock: &'static TestClock,
    metrics: &'static Metrics,
    details: &'static StaticDetails<4, 4>,
}

impl Load {
    fn new() -> Self {
        let clock = leak(TestClock::new());
        clock.set(1_000);
        let metrics: &Metrics = leak(Registry::new(&CONFIG, clock));
        metrics.worker(0).unwrap().start_processing_scheduled_tasks();
        Self {
            clock,
            metrics,
            details: details(),
        }
    }

    fn poll(&self, location: u32, waited: Option<u64>, nanos: u64) {
        let worker = self.metrics.worker(0).unwrap().with_details(self.details);
        worker.start_poll(PollStart {
            scheduled_at: waited.map(|waited| Timestamp::from_ticks(self.clock.ticks() - waited)),
            spawn_location: LocationId::from_u32(location),
        });
        self.clock.advance(nanos);
        worker.end_poll();
    }
}

#[test]
fn each_location_has_a_row_and_those_beyond_share_the_last() {
    let load = Load::new();
    let worker = load.metrics.worker(0).unwrap().with_details(load.details);
    for location in [1, 1, 2, 7, 0] {
        worker.task_spawned_at(LocationId::from_u32(location));
        load.poll(location, Some(5), 10 * u64::from(location) + 1);
    }
    worker.task_ended_at(LocationId::from_u32(1), TaskEnd::Completed);
    let row = |number| {
        let row = load.details.location(number).unwrap();
        (
            row.spawned,
            row.ended,
            row.poll_count,
            (row.measured_polls, nanos(row.poll_time), nanos(row.longest_poll)),
            (
                row.measured_latencies,
                nanos(row.schedule_latency),
                nanos(row.longest_schedule_latency),
            ),
        )
    };
    assert_eq!(row(0), (1, 0, 1, (1, 1, 1), (1, 5, 5)));
    assert_eq!(row(1), (2, 1, 2, (2, 22, 11), (2, 10, 5)));
    assert_eq!(row(2), (1, 0, 1, (1, 21, 21), (1, 5, 5)));
    assert_eq!(row(3), (1, 0, 1, (1, 71, 71), (1, 5, 5)));
    assert_eq!(load.details.location(4), None);
}

#[test]
fn the_ring_keeps_the_last_events_and_folds_short_polls() {
    use FlightEventKind::{Burst, Park, Poll, Unpark};
    let load = Load::new();
    let worker = load.metrics.worker(0).unwrap().with_details(load.details);
    worker.park();
    load.clock.advance(50);
    worker.unpark();
    worker.worker().start_processing_scheduled_tasks();
    load.poll(1, None, 40);
    load.poll(1, None, 40);
    load.poll(2, Some(300), 500);
    let events = || {
        let events = load.details.events(worker.worker().now());
        let parts = events.iter().map(|event| {
            let latency = event.schedule_latency.map(|latency| latency.as_nanos());
            let duration = event.duration.as_nanos();
            (
                event.kind,
                event.start.ticks(),
                event.location.as_u32(),
                duration,
                latency,
            )
        });
        parts.collect::<Vec<_>>()
    };
    assert_eq!(
        events(),
        [
            (Unpark, 1_050, 0, 0, None),
            (Burst, 1_050, 1, 80, None),
            (Poll, 1_130, 2, 500, Some(300)),
        ]
    );
    worker.park();
    assert_eq!(events().last(), Some(&(Park, 1_630, 0, 0, None)));
    assert_eq!(events().len(), 3);
}

#[test]
fn an_end_outside_a_poll_records_nothing() {
    let load = Load::new();
    let worker = load.metrics.worker(0).unwrap().with_details(load.details);
    load.poll(1, None, 500);
    worker.end_poll();
    assert_eq!(load.details.location(1).unwrap().poll_count, 1);
    assert_eq!(load.details.events(worker.worker().now()).len(), 1);
}

#[test]
fn a_latency_belongs_to_its_own_poll() {
    let load = Load::new();
    load.poll(1, Some(300), 500);
    load.poll(2, None, 500);
    let row = load.details.location(2).unwrap();
    assert_eq!((row.measured_latencies, row.schedule_latency), (0, None));
    assert_eq!(row.longest_schedule_latency, None);
}

#[test]
fn a_row_has_no_times_without_a_clock() {
    static UNTIMED: StaticRegistryConfig<1, 1> = match Builder::new()
        .measures(MetricSet::ALL)
        .describe(0, Duration::ZERO)
    {
        Ok(config) => config,
        Err(_) => panic!("valid without histograms"),
    };
    static METRICS: Registry<StaticStorage<1, 1>, NoClock> = Registry::new(&UNTIMED, NoClock);
    static DETAILS: StaticDetails<4, 4> = StaticDetails::new();
    let worker = METRICS.worker(0).unwrap().with_details(&DETAILS);
    worker.start_poll(PollStart::default());
    worker.end_poll();
    let row = DETAILS.location(0).unwrap();
    assert_eq!((row.poll_count, row.measured_polls), (1, 0));
    assert_eq!((row.poll_time, row.longest_poll), (None, None));
}

#[test]
fn a_latency_beyond_32_bits_is_exact_in_its_row() {
    let load = Load::new();
    load.clock.advance(60_000_000_000);
    load.poll(1, Some(10_000_000_000), 500);
    let row = load.details.location(1).unwrap();
    assert_eq!(row.schedule_latency, Some(Duration::from_secs(10)));
    assert_eq!(row.longest_schedule_latency, Some(Duration::from_secs(10)));
}

#[test]
fn a_measured_future_is_recorded_in_its_row() {
    let load = Load::new();
    let worker = load.metrics.worker(0).unwrap().with_details(load.details);
    let clock = load.clock;
    let future = worker.measure(LocationId::from_u32(2), async {
        clock.advance(500);
        // Part of the poll around it.
        worker
            .measure(LocationId::from_u32(1), async { clock.advance(100) })
            .await;
    });
    let mut future = pin!(future);
    let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_ready());
    let row = load.details.location(2).unwrap();
    assert_eq!((row.poll_count, nanos(row.poll_time)), (1, 600));
    assert_eq!(load.details.location(1).unwrap().poll_count, 0);
    assert_eq!(load.details.events(worker.worker().now()).len(), 1);
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(load.metrics).snapshot_into(&mut snapshot);
    assert_eq!(snapshot.total().nested_polls(), Some(1));
}
