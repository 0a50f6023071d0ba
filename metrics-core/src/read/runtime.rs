//! The part of a snapshot that does not come from slots.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::probe::Probe;
use crate::registry::Registry;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::slot::EXTERNAL;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::snapshot::{HistogramReading, Measurements};
use crate::snapshot::{Snapshot, WorkerSnapshot};
use crate::storage::Storage;
use crate::switches::Sampling;
use crate::time::{TimeSource, Timestamp};
use crate::time_scale::TimeScale;
use core::fmt::Write;
use core::time::Duration;

/// The values that all slots of one snapshot share.
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) scale: TimeScale,
    pub(super) timed: bool,
    /// Nanoseconds since the previous snapshot. `None` without a clock.
    pub(super) elapsed: Option<u64>,
    /// The counters that hooks increment.
    pub(super) measured: MetricSet,
    /// Whether hooks distinguish a searching worker from a running one.
    pub(super) reports_running: bool,
    pub(super) sampling: [Sampling; 2],
}

impl Moment {
    /// Returns the nanoseconds since a timestamp that another core may have taken. `None` if the clock stepped back.
    pub(super) fn age(&self, since: Timestamp) -> Option<u64> {
        self.scale.nanos_across_cores(self.now, since)
    }

    /// Returns the nanoseconds since a timestamp in ticks; zero if the clock stepped back.
    pub(super) fn nanos_since(&self, ticks: u64) -> u64 {
        self.scale.nanos(self.now, Timestamp::from_ticks(ticks))
    }

    /// Marks a worker whose slots could not be read.
    pub(super) fn mark_stale<S: Storage>(&self, worker: &mut WorkerSnapshot<S>) {
        let before = worker.stale.and_then(|stale| stale.age).unwrap_or_default();
        let age = self.elapsed.filter(|_| !worker.missing).map(Duration::from_nanos);
        worker.stale = Some(crate::snapshot::Staleness {
            age: age.map(|age| before.saturating_add(age)),
        });
    }

    /// Creates measurements without counts.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(super) fn blank<S: Storage, T>(
        &self,
        registry: &Registry<S, T>,
        known: MetricSet,
    ) -> Measurements<S> {
        let info = &registry.info;
        let [poll_time, schedule_latency] =
            [&info.poll_time, &info.schedule_latency].map(|layout| layout.get());
        // The registry was built only after a check that static storage holds the buckets.
        let empty =
            |config: Option<&_>, sampling| HistogramReading::empty(config.filter(|_| self.timed)?, sampling);
        let mut blank = Measurements {
            poll_time: empty(poll_time, self.sampling[0]),
            schedule_latency: empty(schedule_latency, self.sampling[1]),
            ..Measurements::NONE
        };
        blank.numbers.known = known;
        blank
    }
}

/// Reads the clock, the switches and the metrics of the whole runtime. `probed` is the set of metrics that the runtime
/// reported for an earlier snapshot.
pub(super) fn read_runtime<S: Storage, T: TimeSource>(
    to: &mut Snapshot<S>,
    registry: &Registry<S, T>,
    probe: &impl Probe,
    probed: &mut MetricSet,
) -> Moment {
    let info = &registry.info;
    let tasks = registry.task_counts();
    let now = if info.timed {
        registry.clock.now()
    } else {
        info.started
    };
    let uptime = info.timed.then(|| info.scale.nanos(now, info.started));
    let elapsed = uptime
        .zip(to.uptime)
        .map(|(now, before)| now.saturating_sub(before));
    if to.name.as_ref().is_empty() {
        // A name that does not fit is truncated.
        let _ = to.name.write_str(info.name.as_ref());
    }
    to.epoch = epoch(registry, probe);
    to.started_at = info.started_at;
    to.uptime = uptime;
    to.num_workers = probe.num_workers().unwrap_or(info.num_workers);
    to.tasks = info
        .measures
        .has_runtime(RuntimeNumber::SpawnedTasksCount)
        .then_some(tasks);
    for &number in RuntimeNumber::ALL {
        let reported = probe.runtime(number);
        if reported.is_some() {
            *probed = probed.union(MetricSet::runtime(&[number]));
        } else if number.is_counter() && probed.has_runtime(number) {
            // The last value stays: the count of the hooks does not continue from it.
            continue;
        }
        to.runtime.set(
            number,
            reported.or_else(|| registry.runtime_number(number, &tasks)),
        );
    }
    Moment {
        now,
        scale: info.scale,
        timed: info.timed,
        elapsed,
        measured: registry.measured(),
        reports_running: info.measures.has_worker(WorkerNumber::BusyDurationTotal),
        sampling: [
            registry.switches.poll_time(),
            registry.switches.schedule_latency(),
        ],
    }
}

/// Returns the epoch of a snapshot: the registry's, changed in a process forked from the one that built it. A registry
/// in a `static` without an epoch uses its address, which is unique.
pub(super) fn epoch<S: Storage, T>(registry: &Registry<S, T>, probe: &impl Probe) -> u64 {
    let epoch = match registry.info.epoch {
        0 => core::ptr::from_ref(registry).addr() as u64,
        epoch => epoch,
    };
    epoch ^ probe.fork_id()
}

/// The metrics that hooks count for a worker, or for external threads. External threads have no queue, and no hook
/// reports when they park.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(super) fn known(index: usize, moment: &Moment, probed: MetricSet) -> MetricSet {
    const EXTERNAL_NUMBERS: MetricSet = MetricSet::worker(&[
        WorkerNumber::PollCount,
        WorkerNumber::BudgetForcedYieldCount,
        WorkerNumber::RootPolls,
        WorkerNumber::NestedPolls,
    ]);
    match index {
        EXTERNAL => moment.measured.intersection(EXTERNAL_NUMBERS),
        _ => moment.measured.without(probed),
    }
}
