//! Threads that come and go leave no series behind.

use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, build_wrapped};
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};

/// The names and labels of a page.
fn series(registry: &Registry) -> BTreeSet<String> {
    let mut page = String::new();
    Format::Text.write(&mut page, registry).unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').expect("a value").0.to_owned())
        .collect()
}

#[test]
fn threads_that_come_and_go_make_no_new_series() {
    let builder = Builder::new().name("churn").poll_time(HistogramConfig::DEFAULT);
    let metrics = build_wrapped(builder, Clock::instant()).unwrap();
    let mut exporter = Registry::default();
    exporter.register_collector(Box::new(RuntimeCollector::new(metrics.clone()).each_worker(true)));

    // Three threads at a time, scraped while each of them has a row.
    let mut seen = BTreeSet::new();
    let mut of_first = 0;
    for round in 0..40 {
        let (polled, scraped) = (Arc::new(Barrier::new(4)), Arc::new(Barrier::new(4)));
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let (metrics, polled, scraped) = (metrics.clone(), Arc::clone(&polled), Arc::clone(&scraped));
                let thread = std::thread::Builder::new().name(format!("churn-{round}-{n}"));
                let run = move || {
                    futures::executor::block_on(Measured::task(&metrics, async {}));
                    polled.wait();
                    scraped.wait();
                };
                thread.spawn(run).unwrap()
            })
            .collect();
        polled.wait();
        seen.extend(series(&exporter));
        scraped.wait();
        for thread in threads {
            thread.join().unwrap();
        }
        seen.extend(series(&exporter));
        if round == 0 {
            of_first = seen.len();
        }
    }
    assert_eq!(seen.len(), of_first, "120 threads, three at a time");
}
