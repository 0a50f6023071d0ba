//! The reader's handle: every getter, and every answer `None`.

use core::time::Duration;

use metrics_core::histogram::BucketRange;
use metrics_core::{Counter, LiveRecord, LiveThread, NoProbe, Probe, TaskCounts};

use super::getters::{unmeasured, unmeasured_counters};
use super::registry::RegistryRef;
use super::snapshot::Snapshot;

/// A handle on one runtime's metrics, of which there are none. It holds what it was given and asks the runtime nothing.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics<R: RegistryRef, P = NoProbe> {
    registry: R,
    probe: P,
}

impl<R: RegistryRef> RuntimeMetrics<R> {
    /// A reader.
    pub const fn new(registry: R) -> Self {
        Self {
            registry,
            probe: NoProbe,
        }
    }
}

impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
    /// A reader. The probe is never asked.
    pub const fn with_probe(registry: R, probe: P) -> Self {
        Self { registry, probe }
    }

    /// The registry.
    pub fn registry(&self) -> &R {
        &self.registry
    }

    /// The probe, which is never asked.
    pub fn probe(&self) -> &P {
        &self.probe
    }

    /// The runtime's name.
    pub fn name(&self) -> &str {
        self.registry.name()
    }

    /// A snapshot of nothing.
    pub fn snapshot(&self) -> Snapshot<R::Storage> {
        Snapshot::default()
    }

    /// Changes nothing.
    pub fn snapshot_into(&self, _snapshot: &mut Snapshot<R::Storage>) {}

    /// No thread: none holds a slot.
    pub fn live_threads(&self) -> impl Iterator<Item = LiveThread> + '_ {
        core::iter::empty()
    }

    /// Workers the registry was built for.
    pub fn num_workers(&self) -> usize {
        self.registry.num_workers()
    }

    /// False: there is no histogram.
    pub fn poll_time_histogram_enabled(&self) -> bool {
        false
    }

    /// False: there is no histogram.
    pub fn schedule_latency_histogram_enabled(&self) -> bool {
        false
    }
}

/// The runtime and its workers, in total and one by one.
impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
    unmeasured! {
        live(worker: usize) -> LiveRecord;
        worker_mean_poll_time(worker: usize) -> Duration;
        worker_thread(worker: usize) -> u64;
        worker_local_queue_depth(worker: usize) -> u64;
        global_queue_depth() -> u64;
        tasks() -> TaskCounts;
        spawned_tasks_count() -> u64;
        covered_tasks() -> u64;
        num_alive_tasks() -> u64;
        completed_tasks_count() -> u64;
        cancelled_tasks_count() -> u64;
        panicked_tasks_count() -> u64;
        remote_schedule_count() -> u64;
        num_blocking_threads() -> u64;
        num_idle_blocking_threads() -> u64;
        blocking_queue_depth() -> u64;
        io_driver_fd_registered_count() -> u64;
        io_driver_fd_deregistered_count() -> u64;
        io_driver_ready_count() -> u64;
        poll_time_histogram_num_buckets() -> usize;
        poll_time_histogram_bucket_range(bucket: usize) -> BucketRange;
        poll_time_histogram_bucket_count(worker: usize, bucket: usize) -> u64;
        schedule_latency_histogram_num_buckets() -> usize;
        schedule_latency_histogram_bucket_range(bucket: usize) -> BucketRange;
        schedule_latency_histogram_bucket_count(worker: usize, bucket: usize) -> u64;
    }
    unmeasured_counters!();
    unmeasured! {
        worker_counter(worker: usize, counter: Counter) -> u64;
        worker_total_busy_duration(worker: usize) -> Duration;
        worker_park_count(worker: usize) -> u64;
        worker_park_unpark_count(worker: usize) -> u64;
        worker_noop_count(worker: usize) -> u64;
        worker_poll_count(worker: usize) -> u64;
        worker_steal_count(worker: usize) -> u64;
        worker_steal_operations(worker: usize) -> u64;
        worker_local_schedule_count(worker: usize) -> u64;
        worker_overflow_count(worker: usize) -> u64;
        worker_overflow_tasks(worker: usize) -> u64;
        worker_budget_forced_yield_count(worker: usize) -> u64;
        worker_root_polls(worker: usize) -> u64;
        worker_nested_polls(worker: usize) -> u64;
    }
}
