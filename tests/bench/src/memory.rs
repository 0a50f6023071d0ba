//! The memory of a worker with both histograms: only what exists once per worker.

use crate::harness::{Build, Measured, Named, slow_side, timed};
use crate::ours::{LAYOUT, SetClock, registry};
use metrics_core::Worker;

/// Every side of this build.
pub(crate) const SIDES: &[Named] = &[
    slow_side("memory/ours", OURS),
    #[cfg(tokio_unstable)]
    slow_side("memory/tokio", tokio_peer::MEMORY),
];

/// The allocations of ten workers, including the workers themselves, minus those of two.
const OURS: Build = || {
    Box::new(|ops: u64| -> Measured {
        let smaller = allocated(2);
        let larger = allocated(10);
        let bytes = (larger - smaller) as f64 / 8.0;
        Measured {
            extras: vec![("bytes", bytes)],
            ..timed(ops, || {})
        }
    })
};

/// Returns the result of `make`, and the bytes by which this thread's allocations have grown.
fn bytes_of<T>(make: impl FnOnce() -> T) -> (T, i64) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(make()));
    (result.expect("measured once"), info.bytes_current)
}

fn allocated(workers: usize) -> i64 {
    let (workers, bytes) = bytes_of(|| {
        let registry = registry(SetClock::default(), workers, LAYOUT);
        let lease = |i| Worker::lease(registry.clone(), i).expect("a free slot");
        (0..workers).map(lease).collect::<Box<[_]>>()
    });
    drop(workers);
    bytes
}

#[cfg(tokio_unstable)]
mod tokio_peer {
    use super::{Build, Measured, bytes_of, timed};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, AtomicUsize};
    use std::thread::ThreadId;
    use std::time::Instant;
    use tokio::runtime::{Builder, HistogramConfiguration, LogHistogram};

    /// The buckets are measured as the difference between runtimes with and without histograms. The batch and
    /// the slot around them can't be distinguished from the rest of a worker, so their declarations are repeated.
    pub(super) const MEMORY: Build = || {
        Box::new(|ops: u64| -> Measured {
            let per_worker = |histograms| {
                let few = allocated(histograms, 2);
                let many = allocated(histograms, 10);
                (many - few) as f64 / 8.0
            };
            let buckets = per_worker(true) - per_worker(false);
            let bytes = buckets + (size_of::<MetricsBatch>() + size_of::<WorkerMetrics>()) as f64;
            Measured {
                extras: vec![("bytes", bytes), ("buckets", buckets)],
                ..timed(ops, || {})
            }
        })
    };

    fn allocated(histograms: bool, workers: usize) -> i64 {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
        if histograms {
            let layout = HistogramConfiguration::log(LogHistogram::default());
            builder
                .enable_metrics_poll_time_histogram()
                .metrics_poll_time_histogram_configuration(layout.clone())
                .enable_metrics_schedule_latency_histogram()
                .metrics_schedule_latency_histogram_configuration(layout);
        }
        let (runtime, bytes) = bytes_of(|| builder.build().expect("a runtime"));
        drop(runtime);
        bytes
    }

    /// As in Tokio 1.54, `runtime/metrics/histogram.rs`.
    #[allow(dead_code, reason = "only its size is wanted")]
    struct Histogram {
        buckets: Box<[u64]>,
        layout: HistogramConfiguration,
    }

    /// As in Tokio 1.54, `runtime/metrics/batch.rs`.
    #[allow(dead_code, reason = "only its size is wanted")]
    struct MetricsBatch {
        counters: [u64; 10],
        processing_scheduled_tasks_started_at: Option<Instant>,
        poll_timer: Option<(Histogram, Instant)>,
        schedule_latencies: Option<Histogram>,
    }

    /// As in Tokio 1.54, `runtime/metrics/worker.rs`.
    #[allow(dead_code, reason = "only its size is wanted")]
    #[repr(align(128))]
    struct WorkerMetrics {
        counters: [AtomicU64; 10],
        queue_depth: AtomicUsize,
        thread_id: Mutex<Option<ThreadId>>,
        poll_count_histogram: Option<Histogram>,
        schedule_latency_histogram: Option<Histogram>,
    }
}
