//! One worker out of the rows that serve its index.

use super::refresh::Hosted;
use super::row::Row;
use super::{Measurements, Snapshot, Staleness, WorkerSnapshot};
use crate::catalog::{MetricSet, WorkerNumber};
use crate::live::{UNTIMED, WorkerState};
use crate::storage::{Rows, Storage};
use crate::time::Timestamp;
use core::time::Duration;

impl<S: Storage> Snapshot<S> {
    /// The sum of its slots, and what the thread that has it now is doing.
    pub(super) fn gather(&self, index: usize) -> WorkerSnapshot<S> {
        let mut worker = WorkerSnapshot {
            index,
            measurements: Measurements::new(self.supplied),
            live: None,
            live_for: None,
            busy_in_progress: None,
            thread: None,
            thread_name: S::Text::default(),
            site_name: S::Text::default(),
            stale: None,
        };
        let rows = || {
            let rows = self.rows.as_slice().iter().enumerate();
            rows.filter(move |(_, row)| row.worker() == Some(index))
        };
        // The slot of the thread that has the worker now.
        let mut holder: Option<(usize, &Row<S>)> = None;
        let mut supplied: Option<MetricSet> = None;
        for (i, row) in rows() {
            worker.measurements.absorb(&row.data);
            supplied = Some(supplied.map_or(row.data.supplied, |set| set.intersection(row.data.supplied)));
            if row.stale {
                let age = self
                    .timed
                    .then(|| Duration::from_nanos(self.scale.nanos(self.taken_at, row.read_at)));
                worker.stale = Some(Staleness {
                    age: age.filter(|_| row.seq.is_some()),
                });
            }
            if row.holder.is_leased() && holder.is_none_or(|(_, found)| row.supersedes(found)) {
                holder = Some((i, row));
            }
        }
        worker.measurements.supplied = supplied.unwrap_or(self.supplied);
        if self.is_unread(index) {
            worker.measurements.withhold();
        }
        if let Some(host) = self.host.as_slice().get(index) {
            for &counter in WorkerNumber::ALL {
                if self.hosted.has_worker(counter) {
                    let told = host.told.has_worker(counter);
                    let value = told.then_some(host.values[counter as usize]);
                    worker.measurements.set(counter, value);
                }
            }
        }
        if let Some((i, row)) = holder {
            worker.live = row.live;
            worker.thread = Some(row.data.values.thread).filter(|&thread| thread != 0);
            if let Some(names) = self.names.as_slice().get(i) {
                worker.thread_name.clone_from(&names.thread);
                worker.site_name.clone_from(&names.site);
            }
        }
        let holder = holder.map(|(_, row)| row);
        worker.busy_in_progress =
            self.busy_in_progress(&worker.measurements, holder, rows().map(|(_, row)| row));
        worker.live_for = worker
            .live
            .filter(|_| self.timed)
            .and_then(|live| live.age(self.taken_at, &self.scale));
        self.label(&mut worker.measurements);
        worker
    }

    /// Busy time of a worker's threads that is not settled yet; `None` where nobody settles any.
    fn busy_in_progress<'a>(
        &self,
        worker: &Measurements<S>,
        holder: Option<&Row<S>>,
        rows: impl Iterator<Item = &'a Row<S>>,
    ) -> Option<Duration>
    where
        S: 'a,
    {
        if !self.timed || !worker.supplied.has_worker(WorkerNumber::BusyDurationTotal) {
            return None;
        }
        let mut nanos = 0_u64;
        for row in rows.filter(|row| row.holder.is_leased()) {
            let Some(live) = row.live else {
                continue;
            };
            // A thread that lost its worker has its own poll to end, and else nothing to be busy with.
            let lost = holder.is_some_and(|holder| !row.supersedes(holder));
            let from = live.busy_since().max(row.data.values.settled_at);
            // An idle worker has nothing in progress, also where the difference of two stamps may wrap.
            if from != UNTIMED && (live.state == WorkerState::Polling || !lost) {
                let since = Timestamp::from_ticks(from);
                nanos = nanos.saturating_add(self.scale.nanos(self.taken_at, since));
            }
        }
        Some(Duration::from_nanos(nanos))
    }

    /// Says how the histograms are switched.
    pub(super) fn label(&self, measurements: &mut Measurements<S>) {
        if let Some(reading) = &mut measurements.poll_time {
            reading.sampling = self.poll_time_sampling;
        }
        if let Some(reading) = &mut measurements.schedule_latency {
            reading.sampling = self.schedule_latency_sampling;
        }
    }

    /// What the runtime counted itself, over all workers. `None` if it never told it of one.
    pub(super) fn hosted_total(&self, counter: WorkerNumber) -> Option<u64> {
        let hosts = self.host.as_slice();
        let tells = |host: &&Hosted| host.told.has_worker(counter);
        let told = hosts.iter().take(self.num_workers).filter(tells).count();
        // A worker that a pool has given up counts on.
        let sum = hosts
            .iter()
            .filter(tells)
            .fold(0_u64, |sum, host| sum.wrapping_add(host.values[counter as usize]));
        (told == self.num_workers).then_some(sum)
    }

    /// Whether some slot of a worker could never be read.
    pub(super) fn is_unread(&self, worker: usize) -> bool {
        let of = |row: &&Row<S>| row.worker() == Some(worker);
        self.rows.as_slice().iter().filter(of).any(Row::is_unread)
    }
}
