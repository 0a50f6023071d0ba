//! Groups of futures that tasks poll, such as the requests of one route, on a clock that only the test advances.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared};
use core::fmt;
use core::time::Duration;
use metrics_core::{
    Builder, GroupId, HeapStorage, HistogramConfig, LocationColumn, LocationId, LocationKind,
    LocationSnapshot, MetricSet, PollStart, Probe, RuntimeMetrics, Sampling, Snapshot, StallKind, Worker,
    WorkerState,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TASK: LocationId = LocationId::from_u32(1);
const ORDERS: GroupId = GroupId::from_location(LocationId::from_u32(2));
const BEYOND: GroupId = GroupId::from_location(LocationId::from_u32(1_000));
const UNKNOWN: GroupId = GroupId::from_location(LocationId::UNKNOWN);

struct Names;

impl Probe for Names {
    fn write_location(&self, location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(if location == ORDERS.location() {
            "/orders"
        } else {
            "main.rs:1"
        })
    }

    fn is_group(&self, location: LocationId) -> bool {
        location == ORDERS.location()
    }
}

fn runtime(clock: &Hand) -> (Shared, Worker<Shared>) {
    let builder = Builder::new().measures(MetricSet::ALL).workers(1).locations(4);
    let builder = builder.poll_time(HistogramConfig::DEFAULT);
    let registry = builder.build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    (registry, worker)
}

fn snapshot(registry: &Shared) -> Snapshot<HeapStorage> {
    RuntimeMetrics::with_probe(Arc::clone(registry), Names).snapshot()
}

fn rows(snapshot: &Snapshot<HeapStorage>) -> &[LocationSnapshot<HeapStorage>] {
    snapshot.locations().unwrap()
}

/// A poll of a task that takes 2 us of its own and polls a future of `group`, which takes 5 us.
fn poll(worker: &Worker<Shared>, clock: &Hand, group: GroupId) {
    worker.start_poll(PollStart {
        spawn_location: TASK,
        ..PollStart::default()
    });
    clock.advance(2_000);
    let open = worker.start_group_poll(group);
    clock.advance(5_000);
    drop(open);
    worker.end_poll();
}

#[test]
fn polls_of_a_group_are_recorded_in_its_row_and_in_no_sum() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    worker.task_spawned_at(TASK);
    worker.group_started(ORDERS);
    poll(&worker, &clock, ORDERS);
    poll(&worker, &clock, ORDERS);
    worker.group_ended(ORDERS);
    registry.shared().group_started(ORDERS);
    worker.submit();
    let snapshot = snapshot(&registry);
    let [task, orders] = rows(&snapshot) else {
        panic!("two rows: {:?}", rows(&snapshot));
    };
    assert_eq!((orders.kind(), orders.name()), (LocationKind::Group, "/orders"));
    assert!(orders.is_group() && !task.is_group());
    assert_eq!((orders.spawned(), orders.ended(), orders.alive()), (2, 1, 1));
    assert_eq!((orders.poll_count(), orders.measured_polls()), (2, 2));
    assert_eq!(orders.poll_time(), Some(Duration::from_micros(10)));
    assert_eq!(orders.longest_poll(), Some(Duration::from_micros(5)));
    assert_eq!(orders.schedule_latency(), None);
    assert_eq!(
        task.poll_time(),
        Some(Duration::from_micros(14)),
        "the whole poll"
    );
    let polls = rows(&snapshot).iter().filter(|row| !row.is_group());
    let polls: u64 = polls.map(LocationSnapshot::poll_count).sum();
    assert_eq!(snapshot.total().poll_count(), Some(polls));
    assert_eq!(snapshot.total().nested_polls(), Some(0));
}

#[test]
fn groups_beyond_the_capacity_share_a_row_without_tasks() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    poll(&worker, &clock, BEYOND);
    poll(&worker, &clock, GroupId::from_location(LocationId::from_u32(5)));
    worker.task_spawned_at(BEYOND.location());
    worker.submit();
    let snapshot = snapshot(&registry);
    let found: Vec<_> = rows(&snapshot)
        .iter()
        .map(|row| (row.kind(), row.name(), row.poll_count(), row.spawned()))
        .collect();
    let expected = [
        (LocationKind::Location, "main.rs:1", 2, 0),
        (LocationKind::Other, "other", 0, 1),
        (LocationKind::OtherGroups, "other groups", 2, 0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_group_counts_as_another_group() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    poll(&worker, &clock, UNKNOWN);
    worker.group_started(UNKNOWN);
    registry.shared().group_started(UNKNOWN);
    worker.submit();
    let snapshot = snapshot(&registry);
    let found: Vec<_> = rows(&snapshot)
        .iter()
        .map(|row| (row.kind(), row.poll_count(), row.spawned()))
        .collect();
    let expected = [(LocationKind::Location, 1, 0), (LocationKind::OtherGroups, 1, 2)];
    assert_eq!(found, expected);
}

#[test]
fn the_live_record_shows_the_group_during_its_poll() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    let metrics = RuntimeMetrics::new(registry);
    let live = || {
        let live = metrics.live(0).unwrap();
        (live.state, live.spawn_location)
    };
    worker.start_poll(PollStart {
        spawn_location: TASK,
        ..PollStart::default()
    });
    let outer = worker.start_group_poll(ORDERS);
    assert_eq!(live(), (WorkerState::Polling, ORDERS.location()));
    let inner = worker.start_group_poll(BEYOND);
    assert_eq!(live(), (WorkerState::Polling, BEYOND.location()));
    drop(inner);
    assert_eq!(live(), (WorkerState::Polling, ORDERS.location()));
    drop(outer);
    assert_eq!(live(), (WorkerState::Polling, TASK));
    worker.end_poll();

    // Inside a task that is not measured.
    let open = worker.start_group_poll(ORDERS);
    assert_eq!(live(), (WorkerState::Polling, ORDERS.location()));
    drop(open);
    assert_eq!(live(), (WorkerState::Searching, LocationId::UNKNOWN));
}

#[test]
fn a_group_is_not_timed_while_poll_time_is_off() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    registry.switches().set_poll_time(Sampling::Off);
    worker.submit();
    poll(&worker, &clock, ORDERS);
    let snapshot = snapshot(&registry);
    let orders = &rows(&snapshot)[1];
    assert_eq!((orders.poll_count(), orders.poll_time()), (1, None));
}

#[test]
fn stalls_are_counted_by_location_and_by_group() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    poll(&worker, &clock, ORDERS);
    let stalls = || {
        let snapshot = snapshot(&registry);
        let counts = rows(&snapshot).iter().map(LocationSnapshot::stall_count);
        counts.collect::<Vec<_>>()
    };
    assert_eq!(stalls(), [None, None], "no watchdog counts");
    let shared = registry.shared();
    assert!(shared.begin_stall_watch(&[StallKind::Poll]));
    shared.group_stalled(ORDERS);
    shared.location_stalled(TASK);
    shared.location_stalled(TASK);
    assert_eq!(stalls(), [Some(2), Some(1)]);
}

#[test]
fn groups_are_visited_after_the_locations_and_up_to_the_limit() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    for group in [ORDERS, BEYOND] {
        poll(&worker, &clock, group);
    }
    let visited = |limit| {
        let mut polls = Vec::new();
        snapshot(&registry).visit_locations(limit, |sample| {
            if sample.metric.name.ends_with("poll_count") {
                polls.push((sample.metric.name, sample.location.unwrap().to_owned()));
            }
        });
        polls
    };
    let (location, group) = ("location_poll_count", "group_poll_count");
    let names = |names: [&str; 3]| {
        let metrics = [location, group, group];
        metrics
            .into_iter()
            .zip(names.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(visited(2), names(["main.rs:1", "/orders", "other groups"]));
    assert_eq!(visited(0), names(["other", "other groups", ""])[..2]);
    let snapshot = snapshot(&registry);
    let by_polls = snapshot.locations_by(LocationColumn::PollCount);
    assert_eq!(by_polls[0].name(), "main.rs:1");
}

#[cfg(feature = "serde")]
#[test]
fn groups_survive_the_way_through_json() {
    let clock = Hand::default();
    let (registry, worker) = runtime(&clock);
    for group in [ORDERS, BEYOND] {
        poll(&worker, &clock, group);
    }
    let mut json = serde_json::to_value(snapshot(&registry)).unwrap();
    let back: Snapshot<HeapStorage> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), json);
    let kinds: Vec<_> = rows(&back).iter().map(LocationSnapshot::kind).collect();
    assert_eq!(
        kinds,
        [
            LocationKind::Location,
            LocationKind::Group,
            LocationKind::OtherGroups
        ]
    );
    for field in [
        "measured_latencies",
        "schedule_latency",
        "longest_schedule_latency",
    ] {
        json["locations"][1][field] = "1".into();
    }
    let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
    assert!(
        error.to_string().contains("a group has no schedule latency"),
        "{error}"
    );
}

#[test]
fn the_buckets_of_poll_times_follow_each_other_from_zero() {
    let ranges: Vec<_> = (0..)
        .map_while(LocationSnapshot::<HeapStorage>::bucket_range)
        .collect();
    assert_eq!(ranges.first().unwrap().start, 0);
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].end, Some(pair[1].start));
    }
    assert_eq!(ranges.last().unwrap().end, None);
}
