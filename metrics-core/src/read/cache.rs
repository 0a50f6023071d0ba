//! The state that a reader keeps between two snapshots.

use super::Weighted;
use super::locations::read_locations;
use super::remembered::{NONE, SlotCache, WorkerCache};
use super::runtime::{Moment, known, read_runtime};
use super::scratch::Scratch;
use super::states::WITHIN_BUSY;
use crate::catalog::{MetricSet, ON_DEMAND, WorkerNumber};
use crate::counters::MEAN_FRACTION;
use crate::histogram::{HistogramConfig, HistogramSnapshot};
use crate::probe::Probe;
use crate::registry::Registry;
use crate::slot::{EXTERNAL, read_with_retries};
use crate::snapshot::{HistogramReading, Snapshot, WorkerSnapshot};
use crate::storage::HeapStorage;
use crate::storage::sealed::Sealed;
use crate::switches::Sampling;
use crate::sync::RECORDING;
use crate::time::TimeSource;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem::{replace, swap, take};

/// The slots, grouped by the worker that they serve, with the read position of each.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(super) slots: Vec<SlotCache>,
    pub(super) workers: Vec<WorkerCache>,
    /// The position in `workers` for each index.
    places: BTreeMap<usize, u32>,
    /// The number of entries that are in order.
    sorted: usize,
    /// The positions in `workers` of the workers to read for this snapshot.
    changed: Vec<u32>,
    pub(super) scratch: [Scratch; 2],
    /// Metrics that the runtime reported itself. They replace those of the hooks.
    pub(super) probed: MetricSet,
    /// The counters that hooks incremented at the last snapshot.
    measured: MetricSet,
    sampling: [Sampling; 2],
    /// Sums over all workers that the snapshot stores in another form or not at all.
    pub(super) mean: Weighted,
    pub(super) polls: u64,
    /// The number of workers with no slot that was ever read.
    pub(super) missing: usize,
    /// Whether every poll so far was measured. `cleared_for` has the times and the switch for which the workers' entries
    /// were last updated.
    measured_every_poll: bool,
    cleared_for: Option<(MetricSet, bool)>,
    /// The total's histograms, while some worker is missing from them.
    withheld: [Option<HistogramReading<HeapStorage>>; 2],
    blocking_queue_wait: Option<HistogramSnapshot<Vec<u64>>>,
    on_demand: [Option<HistogramSnapshot<Vec<u64>>>; ON_DEMAND.len()],
    is_new: bool,
    pub(super) reads_locations: bool,
}

impl Cache {
    pub(crate) fn new<T: TimeSource>(registry: &Registry<HeapStorage, T>) -> Self {
        let scratch = || Scratch::new(registry.poll_time_config(), registry.schedule_latency_config());
        Self {
            slots: Vec::new(),
            workers: Vec::new(),
            places: BTreeMap::new(),
            sorted: 0,
            changed: Vec::new(),
            scratch: [scratch(), scratch()],
            probed: MetricSet::NONE,
            measured: MetricSet::NONE,
            sampling: [Sampling::Every; 2],
            mean: Weighted::default(),
            polls: 0,
            missing: 0,
            measured_every_poll: false,
            cleared_for: None,
            withheld: [None, None],
            blocking_queue_wait: None,
            on_demand: [const { None }; ON_DEMAND.len()],
            is_new: true,
            reads_locations: true,
        }
    }

    /// Updates `to`, which holds the previous snapshot.
    pub(crate) fn read<T: TimeSource>(
        &mut self,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        probe: &impl Probe,
    ) {
        if !RECORDING {
            return;
        }
        let moment = read_runtime(to, registry, probe, &mut self.probed);
        if take(&mut self.is_new) {
            self.sampling = moment.sampling;
            self.measured = moment.measured;
            to.total = moment.blank(registry, MetricSet::NONE);
        }
        self.add_measured(to, &moment);
        self.read_shared_histograms(to, registry, probe);
        self.read_probed(to, registry, &moment, probe);
        self.find_changed(to, registry, &moment, probe);
        self.restore(to);
        let is_changed = !self.changed.is_empty();
        // By index, so that a probe that panics loses no histogram.
        for i in 0..self.changed.len() {
            let Some(&place) = self.changed.get(i) else { break };
            self.read_worker(place, to, registry, &moment, probe);
        }
        self.changed.clear();
        self.pass_time(to, &moment);
        self.set_probed_states(to, &moment, probe);
        self.set_sampling(to, &moment);
        self.finish_total(to, &moment);
        self.clear_partial_states(to, &moment, is_changed);
        self.clear_unread(to);
        if self.reads_locations {
            read_locations(to, registry, probe);
        }
    }

    /// Adds the counters that hooks measure since the last snapshot.
    fn add_measured(&mut self, to: &mut Snapshot<HeapStorage>, moment: &Moment) {
        let new = moment.measured.without(self.measured);
        if new.has_no_worker() {
            return;
        }
        self.measured = moment.measured;
        for entry in to.workers.iter_mut().chain(&mut to.external) {
            if !entry.missing {
                let new = new.intersection(known(entry.index, moment, self.probed));
                let numbers = &mut entry.measurements.numbers;
                numbers.known = numbers.known.union(new);
            }
        }
    }

    /// Returns the position of the worker with this index. A new worker gets an entry at the end, out of order.
    pub(super) fn place<T>(
        &mut self,
        index: usize,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        moment: &Moment,
    ) -> u32 {
        let next = self.workers.len() as u32;
        let place = *self.places.entry(index).or_insert(next);
        if place == next {
            let mut entry = WorkerSnapshot::new(index);
            let known = known(index, moment, self.probed);
            entry.measurements = moment.blank(registry, known);
            self.workers
                .push(WorkerCache::new(index, to.workers.len(), measures_states(known)));
            if index == EXTERNAL {
                to.external.push(entry);
            } else {
                to.workers.push(entry);
            }
        }
        place
    }

    /// Sorts new entries.
    fn sort(&mut self, to: &mut Snapshot<HeapStorage>) {
        if replace(&mut self.sorted, to.workers.len()) == to.workers.len() {
            return;
        }
        if to.workers.is_sorted_by_key(WorkerSnapshot::index) {
            return;
        }
        to.workers.sort_unstable_by_key(WorkerSnapshot::index);
        for (entry, worker) in to.workers.iter().enumerate() {
            let place = self.places.get(&worker.index());
            if let Some(worker) = place.and_then(|&place| self.workers.get_mut(place as usize)) {
                worker.entry = entry as u32;
            }
        }
    }

    /// Checks every slot, and collects the workers whose slots have changed.
    fn find_changed<T: TimeSource>(
        &mut self,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        moment: &Moment,
        probe: &impl Probe,
    ) {
        for (number, slot) in registry.storage.slots().enumerate() {
            let holder = slot.lease.holder();
            if number == self.slots.len() {
                // A slot that is being leased is read with the next snapshot, and so are all slots after it.
                let Some(index) = holder.worker() else { break };
                let place = self.place(index, to, registry, moment);
                self.slots.push(SlotCache::new(place));
                if let Some(worker) = self.workers.get_mut(place as usize) {
                    worker.link(number as u32, &mut self.slots);
                }
            }
            let Some(known) = self.slots.get_mut(number) else {
                break;
            };
            if known.is_unchanged(slot, holder) {
                continue;
            }
            known.holder = holder;
            if let Some(live) = slot.live(|attempt| probe.relax(attempt)) {
                // Before the values are read, which then include everything that was submitted.
                known.is_submitted = slot.live.is_submitted(&live);
                known.live = Some(live);
            }
            let changed = known.seq.is_none() || slot.seq.begin() != known.seq;
            if let Some(worker) = self.workers.get_mut(known.worker as usize) {
                worker.numbers_changed |= changed;
                if !worker.is_listed {
                    worker.is_listed = true;
                    self.changed.push(known.worker);
                }
            }
        }
        self.sort(to);
    }

    /// Removes the histograms from the total while some worker is missing from them.
    fn clear_unread(&mut self, to: &mut Snapshot<HeapStorage>) {
        if self.missing > 0 {
            self.withheld = [to.total.poll_time.take(), to.total.schedule_latency.take()];
        }
    }

    /// Restores the histograms of the total.
    fn restore(&mut self, to: &mut Snapshot<HeapStorage>) {
        let [poll_time, schedule_latency] = &mut self.withheld;
        for (withheld, reading) in [
            (poll_time, &mut to.total.poll_time),
            (schedule_latency, &mut to.total.schedule_latency),
        ] {
            if withheld.is_some() {
                *reading = withheld.take();
            }
        }
    }

    fn set_sampling(&mut self, to: &mut Snapshot<HeapStorage>, moment: &Moment) {
        if self.sampling == moment.sampling {
            return;
        }
        self.sampling = moment.sampling;
        let workers = to.workers.iter_mut().chain(&mut to.external);
        let all = workers
            .map(|worker| &mut worker.measurements)
            .chain([&mut to.total]);
        for measurements in all {
            for (reading, sampling) in [&mut measurements.poll_time, &mut measurements.schedule_latency]
                .into_iter()
                .zip(moment.sampling)
            {
                if let Some(reading) = reading {
                    reading.sampling = sampling;
                }
            }
        }
    }

    /// Sets the values of the total that derive from the sums.
    fn finish_total(&mut self, to: &mut Snapshot<HeapStorage>, moment: &Moment) {
        let is_complete = self.missing == 0;
        let known = if is_complete {
            moment.measured.without(self.probed)
        } else {
            MetricSet::NONE
        };
        to.total.numbers.known = known;
        let mean = self.mean.mean();
        to.total.mean_poll_time = (is_complete && mean != 0).then_some(mean >> MEAN_FRACTION);
        let total = &mut to.total;
        for reading in [&mut total.poll_time, &mut total.schedule_latency]
            .into_iter()
            .flatten()
        {
            reading.polls = self.polls;
        }
        self.sum_probed(to);
    }

    /// Clears the times in polls and between them where not every poll was measured. `is_changed` if some worker was read.
    fn clear_partial_states(&mut self, to: &mut Snapshot<HeapStorage>, moment: &Moment, is_changed: bool) {
        let within_busy = moment.measured.without(self.probed).intersection(WITHIN_BUSY);
        if within_busy.has_no_worker() {
            return;
        }
        let is_every = moment.sampling[0] == Sampling::Every;
        if is_changed || self.cleared_for != Some((within_busy, is_every)) {
            self.cleared_for = Some((within_busy, is_every));
            self.measured_every_poll = self.clear_partial_workers(to, within_busy, is_every);
        }
        if !self.measured_every_poll {
            let known = &mut to.total.numbers.known;
            *known = known.without(within_busy);
        }
    }

    /// Clears the times of the workers. Returns whether those of all are known.
    fn clear_partial_workers(
        &self,
        to: &mut Snapshot<HeapStorage>,
        within_busy: MetricSet,
        is_every: bool,
    ) -> bool {
        let mut all = true;
        for worker in self.workers.iter().filter(|worker| worker.index != EXTERNAL) {
            let Some(entry) = worker.entry_of(&mut to.workers, &mut to.external) else {
                continue;
            };
            // A worker that no thread has started has no unmeasured poll.
            if entry.missing || worker.first == NONE {
                continue;
            }
            let is_known = is_every && worker.measured_every_poll;
            let known = &mut entry.measurements.numbers.known;
            *known = if is_known {
                known.union(within_busy)
            } else {
                known.without(within_busy)
            };
            all &= is_known;
        }
        all
    }

    fn read_shared_histograms<T>(
        &mut self,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        probe: &impl Probe,
    ) {
        let host = &registry.shared.host;
        if let (Some(config), Some(cells)) = (&registry.info.blocking_queue_wait, &host.blocking_queue_wait) {
            let read = |buckets: &mut [u64]| cells.try_read(HeapStorage::shared_buckets, config, buckets);
            read_shared(
                &mut to.blocking_queue_wait,
                &mut self.blocking_queue_wait,
                config,
                read,
                probe,
            );
        }
        let lists = to.on_demand.iter_mut().zip(&mut self.on_demand);
        for (name, (list, scratch)) in ON_DEMAND.into_iter().zip(lists) {
            if let Some(histogram) = host.on_demand.get(name) {
                let read = |buckets: &mut [u64]| histogram.try_read(buckets);
                let mut last = list.pop();
                read_shared(&mut last, scratch, &histogram.layout, read, probe);
                list.extend(last);
            }
        }
    }
}

/// Returns whether a set contains the time in a state.
pub(super) fn measures_states(known: MetricSet) -> bool {
    !known
        .intersection(MetricSet::worker(WorkerNumber::STATE_TIMES))
        .has_no_worker()
}

/// Reads a histogram with many writers into scratch space. If records overlap every attempt, the last good value stays,
/// if there is one.
fn read_shared(
    last: &mut Option<HistogramSnapshot<Vec<u64>>>,
    scratch: &mut Option<HistogramSnapshot<Vec<u64>>>,
    config: &HistogramConfig,
    read: impl Fn(&mut [u64]) -> Option<(u64, u64, u64)>,
    probe: &impl Probe,
) {
    if scratch.is_none() {
        *scratch = HistogramSnapshot::new(*config).ok();
    }
    let Some(values) = scratch else {
        return;
    };
    let read = || read(values.buckets_mut());
    if let Some((sum, min, max)) = read_with_retries(read, |attempt| probe.relax(attempt)) {
        values.set_totals(sum, min, max);
        swap(last, scratch);
    }
}
