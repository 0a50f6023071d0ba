//! The facade's publisher against the exporter for Prometheus that is built on the facade.

#[expect(dead_code, reason = "the tests of the exporter for Prometheus use all of it")]
#[path = "prometheus/fixture.rs"]
mod fixture;

use core::time::Duration;
use fixture::Fixture;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, NoopRecorder, Recorder, SharedString, Unit,
};
use metrics_core::{
    Builder, MetricKind, MetricScope, MetricUnit, NoClock, NoProbe, Probe, RuntimeMetrics, RuntimeNumber,
    SampleValue, WorkerState,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use metrics_std::export::Edges;
use metrics_std::facade::FacadePublisher;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};

/// Edges at which the recorder counts, in seconds.
const EDGES: [f64; 4] = [1e-6, 1e-3, 0.05, 1.0];

fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets(&EDGES);
    builder.expect("there are edges").build_recorder()
}

/// The series of a page and their values.
fn series(recorder: &PrometheusRecorder) -> BTreeMap<String, f64> {
    let page = recorder.handle().render();
    let samples = page
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').expect("a value"));
    samples
        .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
        .collect()
}

/// The series that the snapshot has, without histograms.
fn expected(fixture: &Fixture, each_worker: bool) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::new();
    fixture.metrics.snapshot().visit(|sample| {
        let is_of_workers = sample.metric.scope == MetricScope::Worker;
        let Some(name) = sample.metric.exported else {
            return;
        };
        if is_of_workers && sample.worker.is_some() != each_worker {
            return;
        }
        let worker = sample
            .worker
            .map(|worker| format!(",worker=\"{worker}\""))
            .unwrap_or_default();
        let mut add = |name: &str, label: &str, value| {
            expected.insert(format!("{name}{{runtime=\"main\"{worker}{label}}}"), value);
        };
        match sample.value {
            SampleValue::Number(number) => match (sample.metric.kind, sample.metric.unit) {
                (MetricKind::Counter, MetricUnit::Nanoseconds) => {
                    add(&name.replace("_seconds", "_nanoseconds"), "", number as f64);
                }
                (_, MetricUnit::Nanoseconds) => add(name, "", number as f64 / 1e9),
                _ => add(name, "", number as f64),
            },
            SampleValue::State(now) => {
                for state in WorkerState::ALL {
                    let label = format!(",state=\"{}\"", state.name());
                    add(name, &label, f64::from(u8::from(state == now)));
                }
            }
            SampleValue::Location(location) => {
                let location = location.replace('\\', "\\\\").replace('"', "\\\"");
                add(name, &format!(",location=\"{location}\""), 1.0);
            }
            _ => {}
        }
    });
    expected
}

#[test]
fn counters_and_gauges_are_those_of_the_snapshot() {
    for each_worker in [false, true] {
        let fixture = Fixture::new("main");
        let publisher = FacadePublisher::new(fixture.metrics.clone()).each_worker(each_worker);
        let recorder = recorder();
        // Publishing again changes nothing.
        for _ in 0..2 {
            publisher.publish_to(&recorder);
            let mut found = series(&recorder);
            let of_histograms = ["_bucket{", "_sum{", "_count{"];
            found.retain(|name, _| !of_histograms.iter().any(|part| name.contains(part)));
            assert_eq!(found, expected(&fixture, each_worker));
        }
    }
}

#[test]
fn metrics_of_spawn_locations_are_those_of_the_snapshot() {
    let builder = metrics_std::Builder::new().name("main").locations(4);
    let metrics = metrics_std::build_wrapped(builder, metrics_std::Clock::instant()).unwrap();
    futures::executor::block_on(metrics_std::Measured::task(&metrics, async {}));
    let publish = |locations| {
        let recorder = recorder();
        let publisher = FacadePublisher::new(metrics.clone()).locations(locations);
        publisher.publish_to(&recorder);
        let mut found = series(&recorder);
        found.retain(|name, _| name.contains("_location_"));
        found
    };
    assert_eq!(publish(0), BTreeMap::new());
    let mut expected = BTreeMap::new();
    metrics.snapshot().visit_locations(4, |sample| {
        let (SampleValue::Number(number), Some(location)) = (sample.value, sample.location) else {
            panic!("{} has no number", sample.metric.name);
        };
        let name = sample.metric.exported.unwrap();
        let is_time = sample.metric.unit == MetricUnit::Nanoseconds;
        let (name, value) = match (sample.metric.kind, is_time) {
            (MetricKind::Counter, true) => (name.replace("_seconds", "_nanoseconds"), number as f64),
            (_, true) => (name.to_owned(), number as f64 / 1e9),
            _ => (name.to_owned(), number as f64),
        };
        expected.insert(
            format!("{name}{{runtime=\"main\",location=\"{location}\"}}"),
            value,
        );
    });
    assert!(!expected.is_empty());
    assert_eq!(publish(4), expected);
}

#[test]
fn descriptions_are_passed_on() {
    let fixture = Fixture::new("main");
    let recorder = recorder();
    FacadePublisher::new(fixture.metrics.clone()).publish_to(&recorder);
    let page = recorder.handle().render();
    for metric in metrics_core::METRICS {
        let has_sum = metric.scope == MetricScope::Runtime || metric.kind != MetricKind::Gauge;
        if let Some(name) = metric.exported.filter(|_| has_sum) {
            let name = match metric.kind {
                MetricKind::Counter => &name.replace("_seconds", "_nanoseconds"),
                _ => name,
            };
            assert!(
                page.contains(&format!("# HELP {name} {}\n", metric.help)),
                "{name} in\n{page}"
            );
        }
    }
}

/// The kind and the unit of each description.
#[derive(Default)]
struct Descriptions(Mutex<BTreeMap<String, (&'static str, Option<Unit>)>>);

impl Descriptions {
    fn add(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>) {
        let mut all = self.0.lock().unwrap();
        all.insert(name.as_str().to_owned(), (kind, unit));
    }
}

impl Recorder for Descriptions {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add(&name, "counter", unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add(&name, "gauge", unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add(&name, "histogram", unit);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn descriptions_have_the_kind_and_the_unit_of_the_metric() {
    let fixture = Fixture::new("main");
    let described = Descriptions::default();
    let publisher = FacadePublisher::new(fixture.metrics.clone()).each_worker(true);
    publisher.publish_to(&described);
    let found = described.0.into_inner().unwrap();
    let mut expected = BTreeMap::new();
    for metric in metrics_core::METRICS {
        let Some(name) = metric.exported else { continue };
        let is_time = metric.unit == MetricUnit::Nanoseconds;
        let described = match metric.kind {
            MetricKind::Counter if is_time => {
                let name = name.replace("_seconds", "_nanoseconds");
                (name, ("counter", Some(Unit::Nanoseconds)))
            }
            kind => {
                let kind = match kind {
                    MetricKind::Counter => "counter",
                    MetricKind::Histogram => "histogram",
                    _ => "gauge",
                };
                let unit = if is_time { Unit::Seconds } else { Unit::Count };
                (name.to_owned(), (kind, Some(unit)))
            }
        };
        expected.extend([described]);
    }
    assert!(found.len() > 20, "{found:?}");
    for (name, described) in found {
        assert_eq!(Some(&described), expected.get(&name), "{name}");
    }
}

#[test]
fn publish_passes_the_values_to_the_recorder_of_the_program() {
    let fixture = Fixture::new("main");
    let publisher = FacadePublisher::new(fixture.metrics.clone());
    let (installed, passed) = (recorder(), recorder());
    metrics::with_local_recorder(&installed, || publisher.publish());
    FacadePublisher::new(fixture.metrics.clone()).publish_to(&passed);
    assert_eq!(series(&installed), series(&passed));
}

/// The counts of poll times up to each edge, and their number.
fn polls(recorder: &PrometheusRecorder) -> Vec<f64> {
    let series = series(recorder);
    let polls = |suffix: &str, label: &str| {
        let name = format!("async_runtime_poll_duration_seconds_{suffix}{{runtime=\"main\"{label}}}");
        *series
            .get(&name)
            .unwrap_or_else(|| panic!("no {name} in {series:#?}"))
    };
    let edges = EDGES
        .iter()
        .map(|edge| polls("bucket", &format!(",le=\"{edge}\"")));
    edges.chain([polls("count", "")]).collect()
}

#[test]
fn each_sample_is_passed_on_once_at_an_edge_that_is_not_below_it() {
    let fixture = Fixture::new("main");
    let publisher = FacadePublisher::new(fixture.metrics.clone());
    let to = recorder();
    let edges = Edges::list(EDGES.map(Duration::from_secs_f64)).expect("they ascend");
    for samples in [0, 1, 40] {
        fixture.poll((0..samples).map(|power| Duration::from_nanos(1 << power)));
        publisher.publish_to(&to);
        let snapshot = fixture.metrics.snapshot();
        let recorded = snapshot.total().poll_time().expect("it is measured").histogram();
        let mut up_to = 0;
        let expected = edges.counts(recorded).into_iter().map(|(_, count)| {
            up_to += count;
            up_to as f64
        });
        assert_eq!(polls(&to), expected.collect::<Vec<f64>>());
    }
}

type Registry = Arc<metrics_std::Registry>;
type Runtimes = metrics_std::Runtimes<Registry, NoProbe>;

/// Builds a runtime named `main`, and puts it into the list in place of an earlier one.
fn replace(list: &Runtimes, started_at: u64) -> RuntimeMetrics<Registry> {
    let builder = Builder::new()
        .name("main")
        .workers(1)
        .started_at(started_at)
        .measures(metrics_core::MetricSet::ALL)
        .poll_time(metrics_core::HistogramConfig::DEFAULT);
    let registry = builder
        .build(metrics_std::Clock::instant())
        .expect("the defaults work");
    let metrics = RuntimeMetrics::new(registry);
    list.remove("main");
    list.add(&metrics).expect("the name is free");
    metrics
}

#[test]
fn a_runtime_that_replaces_another_adds_to_its_samples() {
    let list = Runtimes::default();
    let publisher = FacadePublisher::new(&list);
    let recorder = recorder();
    let mut polled = 0.0;
    for started_at in 1..4 {
        let metrics = replace(&list, started_at);
        let worker = metrics_core::Worker::lease(metrics.registry().clone(), 0).expect("a free slot");
        worker.start_poll(metrics_core::PollStart::default());
        worker.end_poll();
        worker.submit();
        polled += 1.0;
        publisher.publish_to(&recorder);
        assert_eq!(polls(&recorder).last(), Some(&polled));
    }
}

#[test]
fn a_runtime_that_replaces_another_adds_to_its_counters() {
    let list = Runtimes::default();
    let publisher = FacadePublisher::new(&list);
    let recorder = recorder();
    let mut spawned = 0.0;
    for (started_at, tasks) in [(1, 3), (2, 1), (3, 2)] {
        let metrics = replace(&list, started_at);
        for _ in 0..tasks {
            metrics.registry().shared().task_spawned();
            spawned += 1.0;
            publisher.publish_to(&recorder);
            let found = series(&recorder);
            let found = found.get("async_runtime_tasks_spawned_total{runtime=\"main\"}");
            assert_eq!(found, Some(&spawned));
        }
    }
}

/// Publishes from a probe or a recorder while it is published.
#[derive(Default)]
struct Nested {
    publisher: OnceLock<Weak<FacadePublisher>>,
    on_own_thread: bool,
}

impl Nested {
    fn publish(&self) {
        let Some(publisher) = self.publisher.get().and_then(Weak::upgrade) else {
            return;
        };
        let publish = move || publisher.publish_to(&NoopRecorder);
        if self.on_own_thread {
            std::thread::spawn(publish).join().expect("no panic");
        } else {
            publish();
        }
    }
}

impl Probe for Nested {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        if number != RuntimeNumber::GlobalQueueDepth {
            return None;
        }
        self.publish();
        Some(1)
    }
}

impl Recorder for Nested {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.publish();
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.publish();
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.publish();
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.publish();
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        self.publish();
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.publish();
        Histogram::noop()
    }
}

#[test]
fn a_probe_or_recorder_that_publishes_does_not_deadlock() {
    for on_own_thread in [false, true] {
        let nested = Arc::new(Nested {
            on_own_thread,
            ..Nested::default()
        });
        let registry = Builder::new().name("main").build(NoClock);
        let registry = registry.expect("the defaults work");
        let metrics = RuntimeMetrics::with_probe(registry, Arc::clone(&nested));
        let publisher = Arc::new(FacadePublisher::new(metrics));
        nested
            .publisher
            .set(Arc::downgrade(&publisher))
            .expect("it is set once");
        let (done, result) = mpsc::channel();
        std::thread::spawn(move || {
            let recorder = recorder();
            publisher.publish_to(&recorder);
            publisher.publish_to(&*nested);
            let _ = done.send(series(&recorder));
        });
        let found = result.recv_timeout(Duration::from_secs(20)).expect("a deadlock");
        let depth = found.get("async_runtime_global_queue_depth{runtime=\"main\"}");
        assert_eq!(depth, Some(&1.0));
    }
}
