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
pub(crate) struct Hand(Rc<State>);

#[derive(Default)]
struct State {
    ticks: Cell<u64>,
    readings: Cell<u64>,
}

impl Hand {
    pub(crate) fn advance(&self, nanos: u64) {
        self.0.ticks.set(self.0.ticks.get() + nanos);
    }

    /// Sets the clock back.
    pub(crate) fn step_back(&self, nanos: u64) {
        self.0.ticks.set(self.0.ticks.get() - nanos);
    }

    /// How often the clock was read.
    pub(crate) fn readings(&self) -> u64 {
        self.0.readings.get()
    }
}

impl TimeSource for Hand {
    fn now(&self) -> Timestamp {
        self.0.readings.set(self.0.readings.get() + 1);
        Timestamp::from_ticks(self.0.ticks.get())
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
