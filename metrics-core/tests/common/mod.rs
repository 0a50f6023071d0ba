//! A clock that only the test moves, and a registry on it.
// Not every test that includes this file uses all of it.
#![allow(dead_code)]

mod clock;
pub(crate) mod speed;
pub(crate) mod states;

pub(crate) use clock::TestClock;
use metrics_core::{Builder, HeapStorage, HistogramConfig, MetricSet, PollStart, Registry, Worker};
use std::sync::Arc;

pub(crate) type Hand = Arc<TestClock>;
pub(crate) type Shared = Arc<Registry<HeapStorage, Hand>>;

/// Two workers with both histograms.
pub(crate) fn registry(clock: &Hand) -> Shared {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .build(clock.clone())
        .unwrap()
}

/// A poll with this duration.
pub(crate) fn poll(worker: &Worker<Shared>, clock: &Hand, nanos: u64) {
    worker.start_poll(PollStart::default());
    clock.advance(nanos);
    worker.end_poll();
}
