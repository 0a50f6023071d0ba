//! Snapshots of a registry in a `static`. There is no extra memory: each slot is read into the caller's snapshot.

use super::runtime::{Moment, epoch, read_runtime};
use super::states::{Period, StateTimes, WITHIN_BUSY, measured_every_poll};
use super::{set_state, set_thread};
use crate::catalog::{MetricSet, WorkerNumber};
use crate::histogram::HistogramConfig;
use crate::probe::Probe;
use crate::reader::RuntimeMetrics;
use crate::record::{BucketCells, SlotHistogram};
use crate::registry::{Registry, RegistryRef};
use crate::slot::{Slot, read_with_retries};
use crate::snapshot::{HistogramReading, Measurements, Snapshot, WorkerSnapshot};
use crate::storage::sealed::Sealed;
use crate::storage::{BucketWidth, Rows, StaticStorage, Storage};
use crate::switches::Sampling;
use crate::sync::RECORDING;
use crate::time::TimeSource;

impl<R, P, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> RuntimeMetrics<R, P>
where
    R: RegistryRef<Storage = StaticStorage<WORKERS, BUCKETS, C>>,
    P: Probe,
{
    /// Takes a snapshot and writes it to `snapshot`, a variable or a `static` that starts as [`Snapshot::EMPTY`].
    ///
    /// No function returns a whole snapshot of a registry in a `static`: the caller and the function would each need room
    /// for one on the stack, which a small chip does not have.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use metrics_core::{Builder, MetricSet, NoClock, PollStart, Registry, StaticRegistryConfig, StaticStorage};
    /// use metrics_core::{RuntimeMetrics, Snapshot};
    /// # const CONFIG: StaticRegistryConfig<1, 1> = match Builder::new().measures(MetricSet::ALL).describe(0, Duration::ZERO) {
    /// #     Ok(config) => config,
    /// #     Err(_) => panic!("invalid configuration"),
    /// # };
    /// # static METRICS: Registry<StaticStorage<1, 1>, NoClock> = Registry::new(&CONFIG, NoClock);
    ///
    /// let mut snapshot = Snapshot::EMPTY;
    /// RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    /// # #[cfg(feature = "record")]
    /// assert_eq!(snapshot.total().poll_count(), Some(0));
    /// ```
    ///
    /// A worker that is being written during every attempt keeps the values that `snapshot` has for it, and is marked
    /// [stale](WorkerSnapshot::staleness). A snapshot of another registry is replaced.
    pub fn snapshot_into(&self, snapshot: &mut Snapshot<R::Storage>) {
        read_into(snapshot, self.registry(), self.probe());
    }
}

// Outlined, as is each function below that makes a large value: the stack usage is that of the deepest one, not of all
// together.
#[inline(never)]
fn read_into<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>(
    to: &mut Snapshot<StaticStorage<WORKERS, BUCKETS, C>>,
    registry: &Registry<StaticStorage<WORKERS, BUCKETS, C>, T>,
    probe: &impl Probe,
) {
    if !RECORDING {
        return;
    }
    if to.epoch != epoch(registry, probe) || to.name() != registry.name() {
        to.name.clear();
        to.uptime = None;
        to.workers.clear();
        to.total.mean_poll_time = None;
    }
    // Nothing is kept from an earlier snapshot.
    let mut probed = MetricSet::NONE;
    let moment = read_runtime(to, registry, probe, &mut probed);
    let configs = [registry.poll_time_config(), registry.schedule_latency_config()];
    for (index, slot) in registry.storage.slots().enumerate() {
        if to.workers.len() == index {
            append(to, index);
        }
        if let Some(worker) = to.workers.get_mut(index) {
            read_slot(worker, slot, &moment, configs, probe);
            read_probed(worker, probe);
        }
    }
    sum(to, &moment, configs);
}

/// Appends the entry of a worker that was never read.
#[inline(never)]
fn append<const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>(
    to: &mut Snapshot<StaticStorage<WORKERS, BUCKETS, C>>,
    index: usize,
) {
    // There is room for as many workers as slots.
    let _ = to.workers.push(WorkerSnapshot::new(index));
    if let Some(worker) = to.workers.last_mut() {
        worker.missing = true;
    }
}

/// Makes room for a histogram.
#[inline(never)]
fn keep<S: Storage>(to: &mut Option<HistogramReading<S>>, config: &HistogramConfig, sampling: Sampling) {
    *to = HistogramReading::empty(config, sampling);
}

/// Clears the values that no attempt could read.
#[cold]
#[inline(never)]
fn clear<S: Storage>(worker: &mut WorkerSnapshot<S>) {
    worker.measurements = Measurements::NONE;
}

/// Reads a slot directly into the worker's entry.
#[inline(never)]
fn read_slot<S: Storage>(
    worker: &mut WorkerSnapshot<S>,
    slot: &Slot<S::Buckets>,
    moment: &Moment,
    configs: [Option<&HistogramConfig>; 2],
    probe: &impl Probe,
) {
    let relax = |attempt| probe.relax(attempt);
    let now = &mut worker.measurements;
    let mut is_mixed = false;
    let read = || {
        let seq = slot.seq.begin()?;
        // An attempt that fails after this point leaves values of two submits.
        is_mixed = true;
        let values = slot.counters.read();
        copy(&mut now.poll_time, slot.poll_time.as_ref(), configs[0]);
        copy(
            &mut now.schedule_latency,
            slot.schedule_latency.as_ref(),
            configs[1],
        );
        slot.seq.unchanged(seq).then_some(values)
    };
    let read = read_with_retries(read, relax);
    let live = slot.live(relax);
    set_state(worker, live.as_ref(), moment.reports_running, probe);
    let since = live.and_then(|live| live.since).filter(|_| moment.timed);
    worker.state_for = since.and_then(|since| moment.age(since));
    let Some(values) = read else {
        if is_mixed {
            worker.missing = true;
        }
        if worker.missing {
            clear(worker);
        }
        moment.mark_stale(worker);
        return;
    };
    set_thread(worker, values.thread, probe);
    worker.missing = false;
    worker.stale = None;
    let polls = values.get(WorkerNumber::PollCount);
    let now = &mut worker.measurements;
    let before = now.numbers.values;
    now.numbers.known = moment.measured;
    now.numbers.values = values.values;
    let histograms = [&mut now.poll_time, &mut now.schedule_latency];
    for (reading, sampling) in histograms.into_iter().zip(moment.sampling) {
        if let Some(reading) = reading {
            reading.polls = polls;
            reading.sampling = sampling;
        }
    }
    let settled = StateTimes {
        polling: now.poll_time().map_or(0, |reading| reading.histogram().sum()),
        ..StateTimes::settled(&values)
    };
    let mut times = settled;
    if let Some(live) = live {
        let period = Period::of(&live, values.settled_at, true, false);
        times.add(&period, |since| moment.nanos_since(since));
    }
    if moment.measured.has_worker(WorkerNumber::BusyDurationTotal) {
        worker.busy_in_progress = Some(times.busy.saturating_sub(settled.busy));
    }
    for (number, value) in times.since(|number| before[number as usize]) {
        now.numbers.values[number as usize] = value;
    }
    let is_every = moment.sampling[0] == Sampling::Every;
    if !(is_every && measured_every_poll(now.poll_time())) {
        now.numbers.known = now.numbers.known.without(WITHIN_BUSY);
    }
}

fn copy<S: Storage>(
    to: &mut Option<HistogramReading<S>>,
    slot: Option<&SlotHistogram<S::Buckets>>,
    config: Option<&HistogramConfig>,
) {
    let (Some(slot), Some(config)) = (slot, config) else {
        return;
    };
    if to.is_none() {
        keep(to, config, Sampling::Every);
    }
    if let Some(reading) = to {
        for (i, count) in reading.histogram.buckets_mut().iter_mut().enumerate() {
            *count = slot.buckets.count(i);
        }
        let (sum, min, max) = slot.totals();
        reading.histogram.set_totals(sum, min, max);
    }
}

/// Replaces the values of the hooks with those that the runtime reports.
fn read_probed<S: Storage>(worker: &mut WorkerSnapshot<S>, probe: &impl Probe) {
    let reported = probe.worker_numbers();
    for &number in WorkerNumber::ALL {
        if reported.has_worker(number) {
            let value = probe.worker(worker.index, number);
            worker.measurements.numbers.set(number, value);
        }
    }
}

/// Computes the sum over the workers.
#[inline(never)]
fn sum<S: Storage>(to: &mut Snapshot<S>, moment: &Moment, configs: [Option<&HistogramConfig>; 2]) {
    let Snapshot { total, workers, .. } = to;
    let workers = workers.as_slice();
    let is_complete = !workers.iter().any(WorkerSnapshot::is_missing);
    for &number in WorkerNumber::ALL {
        let sum = workers.iter().try_fold(0_u64, |sum, worker| {
            Some(sum.wrapping_add(worker.measurements.counter(number)?))
        });
        total.numbers.set(number, sum);
    }
    let [poll_time, schedule_latency] = configs.map(|config| config.filter(|_| is_complete));
    let [poll_time_sampling, latency_sampling] = moment.sampling;
    merge(
        &mut total.poll_time,
        poll_time,
        poll_time_sampling,
        workers,
        Measurements::poll_time,
    );
    merge(
        &mut total.schedule_latency,
        schedule_latency,
        latency_sampling,
        workers,
        Measurements::schedule_latency,
    );
}

fn merge<S: Storage>(
    to: &mut Option<HistogramReading<S>>,
    config: Option<&HistogramConfig>,
    sampling: Sampling,
    workers: &[WorkerSnapshot<S>],
    of: fn(&Measurements<S>) -> Option<&HistogramReading<S>>,
) {
    let Some(config) = config else {
        *to = None;
        return;
    };
    if to.is_none() {
        keep(to, config, sampling);
    }
    let Some(sum) = to else { return };
    sum.sampling = sampling;
    sum.polls = 0;
    // The storage already holds these buckets, and a registry has one layout per histogram: neither call can fail.
    let _ = sum.histogram.reset(*config);
    for reading in workers.iter().filter_map(|worker| of(&worker.measurements)) {
        sum.polls = sum.polls.wrapping_add(reading.polls);
        let _ = sum.histogram.merge(&reading.histogram);
    }
}
