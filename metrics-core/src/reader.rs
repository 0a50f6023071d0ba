//! The reader's handle: every getter, per worker and in total, and snapshots.

use crate::catalog::{RuntimeNumber, WorkerNumber, with_runtime_numbers, with_worker_numbers};
use crate::counters::MEAN_FRACTION;
use crate::histogram::BucketRange;
use crate::live::{LiveRecord, LiveThread};
use crate::probe::{NoProbe, Probe};
use crate::read::ReadStorage;
use crate::registry::RegistryRef;
use crate::slot::{EXTERNAL, Slot, SlotBusy, read_with_retries};
use crate::snapshot::Snapshot;
use crate::storage::sealed::Sealed;
use crate::sync::RECORDING;
use crate::tasks::TaskCounts;
use core::time::Duration;

type Buckets<R> = <<R as RegistryRef>::Storage as Sealed>::Buckets;

/// A handle on one runtime's metrics. Cheap to clone, usable from any thread, never in the way of a worker.
///
/// A getter reads what the workers last submitted. It is `None` if the runtime does not measure the number or has no worker with that
/// index. On targets without 64-bit atomics a number that its worker was writing through every try is [`SlotBusy`]. Two getters are of
/// two moments: take a [`snapshot`](Self::snapshot) for numbers that belong together.
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

    /// Takes a snapshot on its own. A worker that can't be read is [missing](crate::WorkerSnapshot::is_missing) from it. To take snapshots
    /// again and again, use a `SnapshotReader` on a heap, and `snapshot_into` for a `static` registry.
    pub fn snapshot(&self) -> Snapshot<R::Storage>
    where
        R::Storage: ReadStorage,
    {
        R::Storage::snapshot(&self.registry, &self.probe)
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
                let live = slot.live(relax)?;
                Some(LiveThread {
                    slot: number,
                    worker: slot.lease.worker().filter(|&worker| worker != EXTERNAL),
                    thread: slot.counters(relax).map_or(0, |values| values.thread),
                    live,
                    is_submitted: R::Storage::is_submitted(slot, &live),
                    submitted: R::Storage::submitted(slot, &live),
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

    /// The sum over all workers of one number, in its own unit. `None` if the runtime does not measure it.
    ///
    /// # Errors
    /// [`SlotBusy`], only on targets without 64-bit atomics.
    pub fn counter(&self, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        if !RECORDING {
            return Ok(None);
        }
        if self.probe.worker_numbers().has_worker(number) {
            return Ok((0..self.num_workers()).try_fold(0, |sum: u64, worker| {
                Some(sum.wrapping_add(self.probe.worker(worker, number)?))
            }));
        }
        if !self.registry.measured().has_worker(number) {
            return Ok(None);
        }
        self.sum(self.registry.storage.slots(), number).map(Some)
    }

    /// One worker's number, in its own unit. `None` if the runtime does not measure it, or has no worker with this index.
    ///
    /// # Errors
    /// [`SlotBusy`], only on targets without 64-bit atomics.
    #[inline]
    pub fn worker_counter(&self, worker: usize, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        if !RECORDING {
            return Ok(None);
        }
        if self.probe.worker_numbers().has_worker(number) {
            return Ok(self.probe.worker(worker, number).filter(|_| self.knows(worker)));
        }
        if !self.registry.measured().has_worker(number) {
            return Ok(None);
        }
        if let Some(slot) = self.registry.storage.only_slot(worker) {
            return slot
                .counter(number, |attempt| self.probe.relax(attempt))
                .map(Some);
        }
        if R::Storage::HAS_STRAYS {
            self.sum_of_slots(worker, number)
        } else {
            Ok(None)
        }
    }

    /// A worker's number where several threads may have served the worker.
    #[cold]
    fn sum_of_slots(&self, worker: usize, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        if !self.knows(worker) {
            return Ok(None);
        }
        self.sum(self.slots(worker), number).map(Some)
    }

    /// A number of the runtime as a whole: by the runtime's own count where it has one, else by that of its hooks.
    pub fn runtime_number(&self, number: RuntimeNumber) -> Option<u64> {
        if !RECORDING {
            return None;
        }
        let counted = || self.registry.runtime_number(number, &self.registry.task_counts());
        self.probe.runtime(number).or_else(counted)
    }

    fn sum<'a>(
        &'a self,
        mut slots: impl Iterator<Item = &'a Slot<Buckets<R>>>,
        number: WorkerNumber,
    ) -> Result<u64, SlotBusy>
    where
        Buckets<R>: 'a,
    {
        slots.try_fold(0, |sum: u64, slot| {
            Ok(sum.wrapping_add(slot.counter(number, |attempt| self.probe.relax(attempt))?))
        })
    }

    /// Workers of the runtime: as the probe says, else as it was described. A worker that was leased with a higher index has its
    /// row all the same.
    pub fn num_workers(&self) -> usize {
        self.probe.num_workers().unwrap_or(self.registry.info.num_workers)
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

    /// Spawns and ends of the tasks whose polls are measured, up to this moment.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.registry
            .info
            .measures
            .has_runtime(RuntimeNumber::SpawnedTasksCount)
            .then(|| self.registry.task_counts())
    }
}

macro_rules! getter {
    ($(#[$doc:meta])* Duration $name:ident $worker_name:ident $variant:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As of [`counter`](Self::counter).
        pub fn $name(&self) -> Result<Option<Duration>, SlotBusy> {
            Ok(self.counter(WorkerNumber::$variant)?.map(Duration::from_nanos))
        }

        #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ") of one worker.")]
        ///
        /// # Errors
        /// As of [`worker_counter`](Self::worker_counter).
        pub fn $worker_name(&self, worker: usize) -> Result<Option<Duration>, SlotBusy> {
            let nanos = self.worker_counter(worker, WorkerNumber::$variant)?;
            Ok(nanos.map(Duration::from_nanos))
        }
    };
    ($(#[$doc:meta])* u64 $name:ident $worker_name:ident $variant:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As of [`counter`](Self::counter).
        pub fn $name(&self) -> Result<Option<u64>, SlotBusy> {
            self.counter(WorkerNumber::$variant)
        }

        #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ") of one worker.")]
        ///
        /// # Errors
        /// As of [`worker_counter`](Self::worker_counter).
        #[inline]
        pub fn $worker_name(&self, worker: usize) -> Result<Option<u64>, SlotBusy> {
            self.worker_counter(worker, WorkerNumber::$variant)
        }
    };
}

macro_rules! getters {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        gauges { $($(#[$gauge_doc:meta])* $gauge_kind:ident $gauge:ident $worker_gauge:ident $gauge_variant:ident $gauge_exported:literal $gauge_unlike:literal,)* }
    ) => {
        /// The numbers of the workers, summed and one by one.
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            $(getter!($(#[$doc])* $kind $name $worker_name $variant);)*
            $(getter!($(#[$gauge_doc])* $gauge_kind $gauge $worker_gauge $gauge_variant);)*
        }
    };
}
with_worker_numbers!(getters);

macro_rules! runtime_getters {
    ($($(#[$doc:meta])* $kind:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        /// The numbers of the runtime as a whole.
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Option<u64> {
                    self.runtime_number(RuntimeNumber::$variant)
                }
            )*
        }
    };
}
with_runtime_numbers!(runtime_getters);

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
                    Some(sum.wrapping_add(read_with_retries(read, relax)?))
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
