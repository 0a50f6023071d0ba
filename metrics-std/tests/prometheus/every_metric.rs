//! Every metric of the one list is in the reader, in the snapshot and in the exporter.

use crate::fixture::Fixture;
use metrics_core::{METRICS, MetricScope, WorkerNumber};
use metrics_std::prometheus::{Format, RuntimeCollector};
use prometheus_client::registry::Registry;
use serde_json::Value;

#[test]
fn the_reader_has_every_metric() {
    let fixture = Fixture::new("main");
    for metric in METRICS {
        assert_eq!(
            read(&fixture, metric.name),
            Some(true),
            "{} has no number in the reader",
            metric.name
        );
    }
}

/// Whether the reader has a number for the metric; `None` if this test knows no getter of that name.
fn read(fixture: &Fixture, metric: &str) -> Option<bool> {
    let metrics = &fixture.metrics;
    let snapshot = metrics.snapshot();
    if let Some(&counter) = WorkerNumber::ALL.iter().find(|counter| counter.name() == metric) {
        return Some(metrics.counter(counter).is_some() && metrics.worker_counter(0, counter).is_some());
    }
    let live = metrics.live(1);
    Some(match metric {
        "busy_in_progress" => snapshot.worker(1)?.busy_in_progress().is_some(),
        "mean_poll_time" => metrics.worker_mean_poll_time(0).is_some(),
        "poll_time" => metrics.poll_time_histogram_bucket_count(0, 0).is_some(),
        "schedule_latency" => metrics.schedule_latency_histogram_bucket_count(0, 0).is_some(),
        "local_queue_depth" => metrics.worker_local_queue_depth(0).is_some(),
        "thread" => metrics.worker_thread(0).is_some(),
        "state" | "site" => live.is_some(),
        "since" => live?.since.is_some(),
        "num_workers" => metrics.num_workers() > 0,
        "spawned_tasks_count" => metrics.spawned_tasks_count().is_some(),
        "covered_tasks" => metrics.covered_tasks().is_some(),
        "num_alive_tasks" => metrics.num_alive_tasks().is_some(),
        "completed_tasks_count" => metrics.completed_tasks_count().is_some(),
        "cancelled_tasks_count" => metrics.cancelled_tasks_count().is_some(),
        "panicked_tasks_count" => metrics.panicked_tasks_count().is_some(),
        "global_queue_depth" => metrics.global_queue_depth().is_some(),
        "remote_schedule_count" => metrics.remote_schedule_count().is_some(),
        "num_blocking_threads" => metrics.num_blocking_threads().is_some(),
        "num_idle_blocking_threads" => metrics.num_idle_blocking_threads().is_some(),
        "blocking_queue_depth" => metrics.blocking_queue_depth().is_some(),
        "blocking_queue_wait" => snapshot
            .blocking_queue_wait()
            .is_some_and(|wait| wait.count() > 0),
        "io_driver_fd_registered_count" => metrics.io_driver_fd_registered_count().is_some(),
        "io_driver_fd_deregistered_count" => metrics.io_driver_fd_deregistered_count().is_some(),
        "io_driver_ready_count" => metrics.io_driver_ready_count().is_some(),
        "started_at" => snapshot.started_at().is_some(),
        "epoch" => snapshot.epoch() == u64::MAX,
        _ => return None,
    })
}

#[test]
fn the_snapshot_has_every_metric() {
    let fixture = Fixture::new("main");
    let json = serde_json::to_value(fixture.metrics.snapshot()).expect("a snapshot is always JSON");
    for metric in METRICS {
        let places: &[&str] = match metric.scope {
            MetricScope::Worker => &[
                "/workers/1",
                "/workers/0/measurements",
                "/workers/0/measurements/counters",
            ],
            _ => &[""],
        };
        let found = places
            .iter()
            .find_map(|place| json.pointer(place)?.get(metric.name));
        assert!(
            found.is_some_and(|value| *value != Value::Null),
            "{} has no number in\n{json:#}",
            metric.name
        );
    }
}

#[test]
fn the_exporter_has_every_metric() {
    let fixture = Fixture::new("main");
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(fixture.metrics.clone())));
    let mut page = String::new();
    Format::OpenMetrics
        .write(&mut page, &registry)
        .expect("a String takes everything");
    for metric in METRICS {
        // `busy_duration_total` is `busy_seconds_total` outside: the name up to its unit.
        let base = metric.name.trim_end_matches("_duration_total");
        let is_its = |name: &str| {
            let name = name
                .strip_prefix("async_runtime_worker_")
                .or(name.strip_prefix("async_runtime_"));
            name.is_some_and(|name| name == base || name == format!("{base}_seconds"))
        };
        let family = page
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .find(|name| is_its(name));
        let family = family.unwrap_or_else(|| panic!("{} is not in\n{page}", metric.name));
        let samples = page.lines().filter(|line| line.starts_with(family)).count();
        assert!(samples > 0, "{family} has no sample");
    }
}

#[test]
fn the_document_names_what_is_exported() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let document = std::fs::read_to_string(path).expect("docs/METRICS.md is there");
    let fixture = Fixture::new("main");
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(fixture.metrics.clone())));
    let mut page = String::new();
    Format::Text
        .write(&mut page, &registry)
        .expect("a String takes everything");
    let is_name = |word: &&str| word.starts_with("async_runtime_") && !word.ends_with('_');
    let named: Vec<&str> = document.split('`').filter(is_name).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        let sample = format!("\n{name}{{");
        assert!(page.contains(&sample), "{name} is not in\n{page}");
    }
}
