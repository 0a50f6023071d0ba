//! Requests that are made while every worker records.

use metrics_std::otlp::{ExportMetricsServiceRequest, OtlpExporter};
use metrics_std::{Builder, Clock, HistogramConfig, MetricSet, NoProbe, PollStart, Snapshot, build};
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

const WORKERS: usize = 4;
const POLLS: u64 = 50_000;

/// The metrics of a request, decoded from its bytes.
fn metrics(exporter: &OtlpExporter) -> BTreeMap<String, Data> {
    let request = ExportMetricsServiceRequest::decode(exporter.to_bytes().as_slice());
    let [resource] = &request.expect("it is a request").resource_metrics[..] else {
        panic!("not one resource");
    };
    let metrics = resource.scope_metrics[0].metrics.iter().cloned();
    metrics
        .map(|metric| (metric.name, metric.data.expect("it has data")))
        .collect()
}

fn histogram(data: &Data) -> Option<&HistogramDataPoint> {
    match data {
        Data::Histogram(histogram) => Some(&histogram.data_points[0]),
        _ => None,
    }
}

/// The value of a counter, in its unit.
fn counter(data: &Data) -> Option<f64> {
    let Data::Sum(sum) = data else { return None };
    match sum.data_points[0].value.expect("it has a value") {
        number_data_point::Value::AsInt(int) => Some(int as f64),
        number_data_point::Value::AsDouble(double) => Some(double),
    }
}

fn start(data: &Data) -> Option<(u64, u64)> {
    match data {
        Data::Sum(sum) => sum
            .data_points
            .first()
            .map(|p| (p.start_time_unix_nano, p.time_unix_nano)),
        _ => histogram(data).map(|p| (p.start_time_unix_nano, p.time_unix_nano)),
    }
}

/// Checks one request by itself, and against the one before.
fn check(before: &BTreeMap<String, Data>, now: &BTreeMap<String, Data>, started_at: u64) {
    for (name, data) in now {
        let earlier = before.get(name);
        if let Some((start, time)) = start(data) {
            assert_eq!(start, started_at, "{name}");
            assert!(time >= start, "{name}");
            assert!(
                earlier
                    .and_then(self::start)
                    .is_none_or(|(_, earlier)| earlier <= time),
                "{name}"
            );
        }
        if let Some(value) = counter(data) {
            assert!(
                earlier.and_then(counter).is_none_or(|earlier| earlier <= value),
                "{name}"
            );
        }
        if let Some(point) = histogram(data) {
            assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>(), "{name}");
            assert_eq!(
                point.bucket_counts.len(),
                point.explicit_bounds.len() + 1,
                "{name}"
            );
            if let Some(earlier) = earlier.and_then(histogram) {
                assert_eq!(earlier.explicit_bounds, point.explicit_bounds, "{name}");
                let mut pairs = earlier.bucket_counts.iter().zip(&point.bucket_counts);
                assert!(pairs.all(|(earlier, now)| earlier <= now), "{name}");
                assert!(earlier.sum <= point.sum, "{name}");
            }
        }
    }
}

#[test]
fn cumulative_values_never_go_back_under_load_and_end_at_those_of_the_snapshot() {
    let builder = Builder::new()
        .name("busy")
        .workers(WORKERS)
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let handles = build(builder, Clock::new(), NoProbe).expect("the defaults work");
    let (runtime, workers) = (handles.metrics, handles.workers);
    let started_at = runtime.snapshot().started_at().expect("the clock is after 1970");
    let exporter = OtlpExporter::new(runtime.clone());
    let start = Barrier::new(WORKERS + 1);
    let mut before = metrics(&exporter);
    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for poll in 0..POLLS {
                        worker.start_poll(PollStart::default());
                        worker.end_poll();
                        if poll % 16 == 0 {
                            worker.submit();
                        }
                    }
                })
            })
            .collect();
        start.wait();
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            let now = metrics(&exporter);
            check(&before, &now, started_at);
            before = now;
        }
    });
    let (last, snapshot): (_, Snapshot) = (metrics(&exporter), runtime.snapshot());
    check(&before, &last, started_at);
    assert_eq!(
        counter(&last["async_runtime.worker.polls"]),
        Some((WORKERS as u64 * POLLS) as f64)
    );
    let polls = histogram(&last["async_runtime.poll_duration"]).expect("a histogram");
    let recorded = snapshot.total().poll_time().expect("it is measured").histogram();
    assert_eq!(polls.count, WORKERS as u64 * POLLS);
    assert_eq!(polls.bucket_counts, recorded.buckets());
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    assert_eq!(polls.sum, Some(seconds(recorded.sum())));
    assert_eq!(
        (polls.min, polls.max),
        (recorded.min().map(seconds), recorded.max().map(seconds))
    );
}

#[test]
fn a_runtime_that_replaces_another_has_its_own_start_time() {
    let list = metrics_std::Runtimes::new();
    let exporter = OtlpExporter::new(&list);
    let mut starts = Vec::new();
    for _ in 0..3 {
        list.remove("main");
        let runtime = metrics_std::build_wrapped(Builder::new().name("main"), Clock::instant());
        let runtime = runtime.expect("the defaults work");
        list.add(&runtime).expect("the name is free");
        runtime.registry().shared().task_spawned();
        let metrics = metrics(&exporter);
        // The count of a new start begins at 0.
        let spawned = &metrics["async_runtime.tasks_spawned"];
        assert_eq!(counter(spawned), Some(1.0));
        starts.extend(start(spawned).map(|(start, _)| start));
    }
    assert!(
        starts.is_sorted_by(|earlier, later| earlier < later),
        "{starts:?}"
    );
}
