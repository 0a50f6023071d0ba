//! A clock driven by hand, and a registry on it.
// Not every test that takes this in uses all of it.
#![allow(dead_code)]

use core::cell::Cell;
use core::time::Duration;
use metrics_core::{Builder, Heap, HistogramConfig, PollStart, Registry, TimeSource, Timestamp, Worker};
use std::rc::Rc;
use std::sync::Arc;

/// Nanosecond ticks, moved by the test alone.
#[derive(Clone, Default)]
pub(crate) struct Hand(Rc<Cell<u64>>);

impl Hand {
    pub(crate) fn advance(&self, nanos: u64) {
        self.0.set(self.0.get() + nanos);
    }
}

impl TimeSource for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.0.get())
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

pub(crate) type Shared = Arc<Registry<Heap, Hand>>;

/// Two workers, with both histograms.
pub(crate) fn registry(clock: &Hand) -> Shared {
    Builder::new()
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .build(clock.clone())
        .unwrap()
}

/// A poll that takes so long.
pub(crate) fn poll(worker: &Worker<Shared>, clock: &Hand, nanos: u64) {
    worker.start_poll(PollStart::default());
    clock.advance(nanos);
    worker.end_poll();
}
