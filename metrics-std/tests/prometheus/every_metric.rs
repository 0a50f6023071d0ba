//! Every metric of the one list is in the reader, in the snapshot and in the exporter.

use crate::fixture::Fixture;
use metrics_core::{
    EVENT_LOOP_METRICS, GROUP_METRICS, HistogramName, InfoMetric, LOCATION_METRICS, METRICS, MetricKind,
    MetricScope, MetricSource, WorkerNumber, WorkerState,
};
use metrics_std::prometheus::{Format, RuntimeCollector};
use prometheus_client::registry::Registry;
use serde_json::Value;

#[test]
fn the_reader_has_every_metric() {
    let fixture = Fixture::new("main");
    for metric in METRICS {
        assert!(
            has_value(&fixture, metric.source),
            "{} has no value in the reader",
            metric.name
        );
    }
}

fn has_value(fixture: &Fixture, source: MetricSource) -> bool {
    let metrics = &fixture.metrics;
    let snapshot = metrics.snapshot();
    let worker = snapshot.worker(1).expect("the fixture has two workers");
    match source {
        MetricSource::Worker(number) => {
            metrics.counter(number).unwrap().is_some() && metrics.worker_counter(0, number).unwrap().is_some()
        }
        MetricSource::Runtime(number) => metrics.runtime_number(number).is_some(),
        MetricSource::Histogram(HistogramName::PollTime) => {
            metrics.poll_time_histogram_bucket_count(0, 0).is_some()
        }
        MetricSource::Histogram(HistogramName::ScheduleLatency) => {
            metrics.schedule_latency_histogram_bucket_count(0, 0).is_some()
        }
        MetricSource::Histogram(HistogramName::BlockingQueueWait) => snapshot
            .blocking_queue_wait()
            .is_some_and(|wait| wait.count() > 0),
        MetricSource::Histogram(HistogramName::PollStallDuration) => snapshot
            .poll_stall_duration()
            .is_some_and(|durations| durations.count() > 0),
        MetricSource::Histogram(HistogramName::NoProgressStallDuration) => snapshot
            .no_progress_stall_duration()
            .is_some_and(|durations| durations.count() > 0),
        MetricSource::Histogram(HistogramName::QueueStallDuration) => snapshot
            .queue_stall_duration()
            .is_some_and(|durations| durations.count() > 0),
        MetricSource::Histogram(HistogramName::LoopLag) => {
            snapshot.loop_lag().is_some_and(|lag| lag.count() > 0)
        }
        MetricSource::Histogram(HistogramName::WakeLatency) => {
            snapshot.wake_latency().is_some_and(|latency| latency.count() > 0)
        }
        MetricSource::Fact(fact) => match fact {
            InfoMetric::State => worker.state() == Some(WorkerState::Polling),
            InfoMetric::Since => worker.state_for().is_some(),
            InfoMetric::LocationId => !worker.spawn_location_name().is_empty(),
            InfoMetric::Thread => metrics.worker_thread(0).is_some(),
            InfoMetric::MeanPollTime => metrics.worker_mean_poll_time(0).unwrap().is_some(),
            InfoMetric::NumWorkers => metrics.num_workers() == Some(2),
            InfoMetric::StartedAt => snapshot.started_at().is_some(),
            InfoMetric::Epoch => snapshot.epoch() == u64::MAX,
            _ => false,
        },
        _ => false,
    }
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
                "/workers/0/measurements/numbers",
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

fn page(fixture: &Fixture, each_worker: bool) -> String {
    let collector = RuntimeCollector::new(fixture.metrics.clone()).each_worker(each_worker);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));
    let mut page = String::new();
    Format::Text
        .write(&mut page, &registry)
        .expect("a String takes everything");
    page
}

/// The metrics that a page has, by the names of their `# TYPE` lines.
fn families(page: &str) -> Vec<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect()
}

#[test]
fn the_exporter_has_every_metric_of_each_worker_under_its_exported_name() {
    let fixture = Fixture::new("main");
    let mut expected = Vec::new();
    for metric in METRICS {
        let Some(name) = metric.exported else { continue };
        expected.push(name.to_owned());
        if metric.kind == MetricKind::Histogram {
            expected.push(name.replace("_seconds", "_max_seconds"));
        }
    }
    let page = page(&fixture, true);
    assert_eq!(families(&page), expected);
    for name in expected {
        let is_sample = |line: &str| line.starts_with(&name) && line.contains('{');
        assert!(page.lines().any(is_sample), "{name} has no sample");
    }
}

#[test]
fn the_exporter_sums_over_the_workers_by_default() {
    let fixture = Fixture::new("main");
    let page = page(&fixture, false);
    assert!(!page.contains("worker=\""), "{page}");
    let polls = fixture.counter(WorkerNumber::PollCount);
    let series = format!("\nasync_runtime_worker_polls_total{{runtime=\"main\"}} {polls}\n");
    assert!(page.contains(&series), "{page}");
}

/// A new name is a new series: whoever changes one of these changes every dashboard and alert.
#[test]
fn the_exported_names_are_these() {
    let names: Vec<&str> = METRICS.iter().filter_map(|metric| metric.exported).collect();
    assert_eq!(
        names,
        [
            "async_runtime_worker_busy_seconds_total",
            "async_runtime_worker_parks_total",
            "async_runtime_worker_noop_parks_total",
            "async_runtime_worker_polls_total",
            "async_runtime_worker_stolen_tasks_total",
            "async_runtime_worker_steal_operations_total",
            "async_runtime_worker_local_schedules_total",
            "async_runtime_worker_overflows_total",
            "async_runtime_worker_overflow_tasks_total",
            "async_runtime_worker_budget_forced_yields_total",
            "async_runtime_worker_root_polls_total",
            "async_runtime_worker_nested_polls_total",
            "async_runtime_worker_parked_seconds_total",
            "async_runtime_worker_searching_seconds_total",
            "async_runtime_worker_polling_seconds_total",
            "async_runtime_worker_running_seconds_total",
            "async_runtime_worker_on_cpu_seconds_total",
            "async_runtime_worker_runnable_wait_seconds_total",
            "async_runtime_worker_local_queue_depth",
            "async_runtime_poll_duration_seconds",
            "async_runtime_schedule_latency_seconds",
            "async_runtime_worker_state",
            "async_runtime_worker_state_age_seconds",
            "async_runtime_worker_spawn_location",
            "async_runtime_worker_mean_poll_duration_seconds",
            "async_runtime_tasks_spawned_total",
            "async_runtime_covered_tasks",
            "async_runtime_alive_tasks",
            "async_runtime_tasks_completed_total",
            "async_runtime_tasks_cancelled_total",
            "async_runtime_tasks_panicked_total",
            "async_runtime_global_queue_depth",
            "async_runtime_remote_schedules_total",
            "async_runtime_parked_workers",
            "async_runtime_blocking_threads",
            "async_runtime_idle_blocking_threads",
            "async_runtime_blocking_queue_depth",
            "async_runtime_io_driver_registrations_total",
            "async_runtime_io_driver_deregistrations_total",
            "async_runtime_io_driver_ready_events_total",
            "async_runtime_poll_stalls_total",
            "async_runtime_no_progress_stalls_total",
            "async_runtime_queue_stalls_total",
            "async_runtime_overload",
            "async_runtime_cpu_throttled_seconds_total",
            "async_runtime_cpu_throttled_periods_total",
            "async_runtime_blocking_queue_wait_seconds",
            "async_runtime_poll_stall_duration_seconds",
            "async_runtime_no_progress_stall_duration_seconds",
            "async_runtime_queue_stall_duration_seconds",
            "async_runtime_loop_lag_seconds",
            "async_runtime_wake_latency_seconds",
            "async_runtime_workers",
            "async_runtime_start_time_seconds",
        ]
    );
}

#[test]
fn the_document_names_what_is_exported() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let document = std::fs::read_to_string(path).expect("docs/METRICS.md is there");
    let exported = METRICS.iter().chain(LOCATION_METRICS).chain(GROUP_METRICS);
    let exported = exported.chain(EVENT_LOOP_METRICS);
    let exported: Vec<&str> = exported.filter_map(|metric| metric.exported).collect();
    let is_name = |word: &&str| word.starts_with("async_runtime_") && !word.ends_with('_');
    let named: Vec<&str> = document.split('`').filter(is_name).collect();
    for name in &exported {
        assert!(named.contains(name), "{name} is not in the document");
    }
}

/// The table of exporters is made from rules. This compares it with the walk.
#[test]
fn the_table_of_exporters_says_which_metrics_have_a_value_per_runtime() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/EXPORTERS.md");
    let document = std::fs::read_to_string(path).expect("docs/EXPORTERS.md is there");
    let snapshot = Fixture::new("main").metrics.snapshot();
    for metric in METRICS {
        let mut has_value_of_runtime = false;
        snapshot.visit(|sample| has_value_of_runtime |= sample.metric == metric && sample.worker.is_none());
        let expected = match (metric.exported, metric.scope) {
            (None, _) => "no | lost | lost | lost |",
            (_, MetricScope::Worker) if has_value_of_runtime => "sum | ",
            (_, MetricScope::Worker) => "no | ",
            _ => "yes | ",
        };
        let row = format!("| `{}` | {expected}", metric.name);
        assert!(document.contains(&row), "{row:?} is not in the table");
    }
}
