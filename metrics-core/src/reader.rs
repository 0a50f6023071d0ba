//! The reading handle: getters per worker and in total, and snapshots.

mod states;

use crate::catalog::{RuntimeNumber, WorkerNumber, in_unit, with_runtime_numbers, with_worker_numbers};
use crate::counters::MEAN_FRACTION;
use crate::histogram::BucketRange;
use crate::live::{LiveRecord, LiveThread};
use crate::probe::{NoProbe, Probe};
use crate::read::Weighted;
use crate::record::BucketCells as _;
use crate::registry::RegistryRef;
use crate::slot::{EXTERNAL, Slot, SlotBusy, read_with_retries};
use crate::storage::sealed::Sealed;
use crate::sync::RECORDING;
use crate::tasks::TaskCounts;
use core::time::Duration;

type Buckets<R> = <<R as RegistryRef>::Storage as Sealed>::Buckets;

/// Reads one runtime's metrics: a getter for each metric, in total and per worker, and snapshots.
///
/// A handle is cheap to clone, works on any thread and never blocks a worker.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use metrics_core::{Builder, MetricSet, NoClock, PollStart, RuntimeMetrics, Worker};
///
/// let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).expect("the configuration is valid");
/// let metrics = RuntimeMetrics::new(registry.clone());
///
/// let worker = Worker::lease(registry, 0).expect("a slot is free");
/// worker.start_poll(PollStart::default());
/// worker.end_poll();
/// worker.submit();
/// # #[cfg(feature = "record")] {
/// assert_eq!(metrics.poll_count(), Ok(Some(1)));
/// assert_eq!(metrics.snapshot().total().poll_count(), Some(1));
/// # }
/// # }
/// ```
///
/// A getter returns the value that the workers last submitted. Busy time also includes the busy period in progress,
/// from the live records, as in a snapshot. A getter returns `None` if the runtime does not measure the metric or has
/// no worker with that index, and [`SlotBusy`] if the worker was writing the value during every attempt. Two getters
/// read at two moments: take a snapshot for values that belong together, with `snapshot` of a registry on the heap and
/// `snapshot_into` of one in a `static`.
///
/// Counters don't decrease from one call of a getter to the next, with one exception on heap storage: busy time and the time
/// in each state. A worker that ends a period shows this at once, but its counter includes the period only from the next
/// submit on. In between, a getter and a `snapshot` lack the part of the period that is not submitted yet. A
/// `SnapshotReader` then returns its last value.
///
/// A handle does not keep the runtime alive. After the runtime ends, it returns the last submitted values.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics<R, P = NoProbe> {
    registry: R,
    probe: P,
}

impl<R: RegistryRef> RuntimeMetrics<R> {
    /// Creates a handle that reads only what the hooks record.
    pub const fn new(registry: R) -> Self {
        Self {
            registry,
            probe: NoProbe,
        }
    }
}

impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
    /// Creates a handle that also reads the metrics that the runtime itself reports, through a [`Probe`].
    pub const fn with_probe(registry: R, probe: P) -> Self {
        Self { registry, probe }
    }

    /// Returns the registry that it reads.
    pub fn registry(&self) -> &R {
        &self.registry
    }

    /// Returns the probe through which the runtime reports its own metrics.
    pub fn probe(&self) -> &P {
        &self.probe
    }

    /// Returns the runtime's name.
    pub fn name(&self) -> &str {
        self.registry.name()
    }

    /// Returns a worker's current state. This needs no submit, so a stuck worker is visible while it is stuck.
    ///
    /// If two threads serve the worker, this returns the record that [supersedes](LiveRecord::supersedes) the other.
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

    /// Returns the current state of every thread that holds a slot, in the order of the slots. A thread is left out if
    /// it was writing its record during every attempt to read it.
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
        worker < self.num_workers().unwrap_or(0) || self.slots(worker).next().is_some()
    }

    /// Returns the sum of one metric over all workers, in its own unit. `None` if the runtime does not measure it.
    ///
    /// # Errors
    /// Returns [`SlotBusy`] if a worker was writing the value during every attempt to read it.
    pub fn counter(&self, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        if !RECORDING {
            return Ok(None);
        }
        if self.probe.worker_numbers().has_worker(number) {
            return Ok(
                (0..self.num_workers().unwrap_or(0)).try_fold(0, |sum: u64, worker| {
                    Some(sum.wrapping_add(self.probe.worker(worker, number)?))
                }),
            );
        }
        if !self.registry.measured().has_worker(number) {
            return Ok(None);
        }
        self.sum(self.registry.storage.slots(), number)
    }

    /// Returns one worker's metric, in its own unit. `None` if the runtime does not measure it, or has no worker with
    /// this index.
    ///
    /// # Errors
    /// Returns [`SlotBusy`] if the worker was writing the value during every attempt to read it.
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
            return self.value(slot, number);
        }
        if R::Storage::HAS_STRAYS {
            self.sum_of_slots(worker, number)
        } else {
            Ok(None)
        }
    }

    /// Returns the metric of a worker that several threads may have served.
    #[cold]
    fn sum_of_slots(&self, worker: usize, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        if !self.knows(worker) {
            return Ok(None);
        }
        self.sum(self.slots(worker), number)
    }

    /// Returns a metric of the whole runtime: the probe's value if there is one, and otherwise the hooks' count.
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
    ) -> Result<Option<u64>, SlotBusy>
    where
        Buckets<R>: 'a,
    {
        slots.try_fold(Some(0), |sum: Option<u64>, slot| {
            let value = self.value(slot, number)?;
            Ok(sum.zip(value).map(|(sum, value)| sum.wrapping_add(value)))
        })
    }

    #[inline]
    fn value(&self, slot: &Slot<Buckets<R>>, number: WorkerNumber) -> Result<Option<u64>, SlotBusy> {
        match number {
            WorkerNumber::BusyDurationTotal => self.busy_time(slot).map(Some),
            // A chip as small as a Cortex-M0 has no flash for them: it reads them in a snapshot.
            WorkerNumber::ParkedDurationTotal
            | WorkerNumber::SearchingDurationTotal
            | WorkerNumber::PollingDurationTotal
            | WorkerNumber::RunningDurationTotal
                if cfg!(not(target_has_atomic = "ptr")) =>
            {
                Ok(None)
            }
            WorkerNumber::ParkedDurationTotal => Ok(Some(self.state_times(slot)?.parked)),
            WorkerNumber::SearchingDurationTotal => Ok(Some(self.state_times(slot)?.searching)),
            WorkerNumber::PollingDurationTotal | WorkerNumber::RunningDurationTotal => {
                self.within_busy(slot, number)
            }
            _ => slot
                .counter(number, |attempt| self.probe.relax(attempt))
                .map(Some),
        }
    }

    /// Returns the number of workers that the probe reports, or else the configured number. `None` if neither is known.
    /// A worker leased with a higher index has its own metrics too.
    pub fn num_workers(&self) -> Option<usize> {
        let configured = self.registry.info.num_workers;
        self.probe
            .num_workers()
            .or((configured != 0).then_some(configured))
    }

    /// Returns the exponentially weighted mean of a worker's measured polls, with alpha 1/10. `None` before the first,
    /// and on [`StaticStorage`](crate::StaticStorage), which keeps no mean.
    ///
    /// If several threads serve the worker, this is the mean of theirs, each weighted by its number of polls.
    ///
    /// # Errors
    /// Returns [`SlotBusy`] if a thread submitted during every attempt to read its mean and its number of polls.
    pub fn worker_mean_poll_time(&self, worker: usize) -> Result<Option<Duration>, SlotBusy> {
        let mut mean = Weighted::default();
        for slot in self.slots(worker) {
            let values = slot
                .counters(|attempt| self.probe.relax(attempt))
                .ok_or(SlotBusy)?;
            mean.add(Weighted::of(
                values.mean_poll_time,
                values.get(WorkerNumber::PollCount),
            ));
        }
        Ok(match mean.mean() {
            0 => None,
            mean => Some(Duration::from_nanos(mean >> MEAN_FRACTION)),
        })
    }

    /// Returns the adapter's number for the thread that runs a worker.
    pub fn worker_thread(&self, worker: usize) -> Option<u64> {
        let leased = self.slots(worker).filter(|slot| slot.lease.is_leased());
        let numbers = leased.filter_map(|slot| slot.counters(|attempt| self.probe.relax(attempt)));
        numbers.map(|values| values.thread).find(|&thread| thread != 0)
    }

    /// Returns the number of durations that no worker recorded because the clock stepped back. `None` without a clock.
    ///
    /// # Errors
    /// Returns [`SlotBusy`], only on targets without 64-bit atomics.
    pub fn clock_steps(&self) -> Result<Option<u64>, SlotBusy> {
        if !self.registry.is_timed() {
            return Ok(None);
        }
        let steps = self.registry.storage.slots().try_fold(0, |sum: u64, slot| {
            Ok(sum.wrapping_add(slot.clock_steps(|attempt| self.probe.relax(attempt))?))
        })?;
        Ok(Some(steps))
    }

    /// Returns the current counts of measured tasks by how they ended. They need no submit. `None` if the runtime does
    /// not count tasks.
    pub fn tasks(&self) -> Option<TaskCounts> {
        self.registry
            .info
            .measures
            .has_runtime(RuntimeNumber::SpawnedTasksCount)
            .then(|| self.registry.task_counts())
    }
}

/// The text that the documentation of some getters adds to that of the table.
macro_rules! caveat {
    (BusyDurationTotal) => {
        "\n\nOn heap storage, it can be less than that of an earlier call between the end of a busy period and the next \
         submit: the busy period is no longer in progress, and not submitted yet."
    };
    (ParkedDurationTotal) => {
        caveat!(SearchingDurationTotal)
    };
    (SearchingDurationTotal) => {
        "\n\nOn heap storage, it can be less than that of an earlier call between the end of the state and the next submit: \
         the state is no longer in progress, and not submitted yet. On a target without \
         compare-and-swap, such as a Cortex-M0, this getter returns `None`; a snapshot has the value."
    };
    (PollingDurationTotal) => {
        caveat!(RunningDurationTotal)
    };
    (RunningDurationTotal) => {
        "\n\nOn heap storage, it can be less than that of an earlier call: until the next submit, polls that have ended \
         count as running, except the last one. On a target without compare-and-swap, such as a Cortex-M0, this getter returns \
         `None`; a snapshot has the value."
    };
    ($other:ident) => {
        ""
    };
}

macro_rules! getter {
    ($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident) => {
        $(#[$doc])*
        #[doc = caveat!($variant)]
        ///
        /// # Errors
        /// Returns the errors of [`counter`](Self::counter).
        pub fn $name(&self) -> Result<Option<in_unit!($unit)>, SlotBusy> {
            Ok(self.counter(WorkerNumber::$variant)?.map(in_unit!($unit, from)))
        }

        #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ") of one worker.")]
        #[doc = caveat!($variant)]
        ///
        /// # Errors
        /// Returns the errors of [`worker_counter`](Self::worker_counter).
        #[inline]
        pub fn $worker_name(&self, worker: usize) -> Result<Option<in_unit!($unit)>, SlotBusy> {
            Ok(self.worker_counter(worker, WorkerNumber::$variant)?.map(in_unit!($unit, from)))
        }
    };
}

macro_rules! getters {
    (
        $($group:ident {
            $($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)*
        })*
    ) => {
        /// Getters of the workers' metrics, in total and per worker.
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            $($(getter!($(#[$doc])* $unit $name $worker_name $variant);)*)*
        }
    };
}
with_worker_numbers!(getters);

macro_rules! runtime_getters {
    ($($(#[$doc:meta])* $kind:ident $unit:ident $name:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        /// Getters of the metrics of the whole runtime.
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Option<in_unit!($unit)> {
                    self.runtime_number(RuntimeNumber::$variant).map(in_unit!($unit, from))
                }
            )*
        }
    };
}
with_runtime_numbers!(runtime_getters);

macro_rules! histogram_getters {
    ($what:literal, $enabled:ident, $num_buckets:ident, $range:ident, $count:ident, $config:ident, $field:ident) => {
        #[doc = concat!("The ", $what, " histogram, one bucket at a time, with Tokio's names.")]
        impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
            #[doc = concat!("Returns `true` if the registry keeps a ", $what, " histogram.")]
            pub fn $enabled(&self) -> bool {
                self.registry.$config().is_some()
            }

            #[doc = concat!("Returns the number of buckets of the ", $what, " histogram; `None` if there is none.")]
            pub fn $num_buckets(&self) -> Option<usize> {
                self.registry.$config().map(|config| config.num_buckets())
            }

            /// Returns the range of nanoseconds of a bucket; `None` if there is no such bucket.
            pub fn $range(&self, bucket: usize) -> Option<BucketRange> {
                self.registry.$config()?.bucket_range(bucket)
            }

            /// Returns the number of a worker's samples in a bucket; `None` if there is no such worker or bucket.
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
                                .map_or(0, |histogram| histogram.buckets.count(bucket))
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
