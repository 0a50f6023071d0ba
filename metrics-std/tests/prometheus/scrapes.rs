//! The invariants from one scrape to the next.

use std::collections::BTreeMap;
use std::thread;

use metrics_core::{Builder, HistogramConfig, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker};
use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::{Clock, Runtimes, build_wrapped};
use prometheus_client::registry::Registry;

const SUBMITS: u64 = 100_000;

/// The counters of a page, by their series.
fn counters(registry: &Registry) -> BTreeMap<String, f64> {
    let mut page = String::new();
    Format::Text
        .write(&mut page, registry)
        .expect("a String takes everything");
    let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
    samples
        .filter(|(series, _)| series.contains("_total{"))
        .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
        .collect()
}

#[test]
fn one_collector_exports_whatever_is_in_the_list() {
    let list = Runtimes::new();
    let mut exported = Registry::default();
    let other = Builder::new()
        .measures(MetricSet::ALL)
        .name("other")
        .build(NoClock)
        .expect("no clock is no error");
    let collector = RuntimeCollector::new(&list)
        .with_runtime(RuntimeMetrics::new(other))
        .expect("the list is empty");
    exported.register_collector(Box::new(collector));
    let names = || -> Vec<String> {
        let page = counters(&exported).into_keys();
        let of_spawns = page.filter(|series| series.starts_with("async_runtime_tasks_spawned_total"));
        let names = of_spawns.filter_map(|series| Some(series.split('"').nth(1)?.to_owned()));
        names.collect()
    };
    assert_eq!(names(), ["other"]);

    let list_one = |name| {
        let metrics = build_wrapped(Builder::new().name(name), Clock::instant()).expect("the defaults work");
        list.add(&metrics).expect("the name is free");
        metrics
    };
    let [first, _] = ["first", "second"].map(list_one);
    assert_eq!(names(), ["first", "other", "second"]);
    first.registry().shared().task_spawned();
    assert_eq!(
        counters(&exported)["async_runtime_tasks_spawned_total{runtime=\"first\"}"],
        1.0
    );

    // One of the name that is exported beside the list: its series could not be told apart.
    list_one("other");
    list.remove("second");
    assert_eq!(names(), ["first", "other"]);

    let taken = RuntimeCollector::new(&list).with_runtime(first);
    assert_eq!(taken.expect_err("it is in the list").name, "first");
}

#[test]
fn no_counter_goes_back_while_a_worker_does_nothing_but_submit() {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .name("busy")
        .workers(1)
        .poll_time(HistogramConfig::DEFAULT)
        .build(NoClock)
        .expect("no clock is no error");
    // Its reader only spins, and so often meets a write section at every try.
    let metrics = RuntimeMetrics::new(registry.clone());
    let worker = Worker::lease(registry, 0).expect("a free slot");
    let mut exported = Registry::default();
    exported.register_collector(Box::new(RuntimeCollector::new(metrics)));
    let mut before = counters(&exported);
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            for _ in 0..SUBMITS {
                worker.start_poll(PollStart::default());
                worker.end_poll();
                worker.submit();
            }
        });
        while !worker.is_finished() {
            let now = counters(&exported);
            for (series, earlier) in &before {
                let value = now.get(series);
                assert!(
                    value.is_some_and(|value| value >= earlier),
                    "{series} went from {earlier} to {value:?}"
                );
            }
            before.extend(now);
        }
    });
    let polls = counters(&exported)["async_runtime_worker_polls_total{runtime=\"busy\"}"];
    assert_eq!(polls, SUBMITS as f64);
}
