//! The rows of a page: one for each worker that a thread has run, and one for external threads.

use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::{Builder, Clock, HistogramConfig, MetricSet, PollStart, Worker, build_wrapped};
use prometheus_client::registry::Registry;
use std::sync::Arc;

fn poll(worker: &Worker) {
    worker.start_poll(PollStart::default());
    worker.end_poll();
    worker.submit();
}

/// A page with the rows of each worker.
fn page(metrics: &metrics_std::RuntimeMetrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(metrics.clone()).each_worker(true)));
    let mut page = String::new();
    Format::Text.write(&mut page, &registry).unwrap();
    page
}

#[test]
fn external_threads_have_a_row() {
    let metrics = build_wrapped(Builder::new().name("main"), Clock::instant()).unwrap();
    let worker = Worker::lease(Arc::clone(metrics.registry()), 0).unwrap();
    let external = Worker::lease_external(Arc::clone(metrics.registry())).unwrap();
    poll(&worker);
    poll(&external);
    poll(&external);
    let page = page(&metrics);
    for (worker, polls) in [("0", 1), ("external", 2)] {
        let series =
            format!("\nasync_runtime_worker_polls_total{{runtime=\"main\",worker=\"{worker}\"}} {polls}\n");
        assert!(page.contains(&series), "{page}");
    }
}

#[test]
fn a_sparse_index_has_one_row() {
    let builder = Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .measures(MetricSet::ALL);
    let built = metrics_std::build(builder, Clock::instant(), metrics_std::NoProbe).unwrap();
    poll(&built.workers[0]);
    let dense = page(&built.metrics);
    let far = Worker::lease(Arc::clone(built.metrics.registry()), 100_000).unwrap();
    poll(&far);
    let sparse = page(&built.metrics);
    assert!(sparse.contains("worker=\"100000\"") && !sparse.contains("worker=\"99999\""));
    assert!(sparse.lines().count() < 2 * dense.lines().count());
}
