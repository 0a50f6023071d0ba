//! The time of a worker in each state, as tests compare it.

use super::{Hand, Shared};
use core::time::Duration;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, Measurements, MetricSet, RuntimeMetrics, Storage, WorkerInterval,
    WorkerNumber,
};

/// Parked, searching, running and polling, in nanoseconds.
pub(crate) type States = [Option<u64>; 4];

pub(crate) const STATES: [WorkerNumber; 4] = [
    WorkerNumber::ParkedDurationTotal,
    WorkerNumber::SearchingDurationTotal,
    WorkerNumber::RunningDurationTotal,
    WorkerNumber::PollingDurationTotal,
];

pub(crate) fn known(states: [u64; 4]) -> States {
    states.map(Some)
}

pub(crate) fn of<S: Storage>(measurements: &Measurements<S>) -> States {
    STATES.map(|number| measurements.counter(number))
}

pub(crate) fn of_interval(interval: &WorkerInterval<HeapStorage>) -> States {
    STATES.map(|number| interval.counter(number))
}

pub(crate) fn getters(metrics: &RuntimeMetrics<Shared>) -> States {
    STATES.map(|number| metrics.worker_counter(0, number).unwrap())
}

/// A registry whose workers submit at the end of each poll.
pub(crate) fn prompt(clock: &Hand) -> Shared {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(HistogramConfig::DEFAULT)
        .submit_interval(Duration::ZERO)
        .build(clock.clone())
        .unwrap()
}
