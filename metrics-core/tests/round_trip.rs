//! Every getter of a snapshot returns the same value after serialisation, and hostile input is rejected within a
//! limit.
#![cfg(all(
    feature = "alloc",
    feature = "serde",
    target_has_atomic = "ptr",
    not(metrics_core_loom)
))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;
#[path = "common/speed.rs"]
mod speed;

use clock::TestClock;
use core::fmt;
use core::fmt::Write as _;
use core::time::Duration;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, HistogramReading, HistogramSnapshot, LagKind, LocationId,
    Measurements, MetricSet, PollStart, Probe, Registry, RuntimeMetrics, RuntimeNumber, Snapshot,
    SnapshotSeed, StallKind, TaskEnd, Worker, WorkerNumber, WorkerSnapshot,
};
use serde::de::DeserializeSeed;
use speed::IS_SLOW;
use std::sync::Arc;
use std::thread;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Shared = Arc<Registry<HeapStorage, TestClock>>;

/// Reports gauges and names.
#[derive(Clone, Copy)]
struct Names;

impl Probe for Names {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        (!number.is_counter()).then_some((1 << 53) + number as u64)
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, _: WorkerNumber) -> Option<u64> {
        Some(worker as u64)
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "file {}", spawn_location.as_u32())
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "thread {thread}")
    }
}

fn write_reading(out: &mut String, reading: Option<&HistogramReading<HeapStorage>>) {
    let Some(reading) = reading else {
        return out.push_str("none; ");
    };
    let histogram = reading.histogram();
    write!(
        out,
        "{:?} {} {} {} {:?} {} {:?} {:?} {:?}; ",
        reading.sampling(),
        reading.polls(),
        reading.samples(),
        reading.is_saturated(),
        histogram.config(),
        histogram.sum(),
        histogram.min(),
        histogram.max(),
        histogram.buckets()
    )
    .unwrap();
}

fn write_measurements(out: &mut String, measurements: &Measurements<HeapStorage>) {
    for &number in WorkerNumber::ALL {
        write!(out, "{} {:?} ", number.name(), measurements.counter(number)).unwrap();
    }
    write!(out, "mean {:?} ", measurements.mean_poll_time()).unwrap();
    write_reading(out, measurements.poll_time());
    write_reading(out, measurements.schedule_latency());
}

fn write_worker(out: &mut String, worker: &WorkerSnapshot<HeapStorage>) {
    write!(
        out,
        "worker {} {:?} {:?} {:?} {} {:?} {:?} {} {:?} {} ",
        worker.index(),
        worker.state(),
        worker.state_for(),
        worker.spawn_location(),
        worker.spawn_location_name(),
        worker.busy_in_progress(),
        worker.thread(),
        worker.thread_name(),
        worker.staleness(),
        worker.is_missing()
    )
    .unwrap();
    write_measurements(out, worker.measurements());
    out.push('\n');
}

/// The values of every getter.
fn values(snapshot: &Snapshot<HeapStorage>) -> String {
    let mut out = String::new();
    write!(
        out,
        "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} ",
        snapshot.name(),
        snapshot.epoch(),
        snapshot.started_at(),
        snapshot.uptime(),
        snapshot.num_workers(),
        snapshot.tasks(),
        snapshot.blocking_queue_wait(),
        snapshot.poll_stall_duration(),
        snapshot.no_progress_stall_duration(),
        snapshot.queue_stall_duration(),
        snapshot.loop_lag(),
        snapshot.wake_latency()
    )
    .unwrap();
    for &number in RuntimeNumber::ALL {
        write!(out, "{} {:?} ", number.name(), snapshot.runtime_number(number)).unwrap();
    }
    write_measurements(&mut out, snapshot.total());
    out.push('\n');
    snapshot
        .workers()
        .iter()
        .for_each(|worker| write_worker(&mut out, worker));
    snapshot
        .external()
        .iter()
        .for_each(|worker| write_worker(&mut out, worker));
    out
}

fn binary(snapshot: &impl serde::Serialize) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    postcard::to_slice(snapshot, &mut buffer).unwrap().to_vec()
}

fn check(snapshot: &Snapshot<HeapStorage>) {
    let json: Snapshot<HeapStorage> =
        serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap();
    assert_eq!(values(&json), values(snapshot));
    let postcard: Snapshot<HeapStorage> = postcard::from_bytes(&binary(snapshot)).unwrap();
    assert_eq!(values(&postcard), values(snapshot));
}

fn registry() -> Shared {
    Builder::new()
        .name("round trip")
        .workers(3)
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .blocking_queue_wait(HistogramConfig::DEFAULT)
        .build(TestClock::new())
        .unwrap()
}

#[test]
fn two_threads_on_one_worker_keep_their_busy_time() {
    let registry = registry();
    let metrics = RuntimeMetrics::with_probe(registry.clone(), Names);
    let [gave, took] = [(); 2].map(|()| Worker::lease(registry.clone(), 0).unwrap());
    gave.start_processing_scheduled_tasks();
    gave.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: LocationId::from_u32(9),
    });
    registry.clock().advance(1_000);
    took.park();
    let before = metrics.snapshot();
    registry.clock().advance(2_000);
    let after = metrics.snapshot();
    check(&before);
    check(&after);
    let read = |snapshot: &Snapshot<HeapStorage>| -> Snapshot<HeapStorage> {
        serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap()
    };
    let here = after.since(&before).unwrap();
    let there = read(&after).since(&read(&before)).unwrap();
    for interval in [here, there] {
        assert_eq!(interval.worker(0).unwrap().utilization(), Some(1.0));
    }
}

#[test]
fn durations_of_stalls_and_lags_keep_their_kind() {
    let registry = registry();
    let metrics = RuntimeMetrics::with_probe(registry.clone(), Names);
    let shared = registry.shared();
    shared.also_watch_stalls(StallKind::Queue); // Nothing is watched.
    assert_eq!(metrics.snapshot().queue_stall_count(), None);
    assert!(shared.begin_stall_watch(&[StallKind::Poll, StallKind::NoProgress]));
    shared.stall_ended(StallKind::Poll, Duration::from_millis(30));
    shared.stall_ended(StallKind::NoProgress, Duration::from_millis(50));
    shared.also_watch_stalls(StallKind::Queue);
    shared.stall_ended(StallKind::Queue, Duration::from_millis(70));
    for (kind, precision, nanos) in [(LagKind::Loop, 1, 7), (LagKind::Wake, 3, 9)] {
        shared.record_lag(kind, Duration::from_secs(1)); // Not measured yet.
        shared.measure_lag(kind, HistogramConfig::h2(1, 1_000, precision).unwrap());
        shared.measure_lag(kind, HistogramConfig::DEFAULT); // It has a layout.
        shared.record_lag(kind, Duration::from_nanos(nanos));
    }
    let snapshot = metrics.snapshot();
    let sum = |durations: Option<&HistogramSnapshot<Vec<u64>>>| durations.map(HistogramSnapshot::sum);
    assert_eq!(sum(snapshot.poll_stall_duration()), Some(30_000_000));
    assert_eq!(sum(snapshot.no_progress_stall_duration()), Some(50_000_000));
    assert_eq!(sum(snapshot.queue_stall_duration()), Some(70_000_000));
    assert_eq!(sum(snapshot.loop_lag()), Some(7));
    assert_eq!(sum(snapshot.wake_latency()), Some(9));
    check(&snapshot);
}

#[test]
fn a_slot_that_is_leased_again_and_idle_keeps_its_getters() {
    let registry = registry();
    let metrics = RuntimeMetrics::with_probe(registry.clone(), Names);
    let worker = Worker::lease(registry.clone(), 1).unwrap();
    worker.start_poll(PollStart::default());
    worker.end_poll();
    drop(worker);
    registry.clock().advance(5_000);
    let worker = Worker::lease(registry, 1).unwrap();
    worker.set_thread(7);
    worker.submit();
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.worker(1).unwrap().thread(), Some(7));
    check(&snapshot);
}

#[cfg_attr(target_arch = "wasm32", ignore = "there are no threads")]
#[test]
fn live_contended_registries_keep_every_getter() {
    let registry = registry();
    let metrics = RuntimeMetrics::with_probe(registry.clone(), Names);
    let work = |worker: Worker<Shared>, thread: u64| {
        worker.set_thread(thread);
        for _ in 0..500 {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
            for _ in 0..20 {
                worker.task_spawned();
                worker.start_poll(PollStart {
                    scheduled_at: Some(worker.now()),
                    spawn_location: LocationId::from_u32(thread as u32),
                });
                worker.registry().clock().advance(70);
                worker.end_poll();
                worker.task_ended(TaskEnd::Completed);
            }
            worker.submit();
            worker.end_processing_scheduled_tasks();
            worker.park();
        }
    };
    thread::scope(|scope| {
        let mut threads: Vec<_> = (1..)
            .zip([0, 0, 1, 70_000])
            .map(|(thread, index)| {
                let registry = registry.clone();
                scope.spawn(move || work(Worker::lease(registry, index).unwrap(), thread))
            })
            .collect();
        let external = registry.clone();
        threads.push(scope.spawn(move || work(Worker::lease_external(external).unwrap(), 9)));
        let mut reader = metrics.reader();
        while threads.iter().any(|thread| !thread.is_finished()) {
            check(reader.read());
            check(&metrics.snapshot());
        }
    });
}

/// A snapshot of this many equal workers.
fn copies(workers: u32, config: HistogramConfig) -> serde_json::Value {
    let registry = Builder::new()
        .epoch(1)
        .poll_time(config)
        .schedule_latency(config)
        .build(TestClock::new())
        .unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    worker.submit();
    let mut json = serde_json::to_value(RuntimeMetrics::new(registry).snapshot()).unwrap();
    let one = json["workers"][0].clone();
    let all = (0..workers).map(|index| {
        let mut worker = one.clone();
        worker["worker"] = index.into();
        worker
    });
    json["workers"] = all.collect();
    json
}

/// Such a snapshot in binary: the length of the list, followed by its workers.
fn binary_copies(workers: u32, config: HistogramConfig) -> Vec<u8> {
    let snapshot =
        |workers| -> Snapshot<HeapStorage> { serde_json::from_value(copies(workers, config)).unwrap() };
    let (none, one) = (binary(&snapshot(0)), binary(&snapshot(1)));
    // Without external threads and spawn locations, the list is last except for two bytes.
    let start = none.len() - 3;
    let worker = &one[start + 1..one.len() - 2];
    let varint = |mut n: u32| {
        core::iter::from_fn(move || {
            let byte = (n & 0x7F) as u8;
            n >>= 7;
            Some((byte, n == 0))
        })
    };
    let mut bytes = none[..start].to_vec();
    let push = |bytes: &mut Vec<u8>, n| {
        for (byte, is_last) in varint(n) {
            bytes.push(if is_last { byte } else { byte | 0x80 });
            if is_last {
                break;
            }
        }
    };
    push(&mut bytes, workers);
    for index in 0..workers {
        push(&mut bytes, index);
        bytes.extend(&worker[1..]);
    }
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn the_copies_in_binary_are_those_in_text() {
    for workers in [0, 1, 2, 300] {
        let text: Snapshot<HeapStorage> =
            serde_json::from_value(copies(workers, HistogramConfig::DEFAULT)).unwrap();
        assert_eq!(
            binary_copies(workers, HistogramConfig::DEFAULT),
            binary(&text),
            "{workers}"
        );
    }
}

#[test]
fn few_bytes_that_describe_much_memory_are_refused() {
    let wide = HistogramConfig::h2(0, u64::MAX, 7).unwrap();
    assert_eq!(wide.num_buckets(), 7_424);
    let bytes = binary_copies(1_000, wide);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let error = postcard::from_bytes::<Snapshot<HeapStorage>>(&bytes).unwrap_err();
    assert_eq!(error, postcard::Error::SerdeDeCustom);
    let json = copies(1_000, wide).to_string();
    let error = serde_json::from_str::<Snapshot<HeapStorage>>(&json).unwrap_err();
    assert!(error.to_string().contains("raise the limit"), "{error}");
}

#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "it depends on the size of a pointer alone, and takes long under an emulator"
)]
fn many_wide_histograms_are_read_with_a_higher_limit() {
    let wide = HistogramConfig::h2(0, u64::MAX, 7).unwrap();
    let bytes = binary_copies(1_000, wide);
    let seed = SnapshotSeed::<HeapStorage>::new().limit(1 << 30);
    let mut decoder = postcard::Deserializer::from_bytes(&bytes);
    let snapshot = seed.deserialize(&mut decoder).unwrap();
    assert_eq!(snapshot.workers().len(), 1_000);
    let readings = snapshot.workers().iter().filter_map(|worker| worker.poll_time());
    assert!(
        readings
            .into_iter()
            .all(|reading| reading.histogram().buckets().len() == 7_424)
    );
}

#[test]
fn an_ordinary_snapshot_of_many_workers_is_within_the_limit() {
    const WORKERS: u32 = if IS_SLOW { 500 } else { 2_000 };
    let json = copies(WORKERS, HistogramConfig::DEFAULT).to_string();
    let snapshot: Snapshot<HeapStorage> = serde_json::from_str(&json).unwrap();
    assert_eq!(snapshot.workers().len(), WORKERS as usize);
    let bytes = binary_copies(WORKERS, HistogramConfig::DEFAULT);
    let snapshot: Snapshot<HeapStorage> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(snapshot.workers().len(), WORKERS as usize);
}
