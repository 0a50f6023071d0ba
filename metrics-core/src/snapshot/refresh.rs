//! Bringing a snapshot up to date with a registry.

use super::Snapshot;
use super::measurements::{HistogramReading, Measurements};
use super::row::Row;
use super::update::{Reading, Sums};
use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::counters::WORKER_NUMBERS;
use crate::histogram::{HistogramConfig, HistogramSnapshot};
use crate::live::LiveRecord;
use crate::options::Sampling;
use crate::probe::Probe;
use crate::registry::Registry;
use crate::slot::{FOREIGN, Holder, Slot, persist};
use crate::storage::{Rows, Storage, Text};
use crate::sync::RECORDING;
use crate::time::{TimeSource, Timestamp};
use core::fmt::Write;

/// What threads that are no workers move: they have no queue, and nobody tells when they park.
const FOREIGN_COUNTERS: MetricSet = MetricSet::worker(&[
    WorkerNumber::PollCount,
    WorkerNumber::BudgetForcedYieldCount,
    WorkerNumber::RootPolls,
    WorkerNumber::NestedPolls,
]);

impl<S: Storage> Snapshot<S> {
    /// Takes a new reading over the old one. Slots that did not move since are passed over.
    pub(crate) fn refresh<T: TimeSource>(&mut self, registry: &Registry<S, T>, probe: &impl Probe) {
        if !RECORDING {
            return;
        }
        let facts = &registry.facts;
        let identity = core::ptr::from_ref(registry).addr();
        if self.identity != identity || self.epoch != facts.epoch {
            self.reset(registry, identity);
        }
        let tasks = registry.task_counts();
        self.tasks = facts
            .measures
            .has_runtime(RuntimeNumber::SpawnedTasksCount)
            .then_some(tasks);
        let earlier = self.taken_at;
        let now = if facts.timed {
            registry.clock.now()
        } else {
            facts.started
        };
        self.taken_at = now;
        self.uptime = facts.timed.then(|| facts.scale.nanos(now, facts.started));
        self.poll_time_sampling = registry.options.poll_time();
        self.schedule_latency_sampling = registry.options.schedule_latency();
        self.num_workers = probe.num_workers().unwrap_or(facts.num_workers);

        self.sums.total.supplied = self.supplied;
        self.make_rows(registry);
        let (mut moved, mut unread) = (false, false);
        let rows = self.rows.as_mut_slice().iter_mut();
        let rows = rows.zip(self.names.as_mut_slice());
        for (slot, (row, names)) in registry.storage.slots().zip(rows) {
            let news = row.refresh(slot, &mut self.sums, earlier, probe);
            moved |= news.numbers;
            unread |= news.unread;
            if news.names {
                names.refresh(row, probe);
            }
        }
        if moved {
            self.sums.settle();
        }
        self.unread = unread;
        if unread {
            self.sums.total.supplied = MetricSet::NONE;
        }
        for &number in RuntimeNumber::ALL {
            self.read_runtime_number(number, probe.runtime(number), || {
                registry.runtime_number(number, &tasks)
            });
        }
        self.read_blocking_queue_wait(registry, probe);
        self.read_worker_numbers(probe);
    }

    /// A row for each slot that has none yet, as far as there is room.
    fn make_rows<T>(&mut self, registry: &Registry<S, T>) {
        for _ in registry.storage.slots().skip(self.rows.as_slice().len()) {
            let row = Row {
                holder: Holder::default(),
                seq: None,
                stale: false,
                live: None,
                read_at: self.taken_at,
                data: Measurements {
                    supplied: MetricSet::NONE,
                    ..self.blank(registry)
                },
            };
            if self.names.try_push(Names::default()).is_err() || self.rows.try_push(row).is_err() {
                break;
            }
        }
    }

    fn reset<T: TimeSource>(&mut self, registry: &Registry<S, T>, identity: usize) {
        let facts = &registry.facts;
        *self = Self::default();
        self.identity = identity;
        self.epoch = facts.epoch;
        self.started_at = facts.started_at;
        self.scale = facts.scale;
        self.timed = facts.timed;
        self.supplied = registry.measured();
        // A name that does not fit is cut, as documented.
        let _ = self.name.write_str(facts.name.as_ref());
        self.sums.total = self.blank(registry);
        self.sums.before = self.blank(registry);
    }

    fn blank<T>(&self, registry: &Registry<S, T>) -> Measurements<S> {
        let facts = &registry.facts;
        let reading = |config: Option<&HistogramConfig>| {
            let config = *config.filter(|_| facts.timed)?;
            // Fixed storage was checked to hold the buckets when the registry was made.
            let histogram = HistogramSnapshot::new(config).ok()?;
            Some(HistogramReading {
                histogram,
                sampling: Sampling::Every,
                polls: 0,
            })
        };
        Measurements {
            poll_time: reading(facts.poll_time.get()),
            schedule_latency: reading(facts.schedule_latency.get()),
            ..Measurements::new(self.supplied)
        }
    }

    /// Takes over what the runtime reports itself, else what its hooks counted. A counter that the runtime reported once and reports
    /// no more keeps its last value: the hooks' own count would not continue from there.
    fn read_runtime_number(
        &mut self,
        number: RuntimeNumber,
        reported: Option<u64>,
        counted: impl FnOnce() -> Option<u64>,
    ) {
        if reported.is_some() {
            self.probed = self.probed.union(MetricSet::runtime(&[number]));
        } else if number.is_counter() && self.probed.has_runtime(number) {
            return;
        }
        self.runtime.set(number, reported.or_else(counted));
    }

    fn read_blocking_queue_wait<T>(&mut self, registry: &Registry<S, T>, probe: &impl Probe) {
        let host = S::host(&registry.shared.host);
        let (Some(config), Some(cells)) = (
            &registry.facts.blocking_queue_wait,
            host.and_then(|host| host.blocking_queue_wait.as_ref()),
        ) else {
            return;
        };
        if self.blocking_queue_wait.is_none() {
            self.blocking_queue_wait = HistogramSnapshot::new(*config).ok();
            self.blocking_scratch.clone_from(&self.blocking_queue_wait);
        }
        if let Some(scratch) = &mut self.blocking_scratch {
            let read = || cells.try_read(S::shared_buckets, scratch.buckets_mut());
            // Records that overlap every try leave the last good reading in place.
            if let Some((sum, min, max)) = persist(read, |attempt| probe.relax(attempt)) {
                scratch.set_totals(sum, min, max);
                core::mem::swap(&mut self.blocking_queue_wait, &mut self.blocking_scratch);
            }
        }
    }

    fn read_worker_numbers(&mut self, probe: &impl Probe) {
        // A counter that the runtime reported once stays the runtime's: the hooks' own count would not continue from there.
        self.hosted = self.hosted.union(probe.worker_numbers());
        if self.hosted.has_no_worker() {
            return;
        }
        for worker in 0..self.num_workers {
            if self.host.as_slice().len() <= worker && self.host.try_push(Hosted::default()).is_err() {
                break;
            }
            if let Some(host) = self.host.as_mut_slice().get_mut(worker) {
                host.refresh(worker, self.hosted, probe);
            }
        }
    }
}

/// Names that a row's numbers stand for, looked up when a number changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names<X> {
    pub(super) thread_number: u64,
    pub(crate) thread: X,
    pub(super) site_number: crate::Site,
    pub(crate) site: X,
}

impl<X: Text> Names<X> {
    /// Asks for those whose numbers have changed.
    #[inline(never)]
    fn refresh<S: Storage>(&mut self, row: &Row<S>, probe: &impl Probe) {
        let (thread, site) = (row.data.values.thread, row.site());
        if self.thread_number != thread {
            self.thread_number = thread;
            self.thread.clear();
            let _ = probe.write_thread(thread, &mut self.thread);
        }
        if self.site_number != site {
            self.site_number = site;
            self.site.clear();
            let _ = probe.write_site(site, &mut self.site);
        }
    }
}

/// What the runtime reported itself for one worker, as of its last answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hosted {
    /// The numbers that it reported, gauges only if it reports them still.
    pub(super) told: MetricSet,
    pub(super) values: [u64; WORKER_NUMBERS],
}

impl Hosted {
    /// Takes over what the runtime reports. A counter that it reports no more keeps its value; a gauge is forgotten.
    fn refresh(&mut self, worker: usize, numbers: MetricSet, probe: &impl Probe) {
        for &number in WorkerNumber::ALL {
            if !numbers.has_worker(number) {
                continue;
            }
            let this = MetricSet::worker(&[number]);
            if let Some(value) = probe.worker(worker, number) {
                self.told = self.told.union(this);
                self.values[number as usize] = value;
            } else if !number.is_counter() {
                self.told = self.told.without(this);
            }
        }
    }
}

/// What has moved in a slot since the last snapshot.
#[derive(Clone, Copy, Default)]
struct News {
    /// Counters and histograms.
    numbers: bool,
    /// What names stand for.
    names: bool,
    /// Nothing: the numbers could never be read.
    unread: bool,
}

impl<S: Storage> Row<S> {
    /// What has moved. Most often nothing has, which is all that is asked here.
    #[inline(always)]
    fn refresh(
        &mut self,
        slot: &Slot<S::Buckets>,
        sums: &mut Sums<S>,
        earlier: Timestamp,
        probe: &impl Probe,
    ) -> News {
        let mut news = News::default();
        self.holder = slot.lease.holder();
        if self.holder.worker().is_none() {
            return news;
        }
        // A live record is written before the first submit, and between two.
        let known = |live: &LiveRecord| slot.live.is_still(live);
        if !self.live.as_ref().is_some_and(known) {
            if let Some(live) = slot.live(|attempt| probe.relax(attempt)) {
                news.names = self.site() != live.site;
                self.live = Some(live);
            }
        }
        if self.seq.is_some() && slot.seq.begin() == self.seq {
            if self.stale {
                self.stale = false;
            }
            return news;
        }
        let thread = self.data.values.thread;
        news.numbers = self.refresh_numbers(slot, sums, earlier, probe);
        news.unread = self.is_unread();
        news.names |= self.data.values.thread != thread;
        news
    }

    /// Whether the numbers could be read. A slot that is written through every try keeps its last state, marked stale; that
    /// was still so at the `earlier` snapshot.
    #[inline(never)]
    fn refresh_numbers(
        &mut self,
        slot: &Slot<S::Buckets>,
        sums: &mut Sums<S>,
        earlier: Timestamp,
        probe: &impl Probe,
    ) -> bool {
        let stale = self.stale;
        let read = persist(
            || Reading::new(self, sums, slot).try_read(),
            |attempt| probe.relax(attempt),
        );
        self.stale = read.is_none();
        let Some(seq) = read else {
            if !stale {
                self.read_at = earlier;
            }
            return false;
        };
        self.data.supplied = match self.holder.worker() {
            Some(FOREIGN) => sums.total.supplied.intersection(FOREIGN_COUNTERS),
            _ => sums.total.supplied,
        };
        self.seq = Some(seq);
        true
    }

    /// The spawn site whose name is told.
    fn site(&self) -> crate::Site {
        self.live.map_or(crate::Site::UNKNOWN, |live| live.site)
    }
}
