//! The census: what the tasks of each location do.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::Hand;
use core::time::Duration;
use metrics_core::{
    Builder, ConfigError, HeapStorage, LocationColumn, LocationId, LocationKind, LocationSnapshot, NoClock,
    NoProbe, PollStart, Probe, RuntimeMetrics, Snapshot, TaskActivity, Timestamp, Worker,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const QUICK: LocationId = LocationId::from_u32(1);
const HOG: LocationId = LocationId::from_u32(2);
const WAITER: LocationId = LocationId::from_u32(3);

/// Reports one task.
struct One(TaskActivity);

impl Probe for One {
    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        each(LocationId::from_u32(2), self.0);
        true
    }
}

#[test]
fn a_location_with_one_task_is_present_whatever_the_task_does() {
    let waiting = TaskActivity::Waiting {
        since: None,
        is_wakeable: true,
    };
    for (task, counts) in [
        (TaskActivity::Queued, [1, 0, 0]),
        (TaskActivity::Polling, [0, 1, 0]),
        (waiting, [0, 0, 1]),
    ] {
        let registry = Builder::new().locations(4).census().build(NoClock).unwrap();
        let snapshot = RuntimeMetrics::with_probe(registry, One(task)).snapshot();
        let rows: Vec<_> = snapshot
            .locations()
            .unwrap()
            .iter()
            .map(|row| {
                let census = row.census().unwrap();
                let counts = [census.queued, census.polling, census.waiting];
                (row.location().as_u32(), counts)
            })
            .collect();
        assert_eq!(rows, [(2, counts)], "{task:?}");
    }
}

/// Reports these tasks.
#[derive(Clone, Copy)]
struct Tasks(&'static [(LocationId, TaskActivity)]);

impl Probe for Tasks {
    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        self.0.iter().for_each(|&(location, task)| each(location, task));
        true
    }
}

const fn waiting(since: Option<u64>, is_wakeable: bool) -> TaskActivity {
    let since = match since {
        Some(ticks) => Some(Timestamp::from_ticks(ticks)),
        None => None,
    };
    TaskActivity::Waiting { since, is_wakeable }
}

const TASKS: Tasks = Tasks(&[
    (QUICK, TaskActivity::Queued),
    (QUICK, TaskActivity::Queued),
    (QUICK, TaskActivity::Polling),
    (HOG, waiting(Some(400), true)),
    (HOG, waiting(Some(300), false)),
    (HOG, waiting(None, true)),
    // Beyond the capacity.
    (WAITER, waiting(None, false)),
    (LocationId::from_u32(9), TaskActivity::Queued),
]);

/// Returns a snapshot after a poll of a task.
fn snapshot(probe: impl Probe, builder: &Builder<'_>) -> Snapshot<HeapStorage> {
    let clock = Hand::default();
    clock.set(1_000);
    let registry = builder.build(clock).unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: QUICK,
    });
    worker.end_poll();
    worker.submit();
    RuntimeMetrics::with_probe(registry, probe).snapshot()
}

#[test]
fn a_census_counts_the_tasks_of_each_location() {
    let snapshot = snapshot(TASKS, &Builder::new().locations(2).census());
    let census = |row: &LocationSnapshot<_>| {
        let census = row.census().unwrap();
        let counts = [census.queued, census.polling, census.waiting, census.unwakeable];
        (row.kind(), counts, census.longest_wait)
    };
    let rows: Vec<_> = snapshot.locations().unwrap().iter().map(census).collect();
    let nanos = |nanos| Some(Duration::from_nanos(nanos));
    assert_eq!(
        rows,
        [
            (LocationKind::Location, [2, 1, 0, 0], None),
            (LocationKind::Location, [0, 0, 3, 1], nanos(700)),
            (LocationKind::Other, [1, 0, 1, 1], None),
        ]
    );
    let other = &snapshot.locations().unwrap()[1];
    assert_eq!(other.column(LocationColumn::Unwakeable), Some(1));
    assert_eq!(other.column(LocationColumn::LongestWait), Some(700));
}

#[test]
fn a_census_that_is_off_or_not_kept_is_none() {
    for snapshot in [
        snapshot(TASKS, &Builder::new().locations(8)),
        snapshot(NoProbe, &Builder::new().locations(8).census()),
    ] {
        let [row] = snapshot.locations().unwrap() else {
            panic!("{snapshot:?}")
        };
        assert_eq!((row.poll_count(), row.census()), (1, None));
    }
    let error = Builder::new().census().build(NoClock).unwrap_err();
    assert!(matches!(error, ConfigError::CensusWithoutLocations), "{error}");
}

#[cfg(feature = "serde")]
#[test]
fn a_census_survives_both_formats() {
    let snapshot = snapshot(TASKS, &Builder::new().locations(2).census());
    let rows = |snapshot: &Snapshot<HeapStorage>| format!("{:?}", snapshot.locations());
    let json = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(json["locations"][1]["unwakeable"], "1");
    let decoded: Snapshot<HeapStorage> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(rows(&decoded), rows(&snapshot));
    let mut buffer = [0; 4_096];
    let bytes = postcard::to_slice(&snapshot, &mut buffer).unwrap();
    let decoded: Snapshot<HeapStorage> = postcard::from_bytes(bytes).unwrap();
    assert_eq!(rows(&decoded), rows(&snapshot));
    for (field, value) in [
        ("unwakeable", "4".into()),
        ("queued", ().into()),
        ("waiting", "0".into()),
    ] {
        let mut json = json.clone();
        json["locations"][1][field] = value;
        let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
        assert!(
            error.to_string().contains("of a location") || error.to_string().contains("census"),
            "{error}"
        );
    }
}
