//! The real worker over a real registry: a getter during submits, and switches changed in the middle of a poll.

use super::explore;
use crate::histogram::HistogramConfig;
use crate::sync::thread;
use crate::time::{TimeSource, Timestamp};
use crate::{Builder, MetricSet, NoProbe, PollStart, RuntimeMetrics, Sampling, Worker, WorkerNumber};
use alloc::sync::Arc;
use core::time::Duration;

/// A clock that does not move: the models check visibility, not durations.
struct Still;

impl TimeSource for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(1)
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

#[test]
fn a_getter_never_goes_back() {
    explore(2, || {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .submit_interval(Duration::ZERO)
            .build(Still)
            .unwrap();
        let metrics = RuntimeMetrics::with_probe(Arc::clone(&registry), NoProbe);
        let worker = Worker::lease(registry, 0).unwrap();
        let worker = thread::spawn(move || {
            for _ in 0..2 {
                worker.start_poll(PollStart::default());
                worker.end_poll();
                worker.submit();
            }
            worker
        });
        let mut last = 0;
        for _ in 0..2 {
            if let Ok(Some(polls)) = metrics.counter(WorkerNumber::PollCount) {
                assert!((last..=2).contains(&polls));
                last = polls;
            }
        }
        drop(worker.join().unwrap());
        assert_eq!(metrics.counter(WorkerNumber::PollCount).unwrap(), Some(2));
    });
}

#[test]
fn a_switch_in_the_middle_of_a_poll_neither_loses_nor_adds_samples() {
    explore(3, || {
        let config = HistogramConfig::linear(1, 2).unwrap();
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(config)
            .submit_interval(Duration::ZERO)
            .build(Still)
            .unwrap();
        let metrics = RuntimeMetrics::new(Arc::clone(&registry));
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        let switch = thread::spawn(move || {
            registry.switches().set_poll_time(Sampling::Off);
            registry.switches().set_poll_time(Sampling::Every);
        });
        // A submit latches the current switch; a poll keeps the one with which it started.
        let mut measured = 0;
        for _ in 0..3 {
            worker.start_poll(PollStart::default());
            // A measured poll has a start time.
            let since = metrics.live(0).and_then(|live| live.since);
            measured += u64::from(since.is_some());
            worker.submit();
            worker.end_poll();
        }
        switch.join().unwrap();
        drop(worker);
        assert_eq!(metrics.counter(WorkerNumber::PollCount).unwrap(), Some(3));
        let samples = (0..2)
            .filter_map(|bucket| metrics.poll_time_histogram_bucket_count(0, bucket))
            .sum::<u64>();
        assert_eq!(measured, samples);
    });
}
