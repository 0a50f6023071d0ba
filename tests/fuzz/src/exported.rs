//! Checks of what the exporters write, each by a reader of its format.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, atomic::Ordering};

use metrics::{Counter, Gauge, HistogramFn, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_core::{
    FlightEventKind, FlightRecording, HistogramSnapshot, MetricKind, MetricUnit, ThreadRecording,
};
use metrics_std::export::Edges;
use metrics_std::prometheus::{Format, RuntimeCollector};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, NumberDataPoint, number_data_point};
use prost::Message;
use serde_json::Value as Json;

use crate::checks::HeapSnapshot;
use crate::expected::{Key, Series, Value, in_seconds};
use crate::prometheus_text::{self, parse};

/// Returns the buckets that an exporter must write: with each edge in seconds, the samples up to it. `None` is infinity.
fn buckets(histogram: &HistogramSnapshot<Vec<u64>>, edges: &Edges) -> Vec<(f64, u64)> {
    let counts = edges.counts(histogram);
    let mut below = 0;
    let cumulative = counts.into_iter().map(|(edge, count)| {
        below += count;
        (edge.map_or(f64::INFINITY, in_seconds), below)
    });
    cumulative.collect()
}

pub fn check_prometheus(
    collector: impl Fn() -> RuntimeCollector,
    expected: &BTreeMap<Key, Series>,
    edges: &Edges,
) {
    for format in [Format::Text, Format::OpenMetrics] {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(collector()));
        let mut page = String::new();
        format
            .write(&mut page, &registry)
            .expect("writing to a string never fails");
        // A probe may report nothing at all.
        if page.is_empty() {
            assert!(expected.is_empty());
            continue;
        }
        let mut written = parse(&page, format == Format::OpenMetrics);
        for (key, series) in expected {
            let value = written
                .remove(key)
                .unwrap_or_else(|| panic!("{key:?} is missing"));
            check_prometheus_value(key, &value, &series.value, edges, &mut written);
        }
        assert!(written.is_empty(), "in no snapshot: {written:?}");
    }
}

fn check_prometheus_value(
    (name, labels): &Key,
    written: &prometheus_text::Value,
    expected: &Value,
    edges: &Edges,
    rest: &mut BTreeMap<Key, prometheus_text::Value>,
) {
    match (written, expected) {
        (prometheus_text::Value::Number(text), Value::Count(count)) => {
            assert_eq!(text.parse(), Ok(*count), "{name}");
        }
        (prometheus_text::Value::Number(text), Value::Nanos(nanos)) => {
            assert_eq!(text.parse(), Ok(in_seconds(*nanos)), "{name}");
        }
        (prometheus_text::Value::Histogram(written), Value::Histogram(histogram)) => {
            assert_eq!(written.count, Some(histogram.count()));
            assert_eq!(written.sum, Some(in_seconds(histogram.sum())));
            assert_eq!(written.buckets, buckets(histogram, edges), "{name}");
            let name = name.strip_suffix("_seconds").expect("it has a unit");
            let max = rest.remove(&(format!("{name}_max_seconds"), labels.clone()));
            let max = max.map(|max| match max {
                prometheus_text::Value::Number(text) => text.parse().expect("a number"),
                prometheus_text::Value::Histogram(_) => panic!("a maximum is a number"),
            });
            assert_eq!(max, histogram.max().map(in_seconds));
        }
        other => panic!("{name}: {other:?}"),
    }
}

pub fn check_otlp(bytes: &[u8], expected: &BTreeMap<Key, Series>, edges: &Edges, resource: (&str, &str)) {
    let request = ExportMetricsServiceRequest::decode(bytes).expect("it is a request");
    let mut missing = expected.clone();
    let mut names = BTreeSet::new();
    for of_resource in &request.resource_metrics {
        let attributes = &of_resource.resource.as_ref().expect("there is one").attributes;
        assert_eq!(
            attributes.iter().map(attribute).collect::<Vec<_>>(),
            [(resource.0.to_owned(), resource.1.to_owned())]
        );
        for metric in of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            assert!(names.insert(&metric.name), "{} twice", metric.name);
            let mut take = |name: &str, attributes: &[KeyValue]| {
                let mut labels: Vec<_> = attributes.iter().map(attribute).map(label).collect();
                labels.sort();
                let key = (name.to_owned(), labels);
                missing
                    .remove(&key)
                    .unwrap_or_else(|| panic!("{key:?} is in no snapshot, or twice"))
            };
            let unit = if metric.unit == "s" { "_seconds" } else { "" };
            let name = format!("{}{unit}", metric.name.replace('.', "_"));
            match metric.data.as_ref().expect("a metric has data") {
                Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    for point in &sum.data_points {
                        let series = take(&format!("{name}_total"), &point.attributes);
                        check_point(point, &series, MetricKind::Counter);
                    }
                }
                Data::Gauge(gauge) => {
                    for point in &gauge.data_points {
                        check_point(point, &take(&name, &point.attributes), MetricKind::Gauge);
                    }
                }
                Data::Histogram(histogram) => {
                    for point in &histogram.data_points {
                        let Value::Histogram(expected) = take(&name, &point.attributes).value else {
                            panic!("{name} is a histogram");
                        };
                        check_histogram_point(point, &expected, edges);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(missing.is_empty(), "not exported: {:?}", missing.keys());
}

fn attribute(attribute: &KeyValue) -> (String, String) {
    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
    let value = match value.expect("an attribute has a value") {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    (attribute.key.clone(), value)
}

/// Returns the label of Prometheus for an attribute.
fn label((key, value): (String, String)) -> (String, String) {
    let key = key
        .strip_prefix("async_runtime.")
        .expect("it is in the namespace");
    let key = match key {
        "name" => "runtime",
        "worker.index" => "worker",
        key => key,
    };
    (key.to_owned(), value)
}

fn check_point(point: &NumberDataPoint, series: &Series, kind: MetricKind) {
    assert_eq!(
        series.metric.kind == MetricKind::Counter,
        kind == MetricKind::Counter
    );
    let value = point.value.expect("a point has a value");
    match series.value {
        Value::Count(count) => {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            assert_eq!(value, number_data_point::Value::AsInt(count));
        }
        Value::Nanos(nanos) => assert_eq!(value, number_data_point::Value::AsDouble(in_seconds(nanos))),
        Value::Histogram(_) => panic!("{} is a histogram", series.metric.name),
    }
}

fn check_histogram_point(point: &HistogramDataPoint, histogram: &HistogramSnapshot<Vec<u64>>, edges: &Edges) {
    assert_eq!(point.count, histogram.count());
    assert_eq!(point.sum, Some(in_seconds(histogram.sum())));
    assert_eq!(point.min, histogram.min().map(in_seconds));
    assert_eq!(point.max, histogram.max().map(in_seconds));
    assert!(point.explicit_bounds.is_sorted_by(|one, next| one < next));
    let bounds = point.explicit_bounds.iter().copied().chain([f64::INFINITY]);
    let mut below = 0;
    let counts = point.bucket_counts.iter().map(|count| {
        below += count;
        below
    });
    assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
    assert_eq!(bounds.zip(counts).collect::<Vec<_>>(), buckets(histogram, edges));
}

/// A recorder of the facade, which keeps everything.
#[derive(Default)]
pub struct Recorded {
    counters: Mutex<HashMap<metrics::Key, Arc<AtomicU64>>>,
    gauges: Mutex<HashMap<metrics::Key, Arc<AtomicU64>>>,
    histograms: Mutex<HashMap<metrics::Key, Arc<Samples>>>,
    /// What was registered since `begin`.
    registered: Mutex<BTreeSet<metrics::Key>>,
}

#[derive(Debug, Default)]
struct Samples(Mutex<Vec<(f64, usize)>>);

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.0.lock().expect("no panic").push((value, count));
    }
}

impl Recorded {
    /// Begins a call of the publisher.
    pub fn begin(&self) {
        self.registered.lock().expect("no panic").clear();
    }

    fn register<T: Default>(&self, map: &Mutex<HashMap<metrics::Key, Arc<T>>>, key: &metrics::Key) -> Arc<T> {
        let is_new = self.registered.lock().expect("no panic").insert(key.clone());
        assert!(is_new, "{key:?} twice");
        Arc::clone(map.lock().expect("no panic").entry(key.clone()).or_default())
    }

    /// Checks the values after a call. What a snapshot no longer has keeps its last value.
    pub fn check(&self, expected: &BTreeMap<Key, Series>) {
        let mut registered = self.registered.lock().expect("no panic").clone();
        for ((name, labels), Series { metric, value }) in expected {
            let is_counter = metric.kind == MetricKind::Counter;
            let name = match metric.unit {
                MetricUnit::Nanoseconds if is_counter => name.replace("_seconds", "_nanoseconds"),
                _ => name.clone(),
            };
            let labels: Vec<_> = labels.iter().map(metrics::Label::from).collect();
            // The order of labels is part of a key.
            let of_series = |key: &&metrics::Key| {
                let mut sorted: Vec<_> = key.labels().cloned().collect();
                sorted.sort();
                key.name() == name && sorted == labels
            };
            let key = registered.iter().find(of_series).cloned();
            let key = key.unwrap_or_else(|| panic!("{name} {labels:?} is missing"));
            registered.remove(&key);
            let number = |map: &Mutex<HashMap<_, Arc<AtomicU64>>>| {
                map.lock().expect("no panic")[&key].load(Ordering::Relaxed)
            };
            match value {
                Value::Count(count) | Value::Nanos(count) if is_counter => {
                    assert_eq!(number(&self.counters), *count, "{name}");
                }
                Value::Count(count) => {
                    assert_eq!(f64::from_bits(number(&self.gauges)), *count as f64, "{name}")
                }
                Value::Nanos(nanos) => {
                    assert_eq!(f64::from_bits(number(&self.gauges)), in_seconds(*nanos), "{name}");
                }
                Value::Histogram(histogram) => self.check_histogram(&key, histogram),
            }
        }
        assert!(registered.is_empty(), "in no snapshot: {registered:?}");
    }

    /// Each sample is recorded as the largest value of its bucket.
    fn check_histogram(&self, key: &metrics::Key, histogram: &HistogramSnapshot<Vec<u64>>) {
        let samples = Arc::clone(&self.histograms.lock().expect("no panic")[key]);
        let samples = samples.0.lock().expect("no panic");
        let count: usize = samples.iter().map(|(_, count)| count).sum();
        assert_eq!(count as u64, histogram.count());
        for (range, count) in histogram.iter().filter(|(range, _)| range.end.is_some()) {
            let largest = in_seconds(range.largest());
            let recorded = samples.iter().filter(|(value, _)| *value == largest);
            assert_eq!(recorded.map(|(_, count)| *count as u64).sum::<u64>(), count);
        }
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.register(&self.counters, key))
    }

    fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.register(&self.gauges, key))
    }

    fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::from_arc(self.register(&self.histograms, key))
    }
}

/// A snapshot in JSON has its names as they are, and survives decoding unchanged.
pub fn check_json(snapshot: &HeapSnapshot) {
    let text = serde_json::to_string(snapshot).expect("a snapshot encodes");
    let json: Json = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["name"], snapshot.name());
    for (worker, json) in snapshot
        .workers()
        .iter()
        .zip(json["workers"].as_array().expect("a list"))
    {
        assert_eq!(json["worker"], worker.index());
        assert_eq!(json["thread_name"], worker.thread_name());
        assert_eq!(json["spawn_location_name"], worker.spawn_location_name());
    }
    let again: HeapSnapshot = serde_json::from_str(&text).expect("what was encoded decodes");
    assert_eq!(serde_json::to_string(&again).expect("and again"), text);
}

/// A trace has a slice for each poll, burst and park, with the name of its location.
pub fn check_trace(recording: &FlightRecording) {
    let mut text = String::new();
    recording
        .write_chrome_trace(&mut text)
        .expect("writing to a string never fails");
    let json: Json = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["otherData"]["sampled"], recording.is_sampled);
    let events = json["traceEvents"].as_array().expect("a list");
    let mut slices = events.iter().filter(|event| event["ph"] == "X");
    for (track, thread) in recording.threads.iter().enumerate() {
        for event in ThreadRecording::events(thread) {
            let name = recording.location_name(event.location);
            let name = match event.kind {
                FlightEventKind::Unpark => continue,
                FlightEventKind::Park => "parked",
                FlightEventKind::Burst if name.is_empty() => "short polls",
                FlightEventKind::Poll if name.is_empty() => "unknown",
                _ => name,
            };
            let slice = slices.next().expect("a slice for each event");
            assert_eq!((&slice["name"], &slice["tid"]), (&name.into(), &track.into()));
            assert!(slice["ts"].as_f64() >= Some(0.0) && slice["dur"].as_f64() >= Some(0.0));
            let latency = event.schedule_latency.map(|latency| latency.as_nanos() as u64);
            assert_eq!(slice["args"]["schedule_latency_ns"].as_u64(), latency);
        }
    }
    assert!(slices.next().is_none(), "more slices than events");
    let tracks = events.iter().filter(|event| event["ph"] == "M").count();
    assert_eq!(tracks, recording.threads.len());
}
