//! The slots that serve one worker, which are read and applied together.

use super::cache::Cache;
use super::remembered::NONE;
use super::runtime::{Moment, known};
use super::states::Period;
use super::{set_state, set_thread};
use crate::catalog::WorkerNumber;
use crate::counters::MEAN_FRACTION;
use crate::live::{UNTIMED, WorkerState};
use crate::probe::Probe;
use crate::registry::Registry;
use crate::slot::{EXTERNAL, read_with_retries};
use crate::snapshot::Snapshot;
use crate::storage::HeapStorage;
use crate::time::{TimeSource, Timestamp};

impl Cache {
    /// Updates one worker.
    pub(super) fn read_worker<T: TimeSource>(
        &mut self,
        place: u32,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        moment: &Moment,
        probe: &impl Probe,
    ) {
        let Some(worker) = self.workers.get(place as usize) else {
            return;
        };
        if worker.numbers_changed {
            let is_read = self.read_slots(worker.first, registry, probe);
            self.apply(place, is_read, to, registry, moment);
        }
        self.apply_state(place, to, moment, probe);
        if let Some(worker) = self.workers.get_mut(place as usize) {
            worker.is_listed = false;
        }
    }

    /// Reads the slots of a worker into scratch space. Returns `true` if all of them could be read.
    #[inline(never)]
    fn read_slots<T: TimeSource>(
        &mut self,
        first: u32,
        registry: &Registry<HeapStorage, T>,
        probe: &impl Probe,
    ) -> bool {
        let [sum, one] = &mut self.scratch;
        let mut number = first;
        while let Some(known) = self.slots.get_mut(number as usize) {
            let Some(slot) = registry.storage.at(number as usize) else {
                return false;
            };
            let scratch = if number == first { &mut *sum } else { &mut *one };
            let read = || slot.seq.try_read_counted(|| scratch.read(slot));
            let read = read_with_retries(read, |attempt| probe.relax(attempt));
            known.seq = read.map(|((), seq)| seq);
            if known.seq.is_none() {
                return false;
            }
            scratch.weigh();
            (known.thread, known.read_until) = (scratch.values.thread, scratch.values.settled_at);
            if number != first {
                sum.add(one);
            }
            number = known.next;
        }
        true
    }

    /// Applies the values read for a worker: all of them or none.
    #[inline(never)]
    fn apply<T>(
        &mut self,
        place: u32,
        is_read: bool,
        to: &mut Snapshot<HeapStorage>,
        registry: &Registry<HeapStorage, T>,
        moment: &Moment,
    ) {
        let Some(worker) = self.workers.get_mut(place as usize) else {
            return;
        };
        let Snapshot {
            total,
            workers,
            external,
            ..
        } = to;
        let Some(entry) = worker.entry_of(workers, external) else {
            return;
        };
        worker.numbers_changed = false;
        let mut number = worker.first;
        while let Some(slot) = self.slots.get_mut(number as usize) {
            if is_read {
                slot.settled_at = slot.read_until;
            } else {
                // The values do not include it.
                slot.is_submitted = false;
            }
            number = slot.next;
        }
        let now = &mut entry.measurements;
        if !is_read {
            if !worker.is_read && !entry.missing {
                entry.missing = true;
                self.missing += 1;
                // The values that the runtime reports are known.
                now.numbers.known = now.numbers.known.intersection(self.probed);
                (now.poll_time, now.schedule_latency) = (None, None);
            }
            moment.mark_stale(entry);
            return;
        }
        if entry.missing {
            entry.missing = false;
            self.missing -= 1;
            let blank = moment.blank(registry, known(worker.index, moment, self.probed));
            now.numbers.known = now.numbers.known.union(blank.numbers.known);
            (now.poll_time, now.schedule_latency) = (blank.poll_time, blank.schedule_latency);
        }
        worker.is_read = true;
        entry.stale = None;

        let [sum, _] = &self.scratch;
        let polls = sum.polls();
        let mut values = sum.values.values;
        let old = &mut now.numbers.values;
        // `pass_time` adds the time in progress.
        worker.settled = sum.state_times();
        worker.recomputes_states = worker.measures_states;
        for &number in WorkerNumber::STATE_TIMES {
            values[number as usize] = old[number as usize];
        }
        if worker.index != EXTERNAL && !self.probed.has_no_worker() {
            for &number in WorkerNumber::ALL {
                if self.probed.has_worker(number) {
                    values[number as usize] = old[number as usize];
                }
            }
        }
        for ((total, old), new) in total.numbers.values.iter_mut().zip(old).zip(values) {
            *total = total.wrapping_add(new.wrapping_sub(*old));
            *old = new;
        }
        self.polls = self.polls.wrapping_add(polls.wrapping_sub(worker.polls));
        worker.polls = polls;
        self.mean.replace(worker.mean, sum.mean);
        worker.mean = sum.mean;
        let mean = sum.mean.mean();
        now.mean_poll_time = (mean != 0).then_some(mean >> MEAN_FRACTION);
        let samples = sum
            .poll_time
            .apply(polls, &mut now.poll_time, &mut total.poll_time);
        worker.samples = worker.samples.wrapping_add(samples);
        worker.measured_every_poll =
            worker.measures_states && now.poll_time.is_some() && polls <= worker.samples;
        let latency = (&mut now.schedule_latency, &mut total.schedule_latency);
        sum.schedule_latency.apply(polls, latency.0, latency.1);
    }

    /// Finds the slot of the thread that runs a worker now, and applies its live record.
    fn apply_state(
        &mut self,
        place: u32,
        to: &mut Snapshot<HeapStorage>,
        moment: &Moment,
        probe: &impl Probe,
    ) {
        let Some(worker) = self.workers.get_mut(place as usize) else {
            return;
        };
        let Some(entry) = worker.entry_of(&mut to.workers, &mut to.external) else {
            return;
        };
        let mut holder = NONE;
        let mut number = worker.first;
        while let Some(slot) = self.slots.get(number as usize) {
            let found = self.slots.get(holder as usize);
            if slot.holder.is_leased() && found.is_none_or(|found| slot.supersedes(found)) {
                holder = number;
            }
            number = slot.next;
        }
        let live = self.slots.get(holder as usize).and_then(|slot| slot.live);
        let thread = self.slots.get(holder as usize).map_or(0, |slot| slot.thread);
        worker.has_period = false;
        let mut number = worker.first;
        while let Some(slot) = self.slots.get_mut(number as usize) {
            slot.period = match &slot.live {
                Some(record) if slot.holder.is_leased() => {
                    let lost = live.is_some_and(|live| !record.supersedes(&live));
                    Period::of(record, slot.settled_at, slot.is_submitted, lost)
                }
                _ => Period::NONE,
            };
            worker.has_period |= !slot.period.is_none();
            number = slot.next;
        }
        worker.has_period &= worker.measures_states;
        worker.recomputes_states = worker.measures_states;
        let since = live.and_then(|live| live.since);
        worker.since = since.map_or(UNTIMED, Timestamp::ticks);
        worker.live_state = live.map_or(WorkerState::Idle, |live| live.state);
        set_state(
            entry,
            live.as_ref(),
            worker.index != EXTERNAL && moment.reports_running,
            probe,
        );
        set_thread(entry, thread, probe);
    }

    /// Sets the values that depend only on the time of the snapshot.
    pub(super) fn pass_time(&mut self, to: &mut Snapshot<HeapStorage>, moment: &Moment) {
        if !moment.timed {
            return;
        }
        let Snapshot {
            total,
            workers,
            external,
            ..
        } = to;
        let by_hooks = moment.measured.without(self.probed);
        for worker in &mut self.workers {
            if worker.since == UNTIMED && !worker.recomputes_states {
                continue;
            }
            let Some(entry) = worker.entry_of(workers, external) else {
                continue;
            };
            entry.state_for = match worker.since {
                UNTIMED => None,
                since => moment.age(Timestamp::from_ticks(since)),
            };
            if !worker.recomputes_states || entry.missing {
                continue;
            }
            worker.recomputes_states = worker.has_period;
            let mut times = worker.settled;
            let mut number = worker.first;
            while worker.has_period
                && let Some(slot) = self.slots.get(number as usize)
            {
                times.add(&slot.period, |since| moment.nanos_since(since));
                number = slot.next;
            }
            if by_hooks.has_worker(WorkerNumber::BusyDurationTotal) {
                entry.busy_in_progress = Some(times.busy.saturating_sub(worker.settled.busy));
            }
            let values = &mut entry.measurements.numbers.values;
            for (number, new) in times.since(|number| values[number as usize]) {
                if by_hooks.has_worker(number) {
                    let (sum, old) = (
                        &mut total.numbers.values[number as usize],
                        &mut values[number as usize],
                    );
                    *sum = sum.wrapping_add(new.wrapping_sub(*old));
                    *old = new;
                }
            }
        }
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use crate::read::manual_clock::ManualClock;
    use crate::slot::TRIES;
    use crate::storage::HeapStorage;
    use crate::storage::sealed::Sealed;
    use crate::{
        Builder, HistogramConfig, HistogramReading, MetricSet, NoClock, PollStart, Probe, Registry,
        RuntimeMetrics, Snapshot, Staleness, Worker, WorkerInterval, WorkerSinceError,
    };
    use alloc::rc::Rc;
    use alloc::sync::Arc;
    use core::cell::Cell;
    use core::time::Duration;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_worker_with_one_unreadable_slot_keeps_all_its_numbers() {
        let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap();
        let workers = [(); 2].map(|()| Worker::lease(registry.clone(), 0).unwrap());
        let poll = || {
            for worker in &workers {
                worker.start_poll(PollStart::default());
                worker.end_poll();
                worker.submit();
            }
        };
        let mut reader = RuntimeMetrics::new(registry.clone()).reader();
        poll();
        assert_eq!(reader.read().total().poll_count(), Some(2));

        poll();
        // The other thread is in the middle of a submit during every attempt.
        let slot = registry.storage.slots().nth(1).unwrap();
        let seq = slot.seq.open();
        let snapshot = reader.read();
        let worker = snapshot.worker(0).unwrap();
        assert_eq!(
            worker.poll_count(),
            Some(2),
            "not three: none of it is of this reading"
        );
        assert_eq!(worker.staleness(), Some(Staleness { age: None }));
        assert_eq!(snapshot.total().poll_count(), Some(2));
        let fresh = RuntimeMetrics::new(registry.clone()).snapshot();
        let worker = fresh.worker(0).unwrap();
        assert!(worker.is_missing());
        assert_eq!(
            (worker.poll_count(), fresh.total().poll_count()),
            (None, None),
            "not zero"
        );

        slot.seq.close(seq);
        let snapshot = reader.read();
        assert_eq!(snapshot.worker(0).unwrap().staleness(), None);
        assert_eq!(snapshot.total().poll_count(), Some(4));
    }

    /// Ends a write to the first slot after the last attempt to read it.
    #[derive(Clone)]
    struct EndsWrite {
        registry: Arc<Registry<HeapStorage, NoClock>>,
        seq: Rc<Cell<Option<u32>>>,
    }

    impl Probe for EndsWrite {
        fn relax(&self, attempt: u32) {
            if attempt == TRIES - 1
                && let Some(seq) = self.seq.take()
            {
                self.registry.storage.at(0).unwrap().seq.close(seq);
            }
        }
    }

    #[test]
    fn a_submit_that_ends_after_the_last_attempt_is_in_the_next_snapshot() {
        let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap();
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        let probe = EndsWrite {
            registry: registry.clone(),
            seq: Rc::default(),
        };
        let metrics = RuntimeMetrics::with_probe(registry.clone(), probe.clone());
        let mut reader = metrics.reader();
        assert_eq!(reader.read().total().poll_count(), Some(0));
        worker.start_poll(PollStart::default());
        worker.end_poll();
        worker.submit();
        probe.seq.set(Some(registry.storage.at(0).unwrap().seq.open()));
        let stale = reader.read().worker(0).unwrap();
        assert_eq!((stale.poll_count(), stale.staleness().is_some()), (Some(0), true));
        let read = reader.read().worker(0).unwrap();
        assert_eq!((read.poll_count(), read.staleness()), (Some(1), None));
    }

    #[test]
    fn a_worker_that_could_not_be_read_at_first_is_read_later() {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .build(ManualClock::default())
            .unwrap();
        let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
        for worker in &workers {
            worker.start_poll(PollStart::default());
            worker.end_poll();
            worker.submit();
        }
        let mut reader = RuntimeMetrics::new(registry.clone()).reader();
        let mut total = || {
            let total = reader.read().total();
            let poll_time = total.poll_time().map(|reading| reading.histogram().count());
            (total.poll_count(), poll_time)
        };
        let slot = registry.storage.slots().nth(1).unwrap();
        let seq = slot.seq.open();
        assert_eq!(total(), (None, None), "one worker is missing");
        slot.seq.close(seq);
        assert_eq!(total(), (Some(2), Some(2)));
        assert_eq!(total(), (Some(2), Some(2)));
    }

    #[test]
    fn an_interval_between_two_readers_names_the_workers_that_went_back() {
        let registry = Builder::new().measures(MetricSet::ALL).build(NoClock).unwrap();
        let workers = [0, 1].map(|index| Worker::lease(registry.clone(), index).unwrap());
        let poll = || {
            for worker in &workers {
                worker.start_poll(PollStart::default());
                worker.end_poll();
                worker.submit();
            }
        };
        let metrics = RuntimeMetrics::new(registry.clone());
        let mut late = metrics.reader();
        poll();
        late.read();
        poll();
        let before = metrics.snapshot();
        let slot = registry.storage.slots().next().unwrap();
        let seq = slot.seq.open();
        let after = late.read().clone();
        slot.seq.close(seq);
        assert_eq!(
            after.worker(0).unwrap().poll_count(),
            Some(1),
            "older than that of the other reader"
        );

        let interval = after.since(&before).unwrap();
        let went_back = interval.worker(0).unwrap();
        assert_eq!(
            (went_back.error(), went_back.poll_count()),
            (Some(WorkerSinceError::NotEarlier), None)
        );
        let other = interval.worker(1).unwrap();
        assert_eq!((other.error(), other.poll_count()), (None, Some(0)));
        assert_eq!(interval.total().error(), Some(WorkerSinceError::NotEarlier));
    }

    #[test]
    fn snapshots_of_readers_that_read_in_turn_during_a_submit_never_go_back() {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .build(ManualClock::default())
            .unwrap();
        let pass = |nanos| registry.clock().advance(nanos);
        let worker = Worker::lease(registry.clone(), 0).unwrap();
        let metrics = RuntimeMetrics::new(registry.clone());
        let mut readers = [metrics.reader(), metrics.reader()];
        let mut last = readers.each_mut().map(|reader| reader.read().clone());
        let values = |snapshot: &Snapshot<HeapStorage>| {
            let total = snapshot.total();
            let samples = total.poll_time().map(HistogramReading::samples);
            (total.poll_count(), samples, total.busy_duration_total())
        };
        let mut read = || {
            let now = readers.each_mut().map(|reader| {
                let snapshot = reader.read().clone();
                pass(10);
                snapshot
            });
            for (now, last) in now.iter().zip(&last) {
                let interval = now.since(last).unwrap();
                let errors = interval.workers().iter().filter_map(WorkerInterval::error);
                assert_eq!(errors.count(), 0, "the earlier snapshot is of the same reader");
                assert!(values(now) >= values(last));
            }
            last = now;
            last.each_ref().map(values)
        };
        let nanos = |nanos| Some(Duration::from_nanos(nanos));

        worker.start_processing_scheduled_tasks();
        pass(100);
        assert_eq!(
            read(),
            [(Some(0), Some(0), nanos(100)), (Some(0), Some(0), nanos(110))]
        );
        worker.start_poll(PollStart::default());
        pass(100);
        worker.end_poll();
        worker.end_processing_scheduled_tasks();
        worker.park();
        // The worker has parked, and its submit of the poll and of the busy time lasts during both readings.
        let slot = registry.storage.slots().next().unwrap();
        let seq = slot.seq.open();
        assert_eq!(
            read(),
            [(Some(0), Some(0), nanos(100)), (Some(0), Some(0), nanos(110))],
            "each reader keeps the values that it had"
        );
        slot.seq.close(seq);
        assert_eq!(read(), [(Some(1), Some(1), nanos(220)); 2]);
    }
}
