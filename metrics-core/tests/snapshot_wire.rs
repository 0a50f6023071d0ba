//! The serialised snapshot round-trips, in text and in binary, on heap and static storage.
#![cfg(all(
    feature = "alloc",
    feature = "serde",
    target_has_atomic = "ptr",
    not(metrics_core_loom)
))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use core::time::Duration;
use metrics_core::{
    Buckets32, Builder, HeapStorage, HistogramConfig, HistogramName, HistogramSnapshot, LagKind, LocationId,
    MetricSet, PollStart, Registry, RuntimeMetrics, SNAPSHOT_SCHEMA, SampleValue, Sampling, Snapshot,
    StallKind, StaticRegistryConfig, StaticStorage, TaskEnd, TimeSource, Worker, WorkerNumber,
    WorkerSinceError,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn heap() -> (Arc<TestClock>, Snapshot<HeapStorage>) {
    let clock = Arc::new(TestClock::new());
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .name("wire")
        .workers(2)
        .epoch((1 << 53) + 1)
        .poll_time(HistogramConfig::DEFAULT)
        .build(Arc::clone(&clock))
        .unwrap();
    let worker = Worker::lease(registry.clone(), 1).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.task_spawned();
    worker.task_spawned();
    worker.task_ended(TaskEnd::Completed);
    worker.start_poll(PollStart::default());
    clock.advance(1_234);
    worker.end_poll();
    worker.set_thread(5);
    worker.submit();
    worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: LocationId::from_u32(3),
    });
    clock.advance(100);
    let foreign = Worker::lease_external(registry.clone()).unwrap();
    foreign.inc_root_polls();
    foreign.submit();
    (clock, RuntimeMetrics::new(registry).snapshot())
}

fn to_binary(snapshot: &impl serde::Serialize) -> Vec<u8> {
    let mut buffer = vec![0; 16 << 10];
    postcard::to_slice(snapshot, &mut buffer).unwrap().to_vec()
}

/// The values of all getters of a snapshot, as text.
fn facts(snapshot: &Snapshot<HeapStorage>) -> String {
    serde_json::to_string_pretty(snapshot).unwrap()
}

#[test]
fn text_and_binary_round_trip() {
    let (_, snapshot) = heap();
    let text: Snapshot<HeapStorage> = serde_json::from_str(&facts(&snapshot)).unwrap();
    let binary: Snapshot<HeapStorage> = postcard::from_bytes(&to_binary(&snapshot)).unwrap();
    assert_eq!(facts(&text), facts(&snapshot));
    assert_eq!(facts(&binary), facts(&snapshot));
    assert_eq!(text.epoch(), (1 << 53) + 1);
    let worker = text.worker(1).unwrap();
    assert_eq!(worker.poll_count(), Some(1));
    assert_eq!(worker.busy_in_progress(), Some(Duration::from_nanos(100)));
    assert_eq!((worker.spawn_location().as_u32(), worker.thread()), (3, Some(5)));
    assert_eq!(text.external().unwrap().root_polls(), Some(1));
    assert_eq!(text.num_alive_tasks(), Some(1));
    assert_eq!(snapshot.since(&text).unwrap().total().poll_count(), Some(0));
}

#[test]
fn a_u64_is_a_decimal_string_and_the_unmeasured_is_null() {
    let (_, snapshot) = heap();
    let json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(json["schema"], SNAPSHOT_SCHEMA);
    assert_eq!(json["epoch"], "9007199254740993");
    assert_eq!(json["global_queue_depth"], serde_json::Value::Null);
    assert_eq!(json["total"]["schedule_latency"], serde_json::Value::Null);
    assert_eq!(json["total"]["numbers"]["poll_count"], "1");
    assert_eq!(json["workers"][0]["state"], "polling");
}

#[test]
fn a_snapshot_and_an_interval_have_every_histogram() {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .blocking_queue_wait(HistogramConfig::DEFAULT)
        .build(Arc::new(TestClock::new()))
        .unwrap();
    let kinds = [StallKind::Poll, StallKind::NoProgress, StallKind::Queue];
    assert!(registry.shared().begin_stall_watch(&kinds));
    for kind in [LagKind::Loop, LagKind::Wake] {
        registry.shared().measure_lag(kind, HistogramConfig::DEFAULT);
    }
    let metrics = RuntimeMetrics::new(registry);
    let snapshot = metrics.snapshot();
    let mut visited = Vec::new();
    snapshot.visit(|sample| {
        if matches!(sample.value, SampleValue::Histogram(_)) {
            visited.push(sample.metric.name);
        }
    });
    for histogram in HistogramName::ALL {
        assert!(
            visited.contains(&histogram.name()),
            "{histogram:?} is not visited"
        );
    }
    let interval = metrics.snapshot().since(&snapshot).unwrap();
    for json in [
        serde_json::to_value(&snapshot).unwrap(),
        serde_json::to_value(&interval).unwrap(),
    ] {
        for name in HistogramName::ALL.iter().map(|histogram| histogram.name()) {
            let is_there = json[name].is_object() || json["total"][name].is_object();
            assert!(is_there, "{name} is not in\n{json:#}");
        }
    }
}

#[test]
fn another_schema_is_refused_and_both_versions_are_named() {
    let (_, snapshot) = heap();
    let mut json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    for schema in [SNAPSHOT_SCHEMA - 1, SNAPSHOT_SCHEMA + 1] {
        json["schema"] = schema.into();
        let error = serde_json::from_value::<Snapshot<HeapStorage>>(json.clone()).unwrap_err();
        for version in [schema, SNAPSHOT_SCHEMA] {
            assert!(
                error.to_string().contains(&format!("schema {version}")),
                "{error}"
            );
        }
    }
    json.as_object_mut().unwrap().remove("schema");
    let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
    assert!(error.to_string().contains("schema"), "{error}");
}

#[test]
fn unknown_fields_of_json_are_ignored() {
    let (_, snapshot) = heap();
    let mut json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    let later = serde_json::json!({ "of": ["a", "later", "version"] });
    json["new"] = later.clone();
    json["workers"][0]["new"] = later.clone();
    json["total"]["numbers"]["new"] = later.clone();
    json["total"]["poll_time"]["histogram"]["new"] = later;
    let read: Snapshot<HeapStorage> = serde_json::from_value(json).unwrap();
    assert_eq!(facts(&read), facts(&snapshot));
}

#[test]
fn workers_out_of_order_and_impossible_indices_are_refused() {
    let (_, snapshot) = heap();
    let json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    let refuses = |json: serde_json::Value, reason: &str| {
        let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    };
    let mut twice = json.clone();
    let worker = twice["workers"][0].clone();
    twice["workers"].as_array_mut().unwrap().push(worker);
    refuses(twice, "sorted by index");
    let most = (1 << 30) - 1;
    let mut all = json.clone();
    all["num_workers"] = most.into();
    let all: Snapshot<HeapStorage> = serde_json::from_value(all).unwrap();
    assert_eq!(all.num_workers(), Some(most));
    let mut large = json.clone();
    large["workers"][0]["worker"] = u32::MAX.into();
    refuses(large, "index of a worker");
    let mut many = json.clone();
    many["num_workers"] = u32::MAX.into();
    refuses(many, "number of workers");
    let mut external = json;
    external["external"]["worker"] = 0.into();
    refuses(external, "index of a worker");
}

/// A snapshot with one spawn location: a measured poll of 10 ns after a wait of 5 ns, and one that is not measured.
fn located() -> Snapshot<HeapStorage> {
    let clock = Arc::new(TestClock::new());
    let registry = Builder::new()
        .locations(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .build(Arc::clone(&clock))
        .unwrap();
    let location = LocationId::from_u32(1);
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.task_spawned_at(location);
    for measured in [Sampling::Every, Sampling::Off] {
        registry.switches().set_poll_time(measured);
        registry.switches().set_schedule_latency(measured);
        worker.submit();
        let scheduled_at = Some(clock.now());
        clock.advance(5);
        worker.start_poll(PollStart {
            scheduled_at,
            spawn_location: location,
        });
        clock.advance(10);
        worker.end_poll();
    }
    RuntimeMetrics::new(registry).snapshot()
}

#[test]
fn impossible_values_of_a_location_are_refused() {
    let snapshot = located();
    let json = serde_json::to_value(&snapshot).unwrap();
    let read: Snapshot<HeapStorage> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(facts(&read), facts(&snapshot));
    let location = &read.locations().unwrap()[0];
    assert_eq!((location.poll_count(), location.measured_polls()), (2, 1));
    for (field, value, reason) in [
        ("location", serde_json::json!(0), "a location has a number"),
        ("ended", "2".into(), "more tasks of a location ended"),
        ("poll_count", "0".into(), "more polls of a location were measured"),
        ("measured_latencies", "3".into(), "more schedule latencies"),
        ("longest_poll", "11".into(), "one poll of a location took longer"),
        (
            "longest_schedule_latency",
            "6".into(),
            "one poll of a location took longer",
        ),
        (
            "poll_time",
            serde_json::Value::Null,
            "if and only if polls of it were measured",
        ),
        (
            "longest_wait",
            "1".into(),
            "a location has a whole census or none",
        ),
    ] {
        let mut json = json.clone();
        json["locations"][0][field] = value;
        let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
        assert!(error.to_string().contains(reason), "{field}: {error}");
    }
    let mut twice = json;
    let location = twice["locations"][0].clone();
    twice["locations"].as_array_mut().unwrap().push(location);
    let error = serde_json::from_value::<Snapshot<HeapStorage>>(twice).unwrap_err();
    assert!(error.to_string().contains("sorted by number"), "{error}");
}

#[test]
fn histograms_of_different_layouts_are_refused() {
    let (_, snapshot) = heap();
    let mut json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    let other = HistogramSnapshot::<Vec<u64>>::new(HistogramConfig::linear(10, 5).unwrap()).unwrap();
    json["total"]["poll_time"]["histogram"] = serde_json::to_value(&other).unwrap();
    let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
    assert!(error.to_string().contains("different layouts"), "{error}");
}

#[test]
fn a_time_without_a_clock_is_refused() {
    let (_, snapshot) = heap();
    let mut json: serde_json::Value = serde_json::to_value(&snapshot).unwrap();
    json["uptime"] = serde_json::Value::Null;
    let pointers = ["/workers/0", "/external"];
    let times = [
        ("since", serde_json::json!("5")),
        ("busy_in_progress", serde_json::json!("5")),
        ("stale", serde_json::json!({ "age": "5" })),
    ];
    for pointer in pointers {
        for (field, _) in &times {
            json.pointer_mut(pointer).unwrap()[field] = serde_json::Value::Null;
        }
    }
    assert!(serde_json::from_value::<Snapshot<HeapStorage>>(json.clone()).is_ok());
    for pointer in pointers {
        for (field, time) in &times {
            let mut json = json.clone();
            json.pointer_mut(pointer).unwrap()[field] = time.clone();
            let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
            assert!(error.to_string().contains("no clock"), "{field}: {error}");
        }
    }
}

#[test]
fn counters_that_a_runtime_does_not_supply_stay_unmeasured() {
    let registry = Builder::new()
        .measures(MetricSet::worker(&[WorkerNumber::PollCount]))
        .build(Arc::new(TestClock::new()))
        .unwrap();
    let snapshot = RuntimeMetrics::new(registry).snapshot();
    let back: Snapshot<HeapStorage> = postcard::from_bytes(&to_binary(&snapshot)).unwrap();
    for total in [snapshot.total(), back.total()] {
        assert_eq!(total.poll_count(), Some(0));
        assert_eq!(total.steal_count(), None);
        assert_eq!(total.busy_duration_total(), None);
    }
}

type InRam = Registry<StaticStorage<2, 20>, TestClock>;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 20) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets"),
};

const CONFIG: StaticRegistryConfig<2, 20> = match Builder::new()
    .measures(MetricSet::ALL)
    .name("firmware")
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(1_000_000_000, Duration::from_nanos(1))
{
    Ok(config) => config,
    Err(_) => panic!("two histograms of 20 buckets fit"),
};

static METRICS: InRam = Registry::new(&CONFIG, TestClock::new());

#[test]
fn a_host_reads_what_a_static_registry_writes() {
    let worker = METRICS.worker(1).unwrap();
    assert!(METRICS.worker(2).is_none());
    worker.start_processing_scheduled_tasks();
    worker.task_spawned();
    for _ in 0..1_000 {
        worker.start_poll(PollStart {
            scheduled_at: Some(worker.now()),
            spawn_location: LocationId::UNKNOWN,
        });
        METRICS.clock().advance(1_500);
        worker.end_poll();
    }
    worker.park();
    let metrics = RuntimeMetrics::new(&METRICS);
    assert_eq!(metrics.worker_poll_count(1).unwrap(), Some(1_000));
    let mut snapshot = Snapshot::EMPTY;
    metrics.snapshot_into(&mut snapshot);
    METRICS.clock().advance(500);
    metrics.snapshot_into(&mut snapshot);
    let back: Snapshot<HeapStorage> = postcard::from_bytes(&to_binary(&snapshot)).unwrap();
    assert_eq!(back.name(), "firmware");
    let one = back.worker(1).unwrap();
    assert_eq!(one.busy_duration_total(), Some(Duration::from_micros(1_500)));
    assert_eq!(one.poll_time().unwrap().samples(), 1_000);
    assert_eq!(
        one.poll_time().unwrap().histogram().buckets(),
        snapshot
            .worker(1)
            .unwrap()
            .poll_time()
            .unwrap()
            .histogram()
            .buckets()
    );
    assert_eq!(one.state_for(), Some(Duration::from_nanos(500)));
    assert_eq!(back.covered_tasks(), Some(1));
}

#[test]
fn a_static_registry_replaces_a_decoded_snapshot() {
    static OTHER: InRam = Registry::new(&CONFIG, TestClock::new());
    let mut json = serde_json::to_value(heap().1).unwrap();
    json["external"] = serde_json::Value::Null;
    for pointer in ["/total/poll_time", "/workers/0/measurements/poll_time"] {
        *json.pointer_mut(pointer).unwrap() = serde_json::Value::Null;
    }
    let mut snapshot: Snapshot<StaticStorage<2, 20>> = serde_json::from_value(json).unwrap();
    assert!(snapshot.total().mean_poll_time().is_some());
    RuntimeMetrics::new(&OTHER).snapshot_into(&mut snapshot);
    assert_eq!(snapshot.name(), "firmware");
    for measurements in [snapshot.total(), snapshot.worker(1).unwrap().measurements()] {
        assert_eq!(
            (measurements.poll_count(), measurements.mean_poll_time()),
            (Some(0), None)
        );
    }
}

#[test]
fn an_interval_with_a_full_bucket_keeps_the_other_values() {
    type Narrow = Snapshot<StaticStorage<2, 20, Buckets32>>;
    let snapshot = |polls: u64, other: u64, sum: u64, min: u64| -> Narrow {
        let (_, snapshot) = heap();
        let mut json = serde_json::to_value(&snapshot).unwrap();
        let full = u64::from(u32::MAX);
        let histogram = serde_json::json!({
            "config": HistogramConfig::power_of_two(1_000, 20).unwrap(),
            "count": (full + other).to_string(),
            "sum": sum.to_string(),
            "min": min.to_string(),
            "max": "5000",
            "buckets": [[0, full.to_string()], [3, other.to_string()]],
        });
        json["external"] = serde_json::Value::Null;
        for pointer in ["/total", "/workers/0/measurements"] {
            let numbers = json.pointer_mut(pointer).unwrap();
            numbers["numbers"]["poll_count"] = polls.to_string().into();
            numbers["poll_time"]["histogram"] = histogram.clone();
        }
        serde_json::from_value(json).unwrap()
    };
    let sum = u64::from(u32::MAX) * 600;
    let before = snapshot(1 << 33, 1, sum, 500);
    // The new minimum is in the full bucket.
    let after = snapshot((1 << 33) + 10, 2, sum + 12_000, 400);
    let interval = after.since(&before).unwrap();
    for worker in [interval.total(), interval.worker(1).unwrap()] {
        assert_eq!((worker.error(), worker.poll_count()), (None, Some(10)));
        let poll_time = worker.poll_time().unwrap();
        assert_eq!(
            (poll_time.count(), poll_time.sum()),
            (1, 12_000),
            "nine are in the full bucket"
        );
    }
    // All ten are in the full bucket.
    let after = snapshot((1 << 33) + 10, 1, sum + 6_000, 400);
    let interval = after.since(&before).unwrap();
    assert_eq!(interval.total().poll_count(), Some(10));
    let poll_time = interval.total().poll_time().unwrap();
    assert_eq!((poll_time.count(), poll_time.sum()), (0, 6_000));
}

#[test]
fn a_worker_that_is_gone_missing_or_ahead_ends_no_other_interval() {
    let (_, later) = heap();
    let earlier = |missing: bool| -> Snapshot<HeapStorage> {
        let mut json = serde_json::to_value(&later).unwrap();
        let workers = json["workers"].as_array_mut().unwrap();
        let mut gone = workers[0].clone();
        (gone["worker"], gone["missing"]) = (0.into(), missing.into());
        workers.insert(0, gone);
        serde_json::from_value(json).unwrap()
    };
    for (missing, error) in [(false, None), (true, Some(WorkerSinceError::Missing))] {
        let interval = later.since(&earlier(missing)).unwrap();
        assert_eq!(interval.total().error(), error);
        assert!(interval.worker(0).is_none());
        let worker = interval.worker(1).unwrap();
        assert_eq!((worker.error(), worker.poll_count()), (None, Some(0)));
    }
    let mut json = serde_json::to_value(&later).unwrap();
    json["workers"][0]["missing"] = true.into();
    let missing: Snapshot<HeapStorage> = serde_json::from_value(json).unwrap();
    for interval in [later.since(&missing), missing.since(&later)].map(Result::unwrap) {
        let worker = interval.worker(1).unwrap();
        assert_eq!(
            (worker.error(), worker.poll_count()),
            (Some(WorkerSinceError::Missing), None)
        );
    }
    let mut json = serde_json::to_value(&later).unwrap();
    json["workers"][0]["measurements"]["numbers"]["poll_count"] = "9".into();
    let ahead: Snapshot<HeapStorage> = serde_json::from_value(json).unwrap();
    let interval = later.since(&ahead).unwrap();
    let worker = interval.worker(1).unwrap();
    assert_eq!(worker.error(), Some(WorkerSinceError::NotEarlier));
    for &number in WorkerNumber::ALL {
        assert_eq!(worker.counter(number), None, "{}", number.name());
    }
}

#[test]
fn a_host_decodes_a_full_bucket_of_a_chip() {
    let (_, snapshot) = heap();
    let mut json = serde_json::to_value(&snapshot).unwrap();
    let full = u64::from(u32::MAX);
    // Twice as many samples as the bucket counts.
    let sum = full * 2 * 900;
    json["external"] = serde_json::Value::Null;
    for pointer in ["/total", "/workers/0/measurements"] {
        json.pointer_mut(pointer).unwrap()["poll_time"]["histogram"] = serde_json::json!({
            "config": HistogramConfig::power_of_two(1_000, 20).unwrap(),
            "count": full.to_string(),
            "sum": sum.to_string(),
            "min": "900",
            "max": "900",
            "buckets": [[0, full.to_string()]],
        });
    }
    let chip: Snapshot<StaticStorage<2, 20, Buckets32>> = serde_json::from_value(json.clone()).unwrap();
    let host: Snapshot<HeapStorage> = postcard::from_bytes(&to_binary(&chip)).unwrap();
    assert_eq!(serde_json::to_value(&host).unwrap(), json);
    let worker = chip.worker(1).unwrap();
    assert!(worker.poll_time().unwrap().is_saturated());
    let histogram = host.worker(1).unwrap().poll_time().unwrap().histogram();
    assert_eq!((histogram.count(), histogram.sum()), (full, sum));
    // The sum of fewer samples can't be so large.
    let histogram = &mut json["total"]["poll_time"]["histogram"];
    histogram["count"] = "2".into();
    histogram["buckets"][0][1] = "2".into();
    let error = serde_json::from_value::<Snapshot<HeapStorage>>(json).unwrap_err();
    assert!(error.to_string().contains("not possible"), "{error}");
}

fn edited(
    snapshot: &Snapshot<HeapStorage>,
    edit: impl FnOnce(&mut serde_json::Value),
) -> Snapshot<HeapStorage> {
    let mut json = serde_json::to_value(snapshot).unwrap();
    edit(&mut json);
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_interval_finds_each_worker_although_the_earlier_snapshot_has_more() {
    let (_, later) = heap();
    let earlier = edited(&later, |json| {
        let workers = json["workers"].as_array_mut().unwrap();
        let mut another = workers[0].clone();
        another["worker"] = 0.into();
        workers.insert(0, another);
        workers[1]["measurements"]["numbers"]["poll_count"] = "0".into();
    });
    assert_eq!((earlier.workers().len(), later.workers().len()), (2, 1));
    let interval = later.since(&earlier).unwrap();
    assert_eq!(interval.worker(1).unwrap().poll_count(), Some(1));
}

#[test]
fn a_worker_that_is_missing_from_either_snapshot_has_no_interval() {
    let (_, whole) = heap();
    let missing = edited(&whole, |json| json["workers"][0]["missing"] = true.into());
    for (earlier, later) in [(&whole, &missing), (&missing, &whole)] {
        let interval = later.since(earlier).unwrap();
        for interval in [interval.worker(1).unwrap(), interval.total()] {
            assert_eq!(interval.error(), Some(WorkerSinceError::Missing));
        }
    }
}

#[test]
fn a_worker_that_went_back_has_no_counter_at_all() {
    let (_, earlier) = heap();
    let later = edited(&earlier, |json| {
        json["workers"][0]["measurements"]["numbers"]["poll_count"] = "0".into();
    });
    let interval = later.since(&earlier).unwrap();
    let worker = interval.worker(1).unwrap();
    assert_eq!(worker.error(), Some(WorkerSinceError::NotEarlier));
    for number in WorkerNumber::ALL {
        assert_eq!(worker.counter(*number), None, "{number:?}");
    }
}
