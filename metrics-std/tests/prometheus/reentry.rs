//! A probe that scrapes the exporter that reads it.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use metrics_core::{Builder, NoClock, Probe, RuntimeMetrics, RuntimeNumber};
use metrics_std::prometheus::{Format, RuntimeCollector};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};

/// Scrapes once per queried value, and stores the result.
#[derive(Default)]
struct Scraper {
    exporter: OnceLock<Weak<Registry>>,
    on_own_thread: bool,
    asked: AtomicBool,
    pages: Mutex<Vec<Result<String, fmt::Error>>>,
}

impl Probe for Scraper {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        if number != RuntimeNumber::GlobalQueueDepth {
            return None;
        }
        let registry = self.exporter.get().and_then(Weak::upgrade);
        // The nested scrape queries the probe again.
        let first = !self.asked.swap(true, Ordering::Relaxed);
        if let (Some(registry), true) = (registry, first) {
            let scrape = move || page(&registry);
            let page = if self.on_own_thread {
                std::thread::spawn(scrape).join().unwrap()
            } else {
                scrape()
            };
            *self.pages.lock().unwrap() = vec![page];
        }
        Some(1)
    }
}

fn page(registry: &Registry) -> Result<String, fmt::Error> {
    let mut page = String::new();
    Format::Text.write(&mut page, registry).map(|()| page)
}

/// The page that a scrape gives, and the one that the probe got meanwhile.
fn scrape(on_own_thread: bool) -> (Result<String, fmt::Error>, Vec<Result<String, fmt::Error>>) {
    let probe = Arc::new(Scraper {
        on_own_thread,
        ..Scraper::default()
    });
    let registry = Builder::new().name("nested").build(NoClock).unwrap();
    let metrics = RuntimeMetrics::with_probe(registry, Arc::clone(&probe));
    let mut exporter = Registry::default();
    exporter.register_collector(Box::new(RuntimeCollector::new(metrics)));
    let exporter = Arc::new(exporter);
    probe.exporter.set(Arc::downgrade(&exporter)).unwrap();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(page(&exporter)).unwrap());
    let outer = result.recv_timeout(Duration::from_secs(20)).expect("a deadlock");
    let inner = probe.pages.lock().unwrap().clone();
    (outer, inner)
}

#[test]
fn a_scrape_within_a_scrape_is_an_error_and_no_deadlock() {
    let (outer, inner) = scrape(false);
    assert!(outer.unwrap().contains("global_queue_depth"));
    assert_eq!(inner, [Err(fmt::Error)]);
}

#[test]
fn a_scrape_does_not_wait_for_a_probe_of_another_scrape() {
    let (outer, inner) = scrape(true);
    assert!(outer.unwrap().contains("global_queue_depth"));
    assert!(inner[0].as_ref().unwrap().contains("global_queue_depth"));
}
