//! Reads 1,000 workers: merges the two histograms and computes eight quantiles of each.

use crate::harness::{Build, Measured, Named, measured_region, slow_side, timed};
use crate::ours::{LAYOUT, SetClock, Shared, registry};
use crate::values::poll_times;
use metrics_core::{LocationId, PollStart, RuntimeMetrics, SnapshotReader, TimeSource, Worker};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Every side of this build.
pub(crate) const SIDES: &[Named] = &[
    slow_side("snapshot/ours", OURS),
    slow_side("snapshot/ours-of-5000", OURS_OF_5000),
    slow_side("snapshot/ours-of-20000", OURS_OF_20000),
    slow_side("snapshot/ours-unchanged", OURS_UNCHANGED),
    slow_side("snapshot/ours-of-each", OURS_OF_EACH),
    slow_side("snapshot/one-of-1000", ONE_OF_MANY),
    slow_side("snapshot/one-of-1", ONE_OF_ONE),
    slow_side("snapshot/one-of-1-busy", ONE_WITH_TASKS),
    #[cfg(tokio_unstable)]
    slow_side("snapshot/tokio", tokio_peer::SNAPSHOT),
];

/// The number of workers.
const WORKERS: usize = 1000;

/// The quantiles of a dashboard.
const QUANTILES: [f64; 8] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// Builds workers that have polled tasks of various durations, and their reader.
struct Fleet {
    workers: Vec<Worker<Shared<SetClock>>>,
    reader: SnapshotReader<Shared<SetClock>>,
    values: Vec<u64>,
    next: usize,
}

impl Fleet {
    /// `running` of the `configured` workers have threads.
    fn new(configured: usize, running: usize) -> Self {
        let registry = registry(SetClock::default(), configured, LAYOUT);
        let metrics = RuntimeMetrics::new(registry.clone());
        let workers: Vec<_> = (0..running)
            .map(|i| Worker::lease(registry.clone(), i).expect("a free slot"))
            .collect();
        let mut fleet = Self {
            workers,
            reader: metrics.reader(),
            values: poll_times(),
            next: 0,
        };
        for _ in 0..32 {
            fleet.work();
        }
        fleet.read();
        fleet
    }

    fn value(&mut self) -> u64 {
        self.next = (self.next + 1) % self.values.len();
        self.values[self.next]
    }

    /// Every worker polls once, after some wait, and submits.
    fn work(&mut self) {
        for i in 0..self.workers.len() {
            let (wait, time) = (self.value(), self.value());
            let worker = &self.workers[i];
            let clock = worker.registry().clock();
            let scheduled_at = clock.now();
            clock.advance(wait);
            worker.start_poll(PollStart {
                scheduled_at: Some(scheduled_at),
                spawn_location: LocationId::UNKNOWN,
            });
            clock.advance(time);
            worker.end_poll();
            worker.submit();
        }
    }

    fn read(&mut self) {
        let total = self.reader.read().total();
        for reading in [total.poll_time(), total.schedule_latency()] {
            let histogram = reading.expect("a measured histogram").histogram();
            let mut quantiles = [None; QUANTILES.len()];
            histogram.quantiles(&QUANTILES, &mut quantiles);
            black_box(quantiles);
        }
    }

    /// Times only the reads. Calls `between` before each read.
    fn measure(&mut self, ops: u64, between: impl Fn(&mut Self)) -> Measured {
        let mut elapsed = Duration::ZERO;
        for _ in 0..ops {
            between(self);
            let start = Instant::now();
            measured_region(|| self.read());
            elapsed += start.elapsed();
        }
        Measured {
            ops,
            elapsed,
            cpu: None,
            extras: Vec::new(),
        }
    }
}

const OURS: Build = || {
    let mut fleet = Fleet::new(WORKERS, WORKERS);
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

/// Five times the workers: more than the caches hold.
const OURS_OF_5000: Build = || {
    let mut fleet = Fleet::new(5 * WORKERS, 5 * WORKERS);
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

/// Twenty times the workers.
const OURS_OF_20000: Build = || {
    let mut fleet = Fleet::new(20 * WORKERS, 20 * WORKERS);
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

/// Reads an unchanged snapshot, and then the poll count of every worker.
const OURS_OF_EACH: Build = || {
    let mut fleet = Fleet::new(WORKERS, WORKERS);
    Box::new(move |ops: u64| {
        timed(ops, || {
            for _ in 0..ops {
                fleet.read();
                let workers = fleet.reader.snapshot().workers();
                black_box(
                    workers
                        .iter()
                        .filter_map(metrics_std::WorkerSnapshot::poll_count)
                        .sum::<u64>(),
                );
            }
        })
    })
};

const OURS_UNCHANGED: Build = || {
    let mut fleet = Fleet::new(WORKERS, WORKERS);
    Box::new(move |ops: u64| fleet.measure(ops, |_| {}))
};

/// One running worker of a thousand configured workers, and of one: unused workers must not add cost.
const ONE_OF_MANY: Build = || {
    let mut fleet = Fleet::new(WORKERS, 1);
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

const ONE_OF_ONE: Build = || {
    let mut fleet = Fleet::new(1, 1);
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

/// The same worker with a hundred thousand tasks alive.
const ONE_WITH_TASKS: Build = || {
    let mut fleet = Fleet::new(1, 1);
    for _ in 0..100_000 {
        fleet.workers[0].task_spawned();
    }
    Box::new(move |ops: u64| fleet.measure(ops, Fleet::work))
};

#[cfg(tokio_unstable)]
mod tokio_peer {
    use super::{QUANTILES, WORKERS};
    use crate::harness::{Build, Measured, timed};
    use std::hint::black_box;
    use std::sync::OnceLock;
    use std::time::Duration;
    use tokio::runtime::{Builder, HistogramConfiguration, LogHistogram, Runtime, RuntimeMetrics};

    /// A runtime with this many workers is slow to start, and its layout is always Tokio's default, so the process shares one.
    fn runtime() -> &'static Runtime {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| {
            let layout = HistogramConfiguration::log(LogHistogram::default());
            Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .thread_stack_size(64 * 1024)
                .enable_metrics_poll_time_histogram()
                .metrics_poll_time_histogram_configuration(layout.clone())
                .enable_metrics_schedule_latency_histogram()
                .metrics_schedule_latency_histogram_configuration(layout)
                .build()
                .expect("a runtime with many workers")
        })
    }

    pub(super) const SNAPSHOT: Build = || {
        let metrics = runtime().metrics();
        let mut merged = [vec![0; buckets(&metrics)], vec![0; buckets(&metrics)]];
        Box::new(move |ops: u64| -> Measured {
            timed(ops, || {
                for _ in 0..ops {
                    read(black_box(&metrics), &mut merged);
                }
            })
        })
    };

    fn buckets(metrics: &RuntimeMetrics) -> usize {
        metrics.poll_time_histogram_num_buckets()
    }

    /// Calls every per-worker getter whose metric our snapshot also has, and computes the same values from the histograms.
    fn read(metrics: &RuntimeMetrics, merged: &mut [Vec<u64>; 2]) {
        let buckets = buckets(metrics);
        for counts in merged.iter_mut() {
            counts.fill(0);
        }
        let mut counters = [0_u64; 10];
        for worker in 0..metrics.num_workers() {
            let read = [
                metrics.worker_total_busy_duration(worker).as_nanos() as u64,
                metrics.worker_park_count(worker),
                metrics.worker_park_unpark_count(worker),
                metrics.worker_noop_count(worker),
                metrics.worker_steal_count(worker),
                metrics.worker_steal_operations(worker),
                metrics.worker_poll_count(worker),
                metrics.worker_local_schedule_count(worker),
                metrics.worker_overflow_count(worker),
                metrics.worker_mean_poll_time(worker).as_nanos() as u64,
            ];
            for (sum, value) in counters.iter_mut().zip(read) {
                *sum += value;
            }
            for bucket in 0..buckets {
                merged[0][bucket] += metrics.poll_time_histogram_bucket_count(worker, bucket);
                merged[1][bucket] += metrics.schedule_latency_histogram_bucket_count(worker, bucket);
            }
        }
        black_box(counters);
        for counts in merged.iter() {
            for quantile in QUANTILES {
                black_box(bound(metrics, counts, quantile));
            }
        }
    }

    /// The upper bound of the bucket that holds the quantile.
    fn bound(metrics: &RuntimeMetrics, counts: &[u64], quantile: f64) -> Option<Duration> {
        let total: u64 = counts.iter().sum();
        let rank = (quantile * total as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(metrics.poll_time_histogram_bucket_range(bucket).end);
            }
        }
        None
    }
}
