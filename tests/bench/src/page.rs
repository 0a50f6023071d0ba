//! Writes the Prometheus page of a runtime with 64 workers.

use crate::harness::{Build, Measured, Named, Side, slow_side, timed};
use crate::ours::{LAYOUT, SetClock, registry};
use metrics_core::{PollStart, RuntimeMetrics, Worker};
use metrics_std::prometheus::{Format, RuntimeCollector};
use prometheus_client::registry::Registry;
use std::hint::black_box;

/// Both sides.
pub(crate) const SIDES: &[Named] = &[
    slow_side("page/runtime", RUNTIME),
    slow_side("page/each-worker", EACH_WORKER),
];

const WORKERS: usize = 64;

fn page(each_worker: bool) -> Box<dyn Side> {
    let registry = registry(SetClock::default(), WORKERS, LAYOUT);
    let lease = |index| Worker::lease(registry.clone(), index).expect("a free slot");
    let workers: Vec<_> = (0..WORKERS).map(lease).collect();
    let collector = RuntimeCollector::new(RuntimeMetrics::new(registry)).each_worker(each_worker);
    let mut exported = Registry::default();
    exported.register_collector(Box::new(collector));
    let mut page = String::new();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for _ in 0..ops {
                // Every worker has changed since the last page.
                for worker in &workers {
                    worker.start_poll(PollStart::default());
                    worker.registry().clock().advance(1_000);
                    worker.end_poll();
                    worker.submit();
                }
                page.clear();
                Format::Text.write(&mut page, &exported).expect("a page");
                black_box(&page);
            }
        })
    })
}

const RUNTIME: Build = || page(false);
const EACH_WORKER: Build = || page(true);
