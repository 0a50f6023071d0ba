//! A request holds what the snapshot holds.

use crate::fixture::Fixture;
use core::future::Future as _;
use core::time::Duration;
use metrics_core::{METRICS, Metric, MetricKind, MetricScope, MetricUnit, SampleValue, WorkerState};
use metrics_std::export::Edges;
use metrics_std::otlp::OtlpExporter;
use metrics_std::{Builder, Clock, HistogramConfig, Measured, build_wrapped};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValueKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::{Value, json};
use std::fs;

/// The request, decoded in Python. `None` if Python can't.
fn decoded(exporter: &OtlpExporter) -> Option<Value> {
    let mut python = outside::python("opentelemetry.proto.collector.metrics.v1")?;
    let folder = tempfile::tempdir().expect("no temporary folder");
    let file = folder.path().join("request");
    fs::write(&file, exporter.to_bytes()).expect("can't write");
    python
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otlp/oracle.py"))
        .arg(&file);
    let found = outside::silent_success(python.output().expect("Python does not start"));
    Some(serde_json::from_str(&found).expect("not JSON"))
}

fn seconds(nanos: u64) -> Value {
    json!(nanos as f64 / 1e9)
}

/// The value as this JSON parser reads it, which is not always the nearest double.
fn read_back(value: Vec<Value>) -> Value {
    serde_json::from_str(&Value::Array(value).to_string()).expect("it is JSON")
}

/// The points that a metric must have, without their times.
fn points(fixture: &Fixture, metric: &Metric, each_worker: bool) -> Vec<Value> {
    let mut points = Vec::new();
    fixture.metrics.snapshot().visit(|sample| {
        let is_of_workers = metric.scope == MetricScope::Worker;
        if sample.metric != metric || (is_of_workers && sample.worker.is_some() != each_worker) {
            return;
        }
        let mut attributes = json!({ "async_runtime.name": "main" });
        if let Some(worker) = sample.worker {
            attributes["async_runtime.worker.index"] =
                json!(worker.to_string().parse::<u64>().expect("an index"));
        }
        match sample.value {
            SampleValue::Number(number) => {
                let is_time = metric.unit == MetricUnit::Nanoseconds;
                let value = if is_time { seconds(number) } else { json!(number) };
                points.push(json!({ "attributes": attributes, "value": value }));
            }
            SampleValue::Histogram(histogram) => {
                let ranges = histogram.iter().map(|(range, _)| range);
                let bounds: Vec<Value> = ranges.filter_map(|range| Some(seconds(range.end? - 1))).collect();
                points.push(json!({
                    "attributes": attributes,
                    "count": histogram.count(),
                    "sum": seconds(histogram.sum()),
                    "min": histogram.min().map(seconds),
                    "max": histogram.max().map(seconds),
                    "bounds": bounds,
                    "counts": histogram.buckets(),
                }));
            }
            SampleValue::State(now) => points.extend(WorkerState::ALL.iter().map(|state| {
                let mut attributes = attributes.clone();
                attributes["async_runtime.state"] = json!(state.name());
                json!({ "attributes": attributes, "value": u64::from(*state == now) })
            })),
            SampleValue::Location(location) => {
                attributes["async_runtime.location"] = json!(location);
                points.push(json!({ "attributes": attributes, "value": 1 }));
            }
            other => panic!("{}: {other:?} is not exported", metric.name),
        }
    });
    points
}

#[test]
fn python_decodes_every_metric_with_the_values_of_the_snapshot() {
    let fixture = Fixture::new("main");
    fixture.poll((0..40).map(|power| Duration::from_nanos(1 << power)));
    for each_worker in [false, true] {
        let exporter = OtlpExporter::new(fixture.metrics.clone())
            .each_worker(each_worker)
            .resource("service.name", "shop");
        let Some(request) = decoded(&exporter) else {
            return;
        };
        assert_eq!(request["resource"], json!({ "service.name": "shop" }));
        assert_eq!(request["scope"], "metrics-std");
        let mut metrics = request["metrics"].as_array().expect("a list").iter();
        for metric in METRICS.iter().filter(|metric| metric.exported.is_some()) {
            let expected = points(&fixture, metric, each_worker);
            if expected.is_empty() {
                continue;
            }
            let found = metrics
                .next()
                .unwrap_or_else(|| panic!("{} is missing", metric.name));
            let (kind, temporality, monotonic) = match metric.kind {
                MetricKind::Counter => ("sum", json!("AGGREGATION_TEMPORALITY_CUMULATIVE"), json!(true)),
                MetricKind::Histogram => (
                    "histogram",
                    json!("AGGREGATION_TEMPORALITY_CUMULATIVE"),
                    Value::Null,
                ),
                _ => ("gauge", Value::Null, Value::Null),
            };
            assert_eq!(found["kind"], kind, "{found}");
            assert_eq!(found["temporality"], temporality, "{found}");
            assert_eq!(found["monotonic"], monotonic, "{found}");
            assert_eq!(found["description"], metric.help);
            let start = if kind == "gauge" {
                "0"
            } else {
                "1790000000000000000"
            };
            let mut points = found["points"].clone();
            for point in points.as_array_mut().expect("a list") {
                assert_eq!(point["start"], start, "{found}");
                let fields = point.as_object_mut().expect("an object");
                fields.remove("start");
                fields.remove("time").expect("it has a time");
            }
            assert_eq!(points, read_back(expected), "{}", metric.name);
        }
        assert_eq!(metrics.next(), None);
    }
}

#[test]
fn python_decodes_the_metrics_of_spawn_locations() {
    let builder = Builder::new()
        .name("main")
        .poll_time(HistogramConfig::DEFAULT)
        .locations(4)
        .census();
    let metrics = build_wrapped(builder, Clock::instant()).expect("it is valid");
    let mut task = core::pin::pin!(Measured::task(&metrics, core::future::pending::<()>()));
    let _ = task
        .as_mut()
        .poll(&mut core::task::Context::from_waker(core::task::Waker::noop()));
    let exporter = OtlpExporter::new(metrics.clone());
    let Some(without) = decoded(&exporter) else {
        return;
    };
    assert!(
        !without.to_string().contains("async_runtime.location"),
        "{without}"
    );
    let request = decoded(&exporter.locations(4)).expect("Python did it before");
    let mut expected = Vec::new();
    metrics.snapshot().visit_locations(4, |sample| {
        let (SampleValue::Number(number), Some(location)) = (sample.value, sample.location) else {
            panic!("{} has no number", sample.metric.name);
        };
        // It increases from one snapshot to the next.
        if sample.metric.name != "location_longest_wait" {
            let is_time = sample.metric.unit == MetricUnit::Nanoseconds;
            let value = if is_time { seconds(number) } else { json!(number) };
            expected.push((sample.metric.help, location.to_owned(), value));
        }
    });
    assert!(expected.len() >= 10, "{expected:?}");
    for (help, location, value) in expected {
        let metrics = request["metrics"].as_array().expect("a list");
        let found = metrics.iter().find(|metric| metric["description"] == help);
        let found = found.unwrap_or_else(|| panic!("{help} is missing"));
        let name = found["name"].as_str().expect("it is text");
        assert!(name.starts_with("async_runtime.location."), "{name}");
        let points = found["points"].as_array().expect("a list");
        let attributes = json!({ "async_runtime.name": "main", "async_runtime.location": location });
        let point = points.iter().find(|point| point["attributes"] == attributes);
        let point = point.unwrap_or_else(|| panic!("{name} has no point of {location}"));
        assert_eq!(json!([point["value"]]), read_back(vec![value]), "{name}");
    }
}

#[test]
fn other_bounds_keep_count_sum_and_maximum() {
    let fixture = Fixture::new("main");
    fixture.poll([49, 50, 300].map(Duration::from_millis));
    let edges = Edges::list([10, 100].map(Duration::from_millis)).expect("they ascend");
    let exporter = OtlpExporter::new(fixture.metrics.clone()).edges(edges);
    let Some(request) = decoded(&exporter) else {
        return;
    };
    let metrics = request["metrics"].as_array().expect("a list");
    let polls = metrics
        .iter()
        .find(|metric| metric["name"] == "async_runtime.poll_duration");
    let point = &polls.expect("poll time is measured")["points"][0];
    assert_eq!(point["bounds"], json!([0.01, 0.1]));
    let counts = point["counts"].as_array().expect("a list");
    assert_eq!(counts[1..], [json!(2), json!(1)]);
    assert_eq!(point["max"], json!(0.3));
}

#[test]
fn a_request_has_its_resource_its_scope_and_units() {
    let fixture = Fixture::new("main");
    let exporter = OtlpExporter::new(fixture.metrics.clone())
        .resource("service.name", "shop")
        .resource("host.name", "a")
        .resource("host.name", "b");
    let [request] = &exporter.request().resource_metrics[..] else {
        panic!("one resource");
    };
    let resource = request.resource.as_ref().expect("it has attributes");
    let attribute = |text: &str| {
        let is_text = |pair: &KeyValue| match &pair.value {
            Some(AnyValue {
                value: Some(AnyValueKind::StringValue(value)),
            }) => format!("{}={value}", pair.key) == text,
            _ => false,
        };
        resource.attributes.iter().any(is_text)
    };
    assert!(attribute("service.name=shop") && attribute("host.name=b"));
    assert_eq!(resource.attributes.len(), 2);
    for exported in &request.scope_metrics[0].metrics {
        let metric = METRICS.iter().find(|metric| metric.help == exported.description);
        let unit = match metric.expect("it is in the catalog").unit {
            MetricUnit::Nanoseconds => "s",
            _ => "{count}",
        };
        assert_eq!(exported.unit, unit, "{}", exported.name);
    }
    let scope = request.scope_metrics[0].scope.as_ref().expect("it has a scope");
    assert_eq!(
        (&*scope.name, &*scope.version),
        ("metrics-std", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_runtime_that_measures_nothing_makes_few_metrics_and_none_without_a_value() {
    let metrics = metrics_core::Builder::new()
        .name("bare")
        .build(metrics_core::NoClock);
    let metrics = metrics_core::RuntimeMetrics::new(metrics.expect("no clock is no error"));
    let request = OtlpExporter::new(metrics).request();
    let names: Vec<&str> = request.resource_metrics[0].scope_metrics[0]
        .metrics
        .iter()
        .map(|metric| metric.name.as_str())
        .collect();
    assert_eq!(names, ["async_runtime.workers"]);
}
