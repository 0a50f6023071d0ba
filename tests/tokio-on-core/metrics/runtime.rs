//! The public getters.

use super::Registry;
use crate::runtime::Handle;
use metrics_core::histogram::BucketRange;
use metrics_core::{MetricSet, Probe, RuntimeNumber, SlotBusy, WorkerNumber};
use std::ops::Range;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct RuntimeMetrics {
    inner: metrics_core::RuntimeMetrics<Registry, RuntimeProbe>,
}

/// Reports the numbers that the runtime has without hooks. As in Tokio, a reader keeps the runtime's handle.
#[derive(Clone, Debug)]
struct RuntimeProbe(Handle);

impl Probe for RuntimeProbe {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        let runtime = &self.0.inner;
        let value = match number {
            RuntimeNumber::NumAliveTasks => runtime.num_alive_tasks(),
            RuntimeNumber::SpawnedTasksCount => return Some(runtime.spawned_tasks_count()),
            RuntimeNumber::GlobalQueueDepth => runtime.injection_queue_depth(),
            RuntimeNumber::BlockingQueueDepth => runtime.blocking_queue_depth(),
            RuntimeNumber::NumBlockingThreads => runtime.num_blocking_threads(),
            RuntimeNumber::NumIdleBlockingThreads => runtime.num_idle_blocking_threads(),
            _ => return None,
        };
        Some(value as u64)
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        (number == WorkerNumber::LocalQueueDepth)
            .then(|| self.0.inner.worker_local_queue_depth(worker) as u64)
    }
}

impl RuntimeMetrics {
    pub(crate) fn new(handle: Handle) -> Self {
        let registry = Arc::clone(handle.inner.worker_metrics(0).registry());
        Self {
            inner: metrics_core::RuntimeMetrics::with_probe(registry, RuntimeProbe(handle)),
        }
    }

    pub fn num_workers(&self) -> usize {
        self.inner.probe().0.inner.num_workers()
    }

    pub fn worker_thread_id(&self, worker: usize) -> Option<ThreadId> {
        self.inner.probe().0.inner.worker_metrics(worker).thread_id()
    }

    pub fn worker_local_queue_depth(&self, worker: usize) -> usize {
        self.of_worker(worker, self.inner.worker_local_queue_depth(worker)) as usize
    }

    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.of_worker(worker, self.inner.worker_total_busy_duration(worker))
    }

    /// Returns zero before the first poll, where Tokio returns the value that it hopes for.
    #[track_caller]
    pub fn worker_mean_poll_time(&self, worker: usize) -> Duration {
        self.of_worker(worker, self.inner.worker_mean_poll_time(worker))
    }

    pub fn budget_forced_yield_count(&self) -> u64 {
        count(self.inner.budget_forced_yield_count())
    }

    /// Returns the value of a worker. Panics if there is no such worker, as Tokio does.
    #[track_caller]
    fn of_worker<V: Default>(&self, worker: usize, value: Result<Option<V>, SlotBusy>) -> V {
        assert!(worker < self.num_workers(), "there is no worker {worker}");
        count(value)
    }
}

/// Tokio's getters return zero for a number that is not measured.
fn count<V: Default>(value: Result<Option<V>, SlotBusy>) -> V {
    // A slot is busy only without 64-bit atomics, where Tokio has no such getters.
    value.ok().flatten().unwrap_or_default()
}

fn duration_range(range: Option<BucketRange>) -> Range<Duration> {
    range.map_or_else(Range::default, |range| {
        Duration::from_nanos(range.start)..Duration::from_nanos(range.end.unwrap_or(u64::MAX))
    })
}

macro_rules! worker_counters {
    ($($name:ident)*) => {
        impl RuntimeMetrics {
            $(
                pub fn $name(&self, worker: usize) -> u64 {
                    self.of_worker(worker, self.inner.$name(worker))
                }
            )*
        }
    };
}

worker_counters! {
    worker_park_count worker_park_unpark_count worker_noop_count worker_steal_count worker_steal_operations
    worker_poll_count worker_local_schedule_count worker_overflow_count
}

macro_rules! runtime_numbers {
    ($($name:ident: $kind:ty,)*) => {
        impl RuntimeMetrics {
            $(
                pub fn $name(&self) -> $kind {
                    self.inner.$name().unwrap_or_default() as $kind
                }
            )*
        }
    };
}

runtime_numbers! {
    num_alive_tasks: usize,
    global_queue_depth: usize,
    num_blocking_threads: usize,
    num_idle_blocking_threads: usize,
    blocking_queue_depth: usize,
    spawned_tasks_count: u64,
    remote_schedule_count: u64,
    io_driver_fd_registered_count: u64,
    io_driver_fd_deregistered_count: u64,
    io_driver_ready_count: u64,
}

macro_rules! histogram {
    ($enabled:ident, $num_buckets:ident, $bucket_range:ident, $bucket_count:ident) => {
        impl RuntimeMetrics {
            pub fn $enabled(&self) -> bool {
                self.inner.$enabled()
            }

            pub fn $num_buckets(&self) -> usize {
                self.inner.$num_buckets().unwrap_or_default()
            }

            pub fn $bucket_range(&self, bucket: usize) -> Range<Duration> {
                duration_range(self.inner.$bucket_range(bucket))
            }

            #[track_caller]
            pub fn $bucket_count(&self, worker: usize, bucket: usize) -> u64 {
                self.of_worker(worker, Ok(self.inner.$bucket_count(worker, bucket)))
            }
        }
    };
}

histogram!(
    poll_time_histogram_enabled,
    poll_time_histogram_num_buckets,
    poll_time_histogram_bucket_range,
    poll_time_histogram_bucket_count
);
histogram!(
    schedule_latency_histogram_enabled,
    schedule_latency_histogram_num_buckets,
    schedule_latency_histogram_bucket_range,
    schedule_latency_histogram_bucket_count
);

macro_rules! renamed {
    ($($old:ident($($arg:ident),*) -> $kind:ty = $new:ident,)*) => {
        impl RuntimeMetrics {
            $(
                #[deprecated(note = "renamed")]
                #[doc(hidden)]
                pub fn $old(&self $(, $arg: usize)*) -> $kind {
                    self.$new($($arg),*)
                }
            )*
        }
    };
}

renamed! {
    active_tasks_count() -> usize = num_alive_tasks,
    injection_queue_depth() -> usize = global_queue_depth,
    poll_count_histogram_enabled() -> bool = poll_time_histogram_enabled,
    poll_count_histogram_num_buckets() -> usize = poll_time_histogram_num_buckets,
    poll_count_histogram_bucket_range(bucket) -> Range<Duration> = poll_time_histogram_bucket_range,
    poll_count_histogram_bucket_count(worker, bucket) -> u64 = poll_time_histogram_bucket_count,
}
