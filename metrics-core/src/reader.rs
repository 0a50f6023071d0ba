//! The reader's handle: every getter, per worker and in total, and snapshots.

use crate::counters::{Counter, CounterSet, MEAN_FRACTION, with_counters};
use crate::histogram::BucketRange;
use crate::live::{LiveRecord, LiveThread};
use crate::probe::{NoProbe, Probe};
use crate::registry::{HostCells, RegistryRef};
use crate::slot::{FOREIGN, Slot, persist};
use crate::snapshot::Snapshot;
use crate::storage::sealed::Sealed;
use crate::tasks::TaskCounts;
use core::time::Duration;

type Buckets<R> = <<R as RegistryRef>::Storage as Sealed>::Buckets;

/// A handle on one runtime's metrics. Cheap to clone, usable from any thread, never in the way of a worker.
///
/// A getter reads what the workers last submitted and is `None` where the runtime does not measure the thing, where
/// the worker index is out of range, and where a worker's slot was being written through every one of a bounded number of
/// tries (on a target without 64-bit atomics, or for a histogram). Two getters are of two moments: take a
/// [`snapshot`](Self::snapshot) for numbers that belong together.
///
/// It does not keep the runtime alive; after the runtime is gone it reads the last that was submitted.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics<R: RegistryRef, P = NoProbe> {
    registry: R,
    probe: P,
}

impl<R: RegistryRef> RuntimeMetrics<R> {
    /// A reader of a registry whose runtime is asked nothing.
    pub const fn new(registry: R) -> Self {
        Self {
            registry,
            probe: NoProbe,
        }
    }
}

impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
    /// A reader that also asks the runtime.
    pub const fn with_probe(registry: R, probe: P) -> Self {
        Self { registry, probe }
    }

    /// The registry.
    pub fn registry(&self) -> &R {
        &self.registry
    }

    /// What the runtime is asked through.
    pub fn probe(&self) -> &P {
        &self.probe
    }

    /// The runtime's name.
    pub fn name(&self) -> &str {
        self.registry.name()
    }

    /// Takes a snapshot. Allocates with heap storage.
    pub fn snapshot(&self) -> Snapshot<R::Storage> {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(&mut snapshot);
        snapshot
    }

    /// Takes a snapshot over an earlier one, passing over workers that did not submit since. Allocates only for slots,
    /// and names, that `snapshot` has not seen. A snapshot of another registry is replaced.
    pub fn snapshot_into(&self, snapshot: &mut Snapshot<R::Storage>) {
        snapshot.refresh(&self.registry, &self.probe);
    }

    /// What a worker is doing now. No submit is needed: a worker that is stuck is visible while it is stuck. Of a worker
    /// that two threads serve, the one whose record is the later: it has the worker now.
    pub fn live(&self, worker: usize) -> Option<LiveRecord> {
        let mut found: Option<LiveRecord> = None;
        for slot in self.slots(worker).filter(|slot| slot.lease.is_leased()) {
            let live = slot.live(|attempt| self.probe.relax(attempt));
            if let Some(live) = live
                && found.is_none_or(|found| live.supersedes(&found))
            {
                found = Some(live);
            }
        }
        found
    }

    /// What every thread that holds a slot is doing, in the order of the slots. One whose record was being written through
    /// every try is left out.
    pub fn live_threads(&self) -> impl Iterator<Item = LiveThread> + '_ {
        let relax = |attempt| self.probe.relax(attempt);
        let slots = self.registry.storage.slots().enumerate();
        slots
            .filter(|(_, slot)| slot.lease.is_leased())
            .filter_map(move |(number, slot)| {
                Some(LiveThread {
                    slot: number,
                    worker: slot.lease.worker().filter(|&worker| worker != FOREIGN),
                    thread: slot.counters(relax).map_or(0, |values| values.thread),
                    live: slot.live(relax)?,
                })
            })
    }

    fn slots(&self, worker: usize) -> impl Iterator<Item = &Slot<Buckets<R>>> {
        self.registry
            .storage
            .slots()
            .filter(move |slot| slot.lease.worker() == Some(worker))
    }

    fn knows(&self, worker: usize) -> bool {
        worker < self.num_workers() || self.slots(worker).next().is_some()
    }

    fn host(&self) -> Option<&HostCells<<R::Storage as Sealed>::SharedBuckets>> {
        R::Storage::host(&self.registry.shared.host)
    }

    fn supplied(&self) -> CounterSet {
        let facts = &self.registry.facts;
        if facts.timed {
            facts.counters
        } else {
            facts.counters.without(Counter::BusyDurationTotal)
        }
    }

    /// The sum over all workers of one counter, in its own unit.
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        if self.probe.worker_counters().contains(counter) {
            return (0..self.num_workers()).try_fold(0, |sum: u64, worker| {
                Some(sum.wrapping_add(self.probe.worker_counter(worker, counter)?))
            });
        }
        if !self.supplied().contains(counter) {
            return None;
        }
        self.sum(self.registry.storage.slots(), counter)
    }

    /// One worker's counter, in its own unit.
    pub fn worker_counter(&self, worker: usize, counter: Counter) -> Option<u64> {
        if !self.knows(worker) {
            return None;
        }
        if self.probe.worker_counters().contains(counter) {
            return self.probe.worker_counter(worker, counter);
        }
        if !self.supplied().contains(counter) {
            return None;
        }
        self.sum(self.slots(worker), counter)
    }

    fn sum<'a>(
        &'a self,
        mut slots: impl Iterator<Item = &'a Slot<Buckets<R>>>,
        counter: Counter,
    ) -> Option<u64>
    where
        Buckets<R>: 'a,
    {
        slots.try_fold(0, |sum: u64, slot| {
            Some(sum.wrapping_add(slot.counter(counter, |attempt| self.probe.relax(attempt))?))
        })
    }

    /// Workers of the runtime: as the probe says, else as it was described. A worker that was leased with a higher index has its
    /// row all the same.
    pub fn num_workers(&self) -> usize {
        self.probe
            .num_workers()
            .unwrap_or(self.registry.facts.num_workers)
    }

    /// The exponentially weighted mean of a worker's measured polls, alpha 1/10; `None` until the first.
    pub fn worker_mean_poll_time(&self, worker: usize) -> Option<Duration> {
        let relax = |attempt| self.probe.relax(attempt);
        let values = self.slots(worker).filter_map(|slot| slot.counters(relax));
        let latest = values
            .filter(|values| values.mean_poll_time != 0)
            .max_by_key(|values| values.settled_at)?;
        Some(Duration::from_nanos(latest.mean_poll_time >> MEAN_FRACTION))
    }

    /// The adapter's number for the thread that runs a worker.
    pub fn worker_thread(&self, worker: usize) -> Option<u64> {
        let leased = self.slots(worker).filter(|slot| slot.lease.is_leased());
        let numbers = leased.filter_map(|slot| slot.counters(|attempt| self.probe.relax(attempt)));
        numbers.map(|values| values.thread).find(|&thread| thread != 0)
    }

    /// Tasks in a worker's local queue, its LIFO slot included.
    pub fn worker_local_queue_depth(&self, worker: usize) -> Option<u64> {
        self.probe.local_queue_depth(worker)
    }

    /// Tasks in the queue that all workers share.
    pub fn global_queue_depth(&self) -> Option<u64> {
        self.probe.global_queue_depth()
    }

    /// Spawns and ends of the tasks whose polls are seen, up to this moment.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.registry
            .facts
            .supplies
            .tasks
            .then(|| self.registry.task_counts())
    }

    /// Tasks accepted: by the runtime's own count where it has one, else those that are covered.
    pub fn spawned_tasks_count(&self) -> Option<u64> {
        self.probe
            .spawned_tasks_count()
            .or_else(|| self.tasks().map(|tasks| tasks.spawned))
    }

    /// Alive tasks whose polls are seen.
    pub fn covered_tasks(&self) -> Option<u64> {
        self.probe
            .covered_tasks()
            .or_else(|| self.tasks().map(|tasks| tasks.alive()))
    }

    /// Alive tasks: by the runtime's own count where it has one, else those that are covered. Never negative.
    pub fn num_alive_tasks(&self) -> Option<u64> {
        self.probe.num_alive_tasks().or_else(|| self.covered_tasks())
    }

    /// Covered tasks whose future returned `Ready`.
    pub fn completed_tasks_count(&self) -> Option<u64> {
        self.tasks().map(|tasks| tasks.completed)
    }

    /// Covered tasks dropped before that.
    pub fn cancelled_tasks_count(&self) -> Option<u64> {
        self.tasks().map(|tasks| tasks.cancelled)
    }

    /// Covered tasks that panicked.
    pub fn panicked_tasks_count(&self) -> Option<u64> {
        self.tasks().map(|tasks| tasks.panicked)
    }

    /// Tasks scheduled onto the global queue from outside a worker.
    pub fn remote_schedule_count(&self) -> Option<u64> {
        let shared = || self.registry.shared.remote_schedules.load_acquire();
        self.probe
            .remote_schedule_count()
            .or_else(|| shared().filter(|_| self.registry.facts.supplies.remote_schedules))
    }

    /// Threads of the blocking pool.
    pub fn num_blocking_threads(&self) -> Option<u64> {
        self.probe.num_blocking_threads()
    }

    /// Threads of the blocking pool that wait for work.
    pub fn num_idle_blocking_threads(&self) -> Option<u64> {
        self.probe.num_idle_blocking_threads()
    }

    /// Closures waiting for a thread of the blocking pool.
    pub fn blocking_queue_depth(&self) -> Option<u64> {
        self.probe.blocking_queue_depth()
    }

    /// Registrations with the I/O driver.
    pub fn io_driver_fd_registered_count(&self) -> Option<u64> {
        let shared = || self.host().and_then(|host| host.io_registered.load_acquire());
        self.probe
            .io_driver_fd_registered_count()
            .or_else(|| shared().filter(|_| self.registry.facts.supplies.io_driver))
    }

    /// Deregistrations from the I/O driver.
    pub fn io_driver_fd_deregistered_count(&self) -> Option<u64> {
        let shared = || self.host().and_then(|host| host.io_deregistered.load_acquire());
        self.probe
            .io_driver_fd_deregistered_count()
            .or_else(|| shared().filter(|_| self.registry.facts.supplies.io_driver))
    }

    /// Readiness events from the I/O driver.
    pub fn io_driver_ready_count(&self) -> Option<u64> {
        let shared = || self.host().and_then(|host| host.io_ready.load_acquire());
        self.probe
            .io_driver_ready_count()
            .or_else(|| shared().filter(|_| self.registry.facts.supplies.io_driver))
    }
}

macro_rules! getter {
    ($(#[$doc:meta])* Duration $name:ident $worker_name:ident $variant:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<Duration> {
            self.counter(Counter::$variant).map(Duration::from_nanos)
        }

        /// The same of one worker; `None` also past the last.
        pub fn $worker_name(&self, worker: usize) -> Option<Duration> {
            self.worker_counter(worker, Counter::$variant).map(Duration::from_nanos)
        }
    };
    ($(#[$doc:meta])* u64 $name:ident $worker_name:ident $variant:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<u64> {
            self.counter(Counter::$variant)
        }

        /// The same of one worker; `None` also past the last.
        pub fn $worker_name(&self, worker: usize) -> Option<u64> {
            self.worker_counter(worker, Counter::$variant)
        }
    };
}

macro_rules! getters {
    ($($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident,)*) => {
        /// The counters, summed over the workers and one by one.
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            $(getter!($(#[$doc])* $kind $name $worker_name $variant);)*
        }
    };
}
with_counters!(getters);

macro_rules! histogram_getters {
    ($what:literal, $enabled:ident, $num_buckets:ident, $range:ident, $count:ident, $config:ident, $field:ident) => {
        #[doc = concat!("The ", $what, " histogram, one bucket at a time, as Tokio has it.")]
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            #[doc = concat!("Whether the registry keeps a ", $what, " histogram.")]
            pub fn $enabled(&self) -> bool {
                self.registry.$config().is_some()
            }

            #[doc = concat!("Buckets of the ", $what, " histogram; `None` if there is none.")]
            pub fn $num_buckets(&self) -> Option<usize> {
                self.registry.$config().map(|config| config.num_buckets())
            }

            /// The nanoseconds that fall into a bucket; `None` past the last.
            pub fn $range(&self, bucket: usize) -> Option<BucketRange> {
                self.registry.$config()?.bucket_range(bucket)
            }

            /// A worker's samples in a bucket; `None` past the last worker or bucket.
            pub fn $count(&self, worker: usize, bucket: usize) -> Option<u64> {
                if bucket >= self.$num_buckets()? || !self.knows(worker) {
                    return None;
                }
                self.slots(worker).try_fold(0_u64, |sum, slot| {
                    let relax = |attempt| self.probe.relax(attempt);
                    let read = || {
                        slot.seq.try_read(|| {
                            slot.$field
                                .as_ref()
                                .map_or(0, |histogram| histogram.bucket(bucket))
                        })
                    };
                    Some(sum.wrapping_add(persist(read, relax)?))
                })
            }
        }
    };
}

histogram_getters!(
    "poll-time",
    poll_time_histogram_enabled,
    poll_time_histogram_num_buckets,
    poll_time_histogram_bucket_range,
    poll_time_histogram_bucket_count,
    poll_time_config,
    poll_time
);
histogram_getters!(
    "schedule-latency",
    schedule_latency_histogram_enabled,
    schedule_latency_histogram_num_buckets,
    schedule_latency_histogram_bucket_range,
    schedule_latency_histogram_bucket_count,
    schedule_latency_config,
    schedule_latency
);
