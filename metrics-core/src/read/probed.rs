//! The per-worker metrics that the runtime reports itself.

use super::cache::{Cache, measures_states};
use super::known_state;
use super::runtime::Moment;
use crate::catalog::WorkerNumber;
use crate::probe::Probe;
use crate::registry::Registry;
use crate::slot::EXTERNAL;
use crate::snapshot::Snapshot;
use crate::storage::HeapStorage;

impl Cache {
    /// Reads the metrics of every worker. A counter that the runtime no longer reports keeps its last value.
    pub(super) fn read_probed<T>(
        &mut self,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        moment: &Moment,
        probe: &impl Probe,
    ) {
        let reported = probe.worker_numbers();
        let new = reported.without(self.probed);
        self.probed = self.probed.union(reported);
        if self.probed.has_no_worker() {
            return;
        }
        for entry in &mut to.workers {
            // The count of the hooks does not continue from the runtime's, nor the other way round.
            let numbers = &mut entry.measurements.numbers;
            numbers.known = numbers.known.without(new);
        }
        let probes_busy = self.probed.has_worker(WorkerNumber::BusyDurationTotal);
        let by_hooks = measures_states(moment.measured.without(self.probed));
        for index in 0..to.num_workers {
            self.place(index, to, registry, moment);
        }
        for worker in self.workers.iter_mut().filter(|worker| worker.index != EXTERNAL) {
            let is_reported = worker.index < to.num_workers;
            worker.measures_states &= by_hooks;
            let Some(entry) = worker.entry_of(&mut to.workers, &mut to.external) else {
                continue;
            };
            for &number in WorkerNumber::ALL {
                if !self.probed.has_worker(number) {
                    continue;
                }
                let value = if is_reported {
                    probe.worker(worker.index, number)
                } else {
                    None
                };
                if value.is_some() || !number.is_counter() {
                    entry.measurements.numbers.set(number, value);
                }
            }
            let state = (is_reported && probes_busy).then(|| probe.worker_state(worker.index));
            if let Some(state) = state.flatten()
                && let Some(busy) = state.busy
            {
                let numbers = &mut entry.measurements.numbers;
                let before = numbers.get(WorkerNumber::BusyDurationTotal).unwrap_or(0);
                let busy = busy.saturating_add(state.in_progress.unwrap_or(0));
                numbers.set(WorkerNumber::BusyDurationTotal, Some(busy.max(before)));
                entry.busy_in_progress = state.in_progress;
            }
        }
    }

    /// Sets the states of the workers, if the runtime reports whether they are parked.
    pub(super) fn set_probed_states(
        &self,
        to: &mut Snapshot<HeapStorage>,
        moment: &Moment,
        probe: &impl Probe,
    ) {
        if self.probed.has_no_worker() {
            return;
        }
        for worker in self.workers.iter().filter(|worker| worker.index < to.num_workers) {
            let Some(state) = probe.worker_state(worker.index) else {
                continue;
            };
            let Some(entry) = worker.entry_of(&mut to.workers, &mut to.external) else {
                continue;
            };
            let known = known_state(worker.live_state, state.parked, moment.reports_running);
            // The live record has the time of another state.
            if known != Some(worker.live_state) {
                entry.state_for = None;
            }
            entry.state = known;
        }
    }

    /// Computes the sums. A metric that the runtime does not report for each worker is `None` in the sum.
    pub(super) fn sum_probed(&self, to: &mut Snapshot<HeapStorage>) {
        if self.probed.has_no_worker() {
            return;
        }
        for &number in WorkerNumber::ALL {
            if !self.probed.has_worker(number) {
                continue;
            }
            let (mut sum, mut reported) = (0_u64, 0);
            for worker in &to.workers {
                if let Some(value) = worker.measurements.counter(number) {
                    sum = sum.wrapping_add(value);
                    reported += usize::from(worker.index() < to.num_workers);
                }
            }
            let is_whole = reported == to.num_workers;
            to.total.numbers.set(number, is_whole.then_some(sum));
        }
    }
}
