//! Reads the metrics that Tokio itself counts.

use core::time::Duration;
use metrics_core::{MetricSet, Probe, ProbedState, RuntimeNumber, WorkerNumber};
use portable_atomic::Ordering;
use std::sync::Arc;

use super::busy_clock::BusyTime;
use super::leases::{Hooks, TokioLeases};
use super::sentinel::Watched;
use super::worker_threads::WorkerThreads;
use crate::os::Os;
use crate::record::target::RecordingTarget;

/// Reports Tokio's own metrics. Only readers hold it. After the runtime has shut down, it holds no part of the runtime.
pub(super) struct TokioProbe {
    watched: Arc<Watched>,
    target: Arc<RecordingTarget>,
    leases: Arc<TokioLeases>,
    threads: WorkerThreads,
    /// Whether the registry's clock measures the same time as Tokio's.
    is_real_time: bool,
}

impl TokioProbe {
    pub(super) fn new(
        watched: &Arc<Watched>,
        target: &Arc<RecordingTarget>,
        leases: &Arc<TokioLeases>,
        os: Os,
    ) -> Self {
        Self {
            watched: Arc::clone(watched),
            target: Arc::clone(target),
            leases: Arc::clone(leases),
            threads: WorkerThreads::new(os),
            is_real_time: target.registry.clock().is_real_time(),
        }
    }

    /// Returns a number that changes whenever the worker parks or Tokio updates its busy time, so while the worker makes progress.
    /// Tokio does not update the busy time during a poll.
    fn progress(&self, worker: usize) -> Option<u64> {
        if !self.watched.is_running() {
            return None;
        }
        // Both only increase, so an unchanged sum shows that neither has changed.
        let parks = self.watched.worker(worker, WorkerNumber::ParkUnparkCount)?;
        let busy = self.watched.worker(worker, WorkerNumber::BusyDurationTotal)?;
        Some(busy.wrapping_add(parks))
    }

    /// Returns Tokio's own busy time if it is comparable with the other times of the registry. It lacks the time that precedes a
    /// `block_in_place`.
    fn comparable_busy(&self, worker: usize) -> Option<u64> {
        self.watched
            .worker(worker, WorkerNumber::BusyDurationTotal)
            .filter(|_| self.is_real_time)
    }
}

/// The times that the operating system reports.
const OS_TIMES: MetricSet = MetricSet::worker(&[
    WorkerNumber::OnCpuDurationTotal,
    WorkerNumber::RunnableWaitDurationTotal,
]);

/// Returns the per-worker metrics that are not counted in the slots of threads. Tokio has counters only with 64-bit atomics (`wide`).
fn worker_numbers(wide: bool) -> MetricSet {
    let mut numbers = MetricSet::worker(&[WorkerNumber::BusyDurationTotal]);
    if cfg!(target_os = "linux") {
        numbers = numbers.union(OS_TIMES);
    }
    if wide {
        numbers = numbers.union(MetricSet::worker(&[
            WorkerNumber::ParkCount,
            WorkerNumber::ParkUnparkCount,
        ]));
    }
    if cfg!(tokio_unstable) {
        numbers = numbers.union(MetricSet::worker(&[WorkerNumber::LocalQueueDepth]));
    }
    if wide && cfg!(tokio_unstable) {
        numbers = numbers.union(MetricSet::worker(&[
            WorkerNumber::NoopCount,
            WorkerNumber::StealCount,
            WorkerNumber::StealOperations,
            WorkerNumber::LocalScheduleCount,
            WorkerNumber::OverflowCount,
        ]));
    }
    numbers
}

impl Probe for TokioProbe {
    fn num_workers(&self) -> Option<usize> {
        Some(self.watched.num_workers())
    }

    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        match number {
            // Without hooks only wrapped tasks are measured, and the wrappers count those.
            RuntimeNumber::CoveredTasks if self.leases.hooks() == Hooks::None => return None,
            RuntimeNumber::CpuThrottledDurationTotal => return Some(self.threads.throttling()?.nanos),
            RuntimeNumber::CpuThrottledCount => return Some(self.threads.throttling()?.periods),
            _ => {}
        }
        let value = self.watched.runtime(number)?;
        Some(match number {
            RuntimeNumber::NumAliveTasks | RuntimeNumber::CoveredTasks => {
                // Ordering: relaxed: no other data depends on the number.
                let local_tasks = self.target.local_tasks.load(Ordering::Relaxed) as u64;
                (value + local_tasks).saturating_sub(self.leases.probes())
            }
            _ => value,
        })
    }

    fn timer_overdue(&self) -> Option<Duration> {
        // The other times of the registry would not be comparable.
        let overdue = self.leases.timer().overdue();
        overdue.filter(|_| self.is_real_time && self.watched.is_running())
    }

    fn worker_numbers(&self) -> MetricSet {
        worker_numbers(cfg!(target_has_atomic = "64"))
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        // After the end, a thread that called `block_on` goes on with other work, so the last values stay.
        let thread = || self.leases.thread(worker).filter(|_| self.watched.is_running());
        let times = || self.threads.times(worker, thread());
        match number {
            WorkerNumber::BusyDurationTotal => {
                let busy = self.leases.busy(worker).map(BusyTime::total);
                busy.or_else(|| self.comparable_busy(worker))
            }
            WorkerNumber::OnCpuDurationTotal => Some(times()?.on_cpu),
            WorkerNumber::RunnableWaitDurationTotal => Some(times()?.runnable_wait),
            _ => self.watched.worker(worker, number),
        }
    }

    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        if let Some(busy) = self.leases.busy(worker) {
            return Some(ProbedState {
                // The clock is also stopped if no thread runs the worker.
                parked: self.leases.is_running().then_some(busy.is_parked),
                busy: Some(busy.settled),
                in_progress: Some(busy.in_progress),
                progress: self.progress(worker),
            });
        }
        Some(ProbedState {
            parked: self.watched.is_parked(worker),
            busy: self.comparable_busy(worker),
            in_progress: None,
            // The number of a worker that no thread drives does not change either.
            progress: if self.watched.is_multi_thread() {
                self.progress(worker)
            } else {
                None
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock};
    use std::path::Path;
    use tokio::runtime::Handle;

    fn probe(runtime: &Handle, clock: Clock) -> TokioProbe {
        let registry = Builder::new().build(clock).unwrap();
        let leases = Arc::new(TokioLeases::hooked(&registry, false));
        leases.set_runtime(runtime);
        let target = Arc::new(RecordingTarget::new(registry));
        TokioProbe::new(&Watched::new(runtime), &target, &leases, Os::at(Path::new("/")))
    }

    #[test]
    fn tokios_busy_time_is_reported_only_by_a_clock_of_real_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let busy = |clock| probe(runtime.handle(), clock).worker(0, WorkerNumber::BusyDurationTotal);
        assert_eq!(busy(Clock::instant()).is_some(), cfg!(target_has_atomic = "64"));
        assert_eq!(busy(Clock::custom(metrics_mock::ManualClock::new())), None);
    }

    /// Tokio counts parks with 64-bit atomics only.
    #[cfg(target_has_atomic = "64")]
    #[test]
    fn a_worker_that_parks_makes_progress() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().unwrap();
        let probe = probe(runtime.handle(), Clock::instant());
        let before = probe.progress(0).unwrap();
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        assert_ne!(probe.progress(0).unwrap(), before);
        let state = probe.worker_state(0).unwrap();
        assert_eq!(
            state.progress, None,
            "nothing drives it between two calls of `block_on`"
        );
    }

    #[test]
    fn what_tokio_does_not_count_reads_none() {
        let counters = WorkerNumber::COUNTERS;
        let narrow = worker_numbers(false).without(OS_TIMES);
        let counted: Vec<_> = counters
            .iter()
            .filter(|&&number| narrow.has_worker(number))
            .collect();
        assert_eq!(
            counted,
            [&WorkerNumber::BusyDurationTotal],
            "the hooks measure it"
        );
        let steals = worker_numbers(true).has_worker(WorkerNumber::StealCount);
        assert_eq!(steals, cfg!(tokio_unstable));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let probe = probe(runtime.handle(), Clock::instant());
        assert_eq!(probe.worker(0, WorkerNumber::OverflowTasks), None);
        assert_eq!(
            probe.worker(1, WorkerNumber::BusyDurationTotal),
            None,
            "it has one worker"
        );
    }
}
