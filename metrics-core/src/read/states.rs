//! The time of a worker in each state: what its slot counts, and the time in progress.

use crate::catalog::{MetricSet, WorkerNumber};
use crate::counters::CounterValues;
use crate::live::{LiveRecord, UNTIMED, WorkerState};
use crate::snapshot::HistogramReading;
use crate::storage::Storage;

/// The time of a worker in each state, in nanoseconds. What remains of busy time is running time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StateTimes {
    pub(crate) busy: u64,
    pub(crate) parked: u64,
    pub(crate) searching: u64,
    /// Time in measured polls.
    pub(crate) polling: u64,
}

/// The state of a thread after the time up to which its slot counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    state: WorkerState,
    /// In ticks; [`UNTIMED`] if it is not known, or if no thread runs the worker.
    from: u64,
    /// The start of the measured poll in progress, or [`UNTIMED`].
    poll_from: u64,
}

impl Period {
    pub(crate) const NONE: Self = Self {
        state: WorkerState::Idle,
        from: UNTIMED,
        poll_from: UNTIMED,
    };

    /// Returns the period in progress. `settled_at` is the time up to which the slot counts. The time after a poll that has
    /// ended belongs to it until its duration is submitted (`is_submitted`). A thread that `lost` its worker to another
    /// thread finishes its poll in progress, and is in no state otherwise.
    pub(crate) fn of(live: &LiveRecord, settled_at: u64, is_submitted: bool, lost: bool) -> Self {
        if lost && live.state != WorkerState::Polling {
            return Self::NONE;
        }
        if live.period == WorkerState::Idle {
            return Self::NONE;
        }
        let counts = |since: u64| live.state == WorkerState::Polling || !is_submitted && since >= settled_at;
        let polls = live.is_of_poll && live.period == WorkerState::Running;
        Self {
            state: live.period,
            from: live.period_since.max(settled_at),
            poll_from: match live.since {
                Some(since) if polls && counts(since.ticks()) => since.ticks().max(settled_at),
                _ => UNTIMED,
            },
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.from == UNTIMED
    }
}

impl StateTimes {
    /// Returns the time in each state that a slot counts, without that in polls.
    pub(crate) fn settled(values: &CounterValues) -> Self {
        Self {
            busy: values.get(WorkerNumber::BusyDurationTotal),
            parked: values.get(WorkerNumber::ParkedDurationTotal),
            searching: values.get(WorkerNumber::SearchingDurationTotal),
            polling: 0,
        }
    }

    /// Adds the time in progress. `nanos_since` returns the nanoseconds since a time in ticks.
    pub(crate) fn add(&mut self, period: &Period, nanos_since: impl Fn(u64) -> u64) {
        if period.is_none() {
            return;
        }
        let time = match period.state {
            WorkerState::Parked => &mut self.parked,
            WorkerState::Searching => &mut self.searching,
            _ => &mut self.busy,
        };
        *time = time.saturating_add(nanos_since(period.from));
        if period.poll_from != UNTIMED {
            self.polling = self.polling.saturating_add(nanos_since(period.poll_from));
        }
    }

    /// Returns the value of each of [`WorkerNumber::STATE_TIMES`], which is not less than the value `before`: a reader can see
    /// a state before the values submitted with it, and a poll in busy time before its duration.
    pub(crate) fn since(&self, before: impl Fn(WorkerNumber) -> u64) -> [(WorkerNumber, u64); 5] {
        use WorkerNumber::{
            BusyDurationTotal, ParkedDurationTotal, PollingDurationTotal, RunningDurationTotal,
            SearchingDurationTotal,
        };
        let busy = self.busy.max(before(BusyDurationTotal));
        // Busy time is the sum of the other two, so both have room to grow within it.
        let running = busy
            .saturating_sub(self.polling)
            .min(busy.saturating_sub(before(PollingDurationTotal)))
            .max(before(RunningDurationTotal));
        // A thread may poll tasks without the hooks of busy time.
        let polling = if self.polling > busy {
            self.polling
        } else {
            busy.saturating_sub(running)
        };
        [
            (BusyDurationTotal, busy),
            (ParkedDurationTotal, self.parked.max(before(ParkedDurationTotal))),
            (
                SearchingDurationTotal,
                self.searching.max(before(SearchingDurationTotal)),
            ),
            (PollingDurationTotal, polling.max(before(PollingDurationTotal))),
            (RunningDurationTotal, running),
        ]
    }
}

/// The times that are known only if every poll so far was measured.
pub(super) const WITHIN_BUSY: MetricSet = MetricSet::worker(&[
    WorkerNumber::PollingDurationTotal,
    WorkerNumber::RunningDurationTotal,
]);

/// Returns whether the duration of every poll so far is known.
pub(super) fn measured_every_poll<S: Storage>(poll_time: Option<&HistogramReading<S>>) -> bool {
    poll_time.is_some_and(|reading| reading.polls() <= reading.samples())
}

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod tests {
    use crate::read::manual_clock::ManualClock;
    use crate::storage::sealed::Sealed;
    use crate::{Builder, HistogramConfig, MetricSet, PollStart, RuntimeMetrics, Worker, WorkerNumber};
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_time_in_each_state_of_a_stale_worker_is_that_after_its_last_values() {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .build(ManualClock::default())
            .unwrap();
        // The second thread does nothing, but its slot can't be read.
        let workers = [(); 2].map(|()| Worker::lease(registry.clone(), 0).unwrap());
        let mut reader = RuntimeMetrics::new(registry.clone()).reader();
        let mut states = || {
            let worker = reader.read().worker(0).unwrap();
            let times = [
                WorkerNumber::RunningDurationTotal,
                WorkerNumber::PollingDurationTotal,
            ];
            let times = times.map(|number| worker.measurements().counter(number).unwrap());
            (times, worker.staleness().is_some())
        };
        workers[0].start_processing_scheduled_tasks();
        assert_eq!(states(), ([0, 0], false));
        workers[0].start_poll(PollStart::default());
        registry.clock().advance(10);
        workers[0].end_poll();
        workers[0].submit();
        workers[1].submit();
        let slot = registry.storage.slots().nth(1).unwrap();
        let seq = slot.seq.open();
        assert_eq!(states(), ([0, 10], true), "the poll is not in the values");
        slot.seq.close(seq);
        assert_eq!(states(), ([0, 10], false));
        registry.clock().advance(5);
        assert_eq!(states(), ([5, 10], false));
    }
}
