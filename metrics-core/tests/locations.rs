//! Metrics per spawn location: exact values of scripted loads, bounds, leases and the form on the wire.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared};
use core::fmt;
use core::time::Duration;
use metrics_core::{
    Builder, ConfigError, HistogramConfig, LocationColumn, LocationId, LocationKind, LocationSnapshot,
    MetricSet, PollStart, Probe, RuntimeMetrics, SampleValue, Sampling, Snapshot, TaskEnd, Timestamp, Worker,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const QUICK: LocationId = LocationId::from_u32(1);
const HOG: LocationId = LocationId::from_u32(2);
const WAITER: LocationId = LocationId::from_u32(3);

/// Names the three locations of the script.
#[derive(Clone, Copy)]
struct Names;

impl Probe for Names {
    fn write_location(&self, location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(match location {
            QUICK => "quick.rs:1",
            HOG => "hog.rs:2",
            WAITER => "waiter.rs:3",
            _ => "",
        })
    }
}

fn builder() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
}

fn snapshot(registry: &Shared) -> Snapshot<metrics_core::HeapStorage> {
    RuntimeMetrics::with_probe(Arc::clone(registry), Names).snapshot()
}

/// A poll that started `waited` ns after its wake and took `nanos`.
fn poll(worker: &Worker<Shared>, clock: &Hand, location: LocationId, waited: u64, nanos: u64) {
    worker.start_poll(PollStart {
        scheduled_at: Some(Timestamp::from_ticks(clock.ticks() - waited)),
        spawn_location: location,
    });
    clock.advance(nanos);
    worker.end_poll();
}

fn location(
    snapshot: &Snapshot<metrics_core::HeapStorage>,
    id: LocationId,
) -> &LocationSnapshot<metrics_core::HeapStorage> {
    let mut locations = snapshot.locations().unwrap().iter();
    locations.find(|location| location.location() == id).unwrap()
}

fn names(sorted: &[&LocationSnapshot<metrics_core::HeapStorage>]) -> Vec<String> {
    sorted.iter().map(|location| location.name().to_owned()).collect()
}

/// Three locations on two workers; one of them takes most of the time, and another waits for it.
fn scripted_load(clock: &Hand, registry: &Shared) {
    clock.set(1_000_000_000);
    let [first, second] = [0, 1].map(|index| Worker::lease(Arc::clone(registry), index).unwrap());
    for worker in [&first, &second] {
        worker.start_processing_scheduled_tasks();
    }
    for _ in 0..10 {
        first.task_spawned_at(QUICK);
        poll(&first, clock, QUICK, 100, 2_000);
        first.task_ended_at(QUICK, TaskEnd::Completed);
    }
    second.task_spawned_at(HOG);
    for nanos in [40_000_000, 7_000_000] {
        poll(&second, clock, HOG, 50, nanos);
    }
    // Spawned on one worker, polled on both, ended on the other.
    first.task_spawned_at(WAITER);
    poll(&second, clock, WAITER, 40_000_000, 500);
    poll(&first, clock, WAITER, 3_000_000, 1_500);
    second.task_ended_at(WAITER, TaskEnd::Cancelled);
    for worker in [first, second] {
        worker.end_processing_scheduled_tasks();
        worker.park();
    }
}

#[test]
fn a_scripted_load_gives_the_exact_table() {
    let clock = Hand::default();
    let registry = builder().locations(8).build(clock.clone()).unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    let rows: Vec<_> = (snapshot.locations().unwrap().iter())
        .map(|row| {
            let columns = LocationColumn::ALL.iter().map(|&column| row.column(column));
            (row.name(), row.kind(), columns.collect::<Vec<_>>())
        })
        .collect();
    // Without a watchdog and a census.
    let row = |name, values: [u64; 8]| {
        let values = values.map(Some).into_iter().chain([None; 6]);
        (name, LocationKind::Location, values.collect())
    };
    assert_eq!(
        rows,
        [
            row("quick.rs:1", [0, 10, 10, 10, 20_000, 2_000, 1_000, 100]),
            row("hog.rs:2", [1, 1, 0, 2, 47_000_000, 40_000_000, 100, 50]),
            row("waiter.rs:3", [0, 1, 1, 2, 2_000, 1_500, 43_000_000, 40_000_000]),
        ]
    );
    // 2 us, 7 ms and 40 ms, 0.5 us and 1.5 us.
    let buckets = |id| location(&snapshot, id).poll_time_buckets().to_vec();
    assert_eq!(buckets(QUICK), [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(buckets(HOG), [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0]);
    assert_eq!(buckets(WAITER), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn locations_sort_by_any_column() {
    let clock = Hand::default();
    let registry = builder().locations(8).build(clock.clone()).unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    let sorted = |column| names(&snapshot.locations_by(column));
    assert_eq!(
        sorted(LocationColumn::PollTime),
        ["hog.rs:2", "quick.rs:1", "waiter.rs:3"]
    );
    assert_eq!(
        sorted(LocationColumn::PollCount),
        ["quick.rs:1", "hog.rs:2", "waiter.rs:3"]
    );
    assert_eq!(
        sorted(LocationColumn::ScheduleLatency),
        ["waiter.rs:3", "quick.rs:1", "hog.rs:2"]
    );
    assert_eq!(sorted(LocationColumn::Alive)[0], "hog.rs:2");
}

#[test]
fn the_polls_of_all_locations_add_up_to_the_poll_count() {
    let clock = Hand::default();
    let registry = builder().locations(2).build(clock.clone()).unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    let locations = snapshot.locations().unwrap();
    let polls: u64 = locations.iter().map(LocationSnapshot::poll_count).sum();
    assert_eq!(Some(polls), snapshot.total().poll_count());
    let time: Duration = locations.iter().filter_map(LocationSnapshot::poll_time).sum();
    let histogram = snapshot.total().poll_time().unwrap().histogram();
    assert_eq!(time.as_nanos(), u128::from(histogram.sum()));
    let spawned: u64 = locations.iter().map(LocationSnapshot::spawned).sum();
    assert_eq!(spawned, snapshot.tasks().unwrap().spawned);
}

#[test]
fn locations_beyond_the_capacity_share_an_entry() {
    let clock = Hand::default();
    let registry = builder().locations(2).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    for number in [0, 1, 2, 3, 4, u32::MAX] {
        poll(&worker, &clock, LocationId::from_u32(number), 0, 10);
    }
    worker.task_spawned_at(LocationId::from_u32(9));
    worker.task_spawned();
    registry.shared().task_spawned_at(LocationId::from_u32(9));
    registry
        .shared()
        .task_ended_at(LocationId::from_u32(9), TaskEnd::Panicked);
    let snapshot = snapshot(&registry);
    let rows: Vec<_> = (snapshot.locations().unwrap().iter())
        .map(|row| {
            (
                row.kind(),
                row.location().as_u32(),
                row.poll_count(),
                row.spawned(),
                row.alive(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (LocationKind::Unknown, 0, 1, 1, 1),
            (LocationKind::Location, 1, 1, 0, 0),
            (LocationKind::Location, 2, 1, 0, 0),
            (LocationKind::Other, 0, 3, 2, 1),
        ]
    );
    assert_eq!(snapshot.locations().unwrap().last().unwrap().name(), "other");
}

#[test]
fn a_visit_names_the_first_locations_and_sums_the_others() {
    let clock = Hand::default();
    let registry = builder().locations(8).build(clock.clone()).unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    let samples = |limit| {
        let mut samples = Vec::new();
        snapshot.visit_locations(limit, |sample| {
            let SampleValue::Number(value) = sample.value else {
                panic!("{sample:?}")
            };
            let is_shown = ["location_poll_count", "location_longest_poll"].contains(&sample.metric.name);
            if is_shown {
                samples.push((sample.metric.name, sample.location.unwrap().to_owned(), value));
            }
        });
        samples
    };
    let sample = |name, location: &str, value| (name, location.to_owned(), value);
    assert_eq!(
        samples(1),
        [
            sample("location_poll_count", "quick.rs:1", 10),
            sample("location_poll_count", "other", 4),
            sample("location_longest_poll", "quick.rs:1", 2_000),
            sample("location_longest_poll", "other", 40_000_000),
        ]
    );
    assert_eq!(samples(3).len(), 6);
    let mut all = 0;
    snapshot.visit(|sample| all += usize::from(sample.location.is_some()));
    assert_eq!(all, 0, "only on request");
}

#[test]
fn no_locations_are_kept_by_default() {
    let clock = Hand::default();
    let registry = builder().build(clock.clone()).unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    assert!(snapshot.locations().is_none(), "not an empty list");
    assert!(snapshot.locations_by(LocationColumn::Alive).is_empty());
}

#[test]
fn too_large_a_capacity_is_an_error() {
    let error = builder().locations(1 << 14).build(Hand::default()).unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::TooManyLocations {
                locations: 16_384,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn polls_are_counted_where_no_time_is_measured() {
    let clock = Hand::default();
    let registry = builder()
        .locations(4)
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(Sampling::Off)
        .build(clock.clone())
        .unwrap();
    scripted_load(&clock, &registry);
    let snapshot = snapshot(&registry);
    let quick = location(&snapshot, QUICK);
    assert_eq!((quick.poll_count(), quick.measured_polls()), (10, 0));
    assert_eq!(
        (quick.poll_time(), quick.longest_poll()),
        (None, None),
        "not zero"
    );
    assert_eq!(
        (quick.schedule_latency(), quick.longest_schedule_latency()),
        (None, None)
    );
}

#[test]
fn a_latency_is_kept_only_for_its_own_poll() {
    let clock = Hand::default();
    let registry = builder().locations(4).build(clock.clone()).unwrap();
    clock.set(1_000);
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    poll(&worker, &clock, QUICK, 70, 10);
    worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: HOG,
    });
    worker.end_poll();
    poll(&worker, &clock, QUICK, 80, 10);
    registry.switches().set_schedule_latency(Sampling::Off);
    worker.submit();
    poll(&worker, &clock, WAITER, 90, 10);
    let snapshot = snapshot(&registry);
    assert_eq!(
        location(&snapshot, QUICK).schedule_latency(),
        Some(Duration::from_nanos(150))
    );
    assert_eq!(location(&snapshot, HOG).schedule_latency(), None);
    assert_eq!(location(&snapshot, WAITER).schedule_latency(), None);
}

#[test]
fn a_location_set_during_the_poll_gets_the_poll() {
    let clock = Hand::default();
    let registry = builder().locations(4).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    worker.start_poll(PollStart::default());
    worker.set_spawn_location(HOG);
    worker.end_poll();
    worker.record_poll(
        PollStart {
            scheduled_at: Some(Timestamp::from_ticks(0)),
            spawn_location: WAITER,
        },
        Timestamp::from_ticks(30),
        Timestamp::from_ticks(50),
    );
    // Ends no poll.
    worker.end_poll();
    let snapshot = snapshot(&registry);
    assert_eq!(snapshot.locations().unwrap().len(), 2);
    assert_eq!(location(&snapshot, HOG).poll_count(), 1);
    let waiter = location(&snapshot, WAITER);
    assert_eq!(waiter.poll_time(), Some(Duration::from_nanos(20)));
    assert_eq!(waiter.schedule_latency(), Some(Duration::from_nanos(30)));
}

#[test]
fn the_next_lease_of_a_slot_continues_its_locations() {
    let clock = Hand::default();
    let registry = builder().locations(4).build(clock.clone()).unwrap();
    let mut reader = RuntimeMetrics::with_probe(Arc::clone(&registry), Names).reader();
    for lease in 1..=3 {
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        poll(&worker, &clock, HOG, 0, 5);
        // The drop ends the poll.
        worker.start_poll(PollStart {
            scheduled_at: None,
            spawn_location: HOG,
        });
        drop(worker);
        let snapshot = reader.read();
        assert_eq!(location(snapshot, HOG).poll_count(), 2 * lease);
        assert_eq!(snapshot.total().poll_count(), Some(2 * lease));
    }
}

#[test]
fn a_reader_finds_locations_that_appear_between_others() {
    let clock = Hand::default();
    let registry = builder().locations(4).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    let mut reader = RuntimeMetrics::with_probe(Arc::clone(&registry), Names).reader();
    for (id, expected) in [(WAITER, &[3][..]), (QUICK, &[1, 3]), (HOG, &[1, 2, 3])] {
        poll(&worker, &clock, id, 0, 5);
        let numbers: Vec<_> = (reader.read().locations().unwrap().iter())
            .map(|row| row.location().as_u32())
            .collect();
        assert_eq!(numbers, expected);
    }
    assert_eq!(location(reader.snapshot(), WAITER).name(), "waiter.rs:3");
    assert_eq!(location(reader.snapshot(), WAITER).poll_count(), 1);
}

#[cfg(feature = "serde")]
mod wire {
    use super::*;
    use metrics_core::HeapStorage;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn loaded(capacity: usize) -> Snapshot<HeapStorage> {
        let clock = Hand::default();
        let registry = builder().locations(capacity).build(clock.clone()).unwrap();
        scripted_load(&clock, &registry);
        snapshot(&registry)
    }

    fn rows(snapshot: &Snapshot<HeapStorage>) -> Option<String> {
        snapshot.locations().map(|rows| format!("{rows:?}"))
    }

    #[test]
    fn locations_survive_both_formats() {
        for capacity in [0, 1, 8] {
            let snapshot = loaded(capacity);
            let json = serde_json::to_string(&snapshot).unwrap();
            let decoded: Snapshot<HeapStorage> = serde_json::from_str(&json).unwrap();
            assert_eq!(rows(&decoded), rows(&snapshot));
            let mut buffer = [0; 4_096];
            let bytes = postcard::to_slice(&snapshot, &mut buffer).unwrap();
            let decoded: Snapshot<HeapStorage> = postcard::from_bytes(bytes).unwrap();
            assert_eq!(rows(&decoded), rows(&snapshot));
        }
    }

    #[test]
    fn an_unmeasured_time_is_null() {
        let clock = Hand::default();
        let registry = Builder::new()
            .locations(1)
            .measures(MetricSet::ALL)
            .build(clock.clone())
            .unwrap();
        Worker::lease(Arc::clone(&registry), 0)
            .unwrap()
            .task_spawned_at(QUICK);
        let json = serde_json::to_value(snapshot(&registry)).unwrap();
        let row = &json["locations"][0];
        assert_eq!((&row["spawned"], &row["poll_count"]), (&"1".into(), &"0".into()));
        assert!(row["poll_time"].is_null() && row["longest_schedule_latency"].is_null());
    }

    #[test]
    fn impossible_locations_are_rejected() {
        for (field, value) in [
            ("ended", "11"),
            ("poll_count", "9"),
            ("longest_poll", "20001"),
            ("longest_schedule_latency", "1001"),
            ("measured_latencies", "11"),
            ("measured_latencies", "0"),
        ] {
            let mut json = serde_json::to_value(loaded(8)).unwrap();
            json["locations"][0][field] = value.into();
            assert!(
                serde_json::from_value::<Snapshot<HeapStorage>>(json).is_err(),
                "{field}"
            );
        }
        for field in [
            "poll_time",
            "longest_poll",
            "schedule_latency",
            "longest_schedule_latency",
        ] {
            let mut json = serde_json::to_value(loaded(8)).unwrap();
            json["locations"][0][field] = serde_json::Value::Null;
            assert!(
                serde_json::from_value::<Snapshot<HeapStorage>>(json).is_err(),
                "{field} without a value"
            );
        }
        let mut json = serde_json::to_value(loaded(8)).unwrap();
        json["locations"][0]["location"] = 3.into();
        assert!(
            serde_json::from_value::<Snapshot<HeapStorage>>(json).is_err(),
            "unsorted"
        );
    }

    #[test]
    fn a_list_of_locations_counts_against_the_limit() {
        use metrics_core::SnapshotSeed;
        use serde::de::DeserializeSeed;
        let json = serde_json::to_string(&loaded(8)).unwrap();
        let decode = |limit| {
            let mut decoder = serde_json::Deserializer::from_str(&json);
            SnapshotSeed::<HeapStorage>::new()
                .limit(limit)
                .deserialize(&mut decoder)
        };
        let without = serde_json::to_string(&loaded(0)).unwrap();
        let mut decoder = serde_json::Deserializer::from_str(&without);
        let mut limit = 0;
        while SnapshotSeed::<HeapStorage>::new()
            .limit(limit)
            .deserialize(&mut serde_json::Deserializer::from_str(&without))
            .is_err()
        {
            limit += 64;
        }
        assert!(
            SnapshotSeed::<HeapStorage>::new()
                .limit(limit)
                .deserialize(&mut decoder)
                .is_ok()
        );
        assert!(decode(limit).is_err());
        assert!(decode(limit + 4_096).is_ok());
    }
}
