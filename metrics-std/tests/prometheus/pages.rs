//! Both pages, by the parsers of others and by what the runtime really did.

use crate::fixture::Fixture;

use core::time::Duration;
use metrics_core::WorkerNumber;
use metrics_std::export::Edges;
use metrics_std::prometheus::{Format, RuntimeCollector};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Two runtimes with samples over the whole range of their histograms, and a registry that exports both.
struct Exported {
    registry: Registry,
    /// Their workers still run.
    _runtimes: [Fixture; 2],
}

impl Exported {
    fn new(options: impl FnOnce(RuntimeCollector) -> RuntimeCollector) -> Self {
        let runtimes = [Fixture::new("main"), Fixture::new(SECOND)];
        for runtime in &runtimes {
            runtime.poll((0..40).map(|power| Duration::from_nanos(1 << power)));
        }
        let [main, second] = &runtimes;
        let collector = RuntimeCollector::new(main.metrics.clone())
            .with_runtime(second.metrics.clone())
            .expect("the names differ");
        let mut registry = Registry::default();
        registry.register_collector(Box::new(options(collector)));
        Self {
            registry,
            _runtimes: runtimes,
        }
    }

    /// With the defaults, and with every option.
    fn both() -> [Self; 2] {
        let most = |collector: RuntimeCollector| collector.each_worker(true).edges(Edges::recorded());
        [Self::new(|collector| collector), Self::new(most)]
    }
}

/// A name in which everything needs escaping.
const SECOND: &str = "a \"second\" \\ one\n";

/// A registry that exports this runtime alone.
fn alone(fixture: &Fixture) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(fixture.metrics.clone())));
    registry
}

fn page(format: Format, registry: &Registry) -> String {
    let mut page = String::new();
    format
        .write(&mut page, registry)
        .expect("a String takes everything");
    page
}

#[test]
fn promtool_has_no_complaint() {
    let Some(promtool) = outside::program("promtool") else {
        return;
    };
    for Exported { registry, .. } in &Exported::both() {
        let mut child = Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool does not start");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin
            .write_all(page(Format::Text, registry).as_bytes())
            .expect("promtool does not read");
        drop(stdin);
        let said = outside::silent_success(child.wait_with_output().expect("promtool does not end"));
        assert_eq!(said, "");
    }
}

#[test]
fn the_reference_client_reads_the_same_from_both_pages() {
    let Some(mut python) = outside::python("prometheus_client") else {
        return;
    };
    let folder = tempfile::tempdir().expect("no temporary folder");
    let (open_metrics, text) = (folder.path().join("openmetrics"), folder.path().join("text"));
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prometheus/oracle.py");
    python.arg(oracle).args([&open_metrics, &text]);
    for Exported { registry, .. } in &Exported::both() {
        fs::write(&open_metrics, page(Format::OpenMetrics, registry)).expect("can't write");
        fs::write(&text, page(Format::Text, registry)).expect("can't write");
        let found = outside::silent_success(python.output().expect("Python does not start"));
        let families: Vec<Value> = serde_json::from_str(&found).expect("not JSON");
        // Labels that had to be escaped come out as they went in.
        let locations = families
            .iter()
            .filter(|family| family["name"] == "async_runtime_worker_spawn_location");
        for location in locations
            .filter_map(|family| family["samples"].as_array())
            .flatten()
        {
            assert_eq!(location["labels"]["location"], "src\\a \"task\".rs:8");
        }
        let runtimes: Vec<_> = families
            .iter()
            .filter(|family| family["name"] == "async_runtime_workers")
            .collect();
        assert_eq!(runtimes[0]["samples"][1]["labels"]["runtime"], SECOND);
    }
}

#[test]
fn only_open_metrics_has_units_and_an_end() {
    let Exported { registry, .. } = &Exported::new(|collector| collector);
    let (open_metrics, text) = (page(Format::OpenMetrics, registry), page(Format::Text, registry));
    assert!(open_metrics.ends_with("\n# EOF\n"));
    assert!(open_metrics.contains("# UNIT async_runtime_poll_duration_seconds seconds\n"));
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
}

#[test]
fn a_histogram_has_round_edges_and_every_sample() {
    let fixture = Fixture::new("main");
    fixture.poll((0..1000).map(|n| Duration::from_micros(n * n)));
    let registry = alone(&fixture);
    let page = page(Format::Text, &registry);

    let buckets = lines(&page, BUCKETS);
    let edges: Vec<&str> = buckets.iter().map(|line| edge(line)).collect();
    assert_eq!(edges.len(), 23);
    assert_eq!(edges[..3], ["1e-06", "2.5e-06", "5e-06"]);
    assert_eq!(edges[18..], ["1", "2.5", "5", "10", "+Inf"]);
    let polls = fixture.counter(WorkerNumber::PollCount);
    assert_eq!(value(buckets.last().expect("not empty")), polls as f64);
    assert_eq!(
        value(lines(&page, "async_runtime_poll_duration_seconds_count{")[0]),
        polls as f64
    );
    // 5 us of the fixture itself, and the sum of the squares.
    let micros = 5 + 999 * 1000 * 1999 / 6;
    assert_eq!(
        value(lines(&page, "async_runtime_poll_duration_seconds_sum{")[0]),
        f64::from(micros) / 1e6
    );
    assert_eq!(
        value(lines(&page, "async_runtime_poll_duration_max_seconds{")[0]),
        0.998_001
    );
}

#[test]
fn the_edges_of_buckets_do_not_depend_on_the_samples() {
    let edges = |polls: u64| {
        let fixture = Fixture::new("main");
        fixture.poll((0..polls).map(|n| Duration::from_micros(n * n)));
        let registry = alone(&fixture);
        let page = page(Format::Text, &registry);
        let buckets = lines(&page, BUCKETS);
        buckets
            .iter()
            .map(|line| edge(line).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(edges(0), edges(5000));
}

/// The counts of the poll times, by edge, as they are in the page.
fn by_edge(collector: RuntimeCollector) -> Vec<(String, f64)> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));
    let page = page(Format::Text, &registry);
    let buckets = lines(&page, BUCKETS).into_iter();
    buckets.map(|line| (edge(line).to_owned(), value(line))).collect()
}

#[test]
fn an_edge_is_inclusive_and_a_sample_never_counts_below_its_value() {
    let grown = |edges: fn() -> Edges, nanos: u64| {
        let fixture = Fixture::new("main");
        let counts = || by_edge(RuntimeCollector::new(fixture.metrics.clone()).edges(edges()));
        let before = counts();
        fixture.poll([Duration::from_nanos(nanos)]);
        let first = counts()
            .into_iter()
            .zip(before)
            .find(|(after, before)| after.1 > before.1);
        first.expect("the last bucket takes everything").0.0
    };
    let list = || Edges::list([50, 60].map(Duration::from_millis)).expect("it ascends");
    // A bucket of the default layout ends at 50.33 ms, so a poll of 50 ms may have lasted longer.
    assert_eq!(grown(list, 41_900_000), "0.05");
    assert_eq!(grown(list, 50_000_000), "0.06");
    assert_eq!(grown(list, 70_000_000), "+Inf");
    // A recorded bucket ends at 67,108,863 ns.
    assert_eq!(grown(Edges::recorded, 67_108_863), "0.067108863");
    assert_eq!(grown(Edges::recorded, 67_108_864), "0.083886079");
}

#[test]
fn a_runtime_has_few_series_however_many_workers_it_has() {
    let registry = metrics_core::Builder::new()
        .name("large")
        .workers(64)
        .measures(metrics_core::MetricSet::ALL)
        .poll_time(metrics_core::HistogramConfig::DEFAULT)
        .schedule_latency(metrics_core::HistogramConfig::DEFAULT)
        .blocking_queue_wait(metrics_core::HistogramConfig::DEFAULT)
        .started_at(1)
        .build(metrics_std::Clock::instant());
    let registry = registry.expect("the defaults work");
    let workers: Vec<_> = (0..64)
        .map(|index| {
            let worker =
                metrics_core::Worker::lease(registry.clone(), index).expect("a slot for every worker");
            worker.start_poll(metrics_core::PollStart::default());
            worker.end_poll();
            worker.submit();
            worker
        })
        .collect();
    let mut exported = Registry::default();
    let metrics = metrics_core::RuntimeMetrics::with_probe(registry, crate::fixture::Answers);
    exported.register_collector(Box::new(RuntimeCollector::new(metrics)));
    let page = page(Format::Text, &exported);
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    assert!((100..150).contains(&series), "{series} series:\n{page}");
    drop(workers);
}

#[test]
fn scrapers_do_not_disturb_each_other() {
    let fixture = Fixture::new("main");
    let registry = alone(&fixture);
    let first = page(Format::Text, &registry);
    assert_eq!(first, page(Format::Text, &registry));
    std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| page(Format::Text, &registry)))
            .collect();
        for scraper in scrapers {
            assert_eq!(scraper.join().expect("a scraper panicked"), first);
        }
    });
}

#[test]
fn two_runtimes_of_one_name_are_refused() {
    let (one, same) = (Fixture::new("main"), Fixture::new("main"));
    let error = RuntimeCollector::new(one.metrics.clone())
        .with_runtime(same.metrics.clone())
        .map(|_| ());
    let error = error.expect_err("the names are the same").to_string();
    assert_eq!(
        error,
        "a runtime named \"main\" is already exported: give each registry its own name"
    );
}

#[test]
fn what_is_not_measured_is_left_out() {
    let registry = metrics_core::Builder::new()
        .name("bare")
        .workers(1)
        .measures(metrics_core::MetricSet::NONE)
        .build(metrics_core::NoClock);
    let metrics = metrics_core::RuntimeMetrics::new(registry.expect("no clock is no error"));
    let mut exported = Registry::default();
    exported.register_collector(Box::new(RuntimeCollector::new(metrics)));
    let page = page(Format::Text, &exported);
    assert!(page.contains("async_runtime_workers{runtime=\"bare\"} 1\n"));
    for absent in [
        "busy",
        "poll_duration",
        "schedule_latency",
        "queue_depth",
        "blocking",
        "start_time",
        "io_driver",
        "tasks",
    ] {
        assert!(!page.contains(absent), "{absent} in\n{page}");
    }
}

const BUCKETS: &str = "async_runtime_poll_duration_seconds_bucket{";

fn lines<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(start)).collect()
}

/// The edge of a bucket's line.
#[track_caller]
fn edge(line: &str) -> &str {
    let (_, rest) = line.split_once("le=\"").expect("a bucket has an edge");
    rest.split('"').next().expect("split returns at least one part")
}

#[track_caller]
fn value(line: &str) -> f64 {
    line.rsplit(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no value in {line:?}"))
}
