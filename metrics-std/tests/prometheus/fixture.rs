//! A runtime that measures everything there is, driven by hand: every metric has a number in it.

use core::fmt;
use core::time::Duration;
use metrics_core::{
    Builder, Heap, HistogramConfig, MetricSet, PollStart, Probe, Registry, RuntimeMetrics, RuntimeNumber,
    Site, TaskEnd, TimeSource as _, Worker, WorkerNumber,
};
use metrics_mock::ManualClock;
use std::sync::Arc;

type Held = Arc<Registry<Heap, Arc<ManualClock>>>;

/// What the runtime would be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers;

impl Probe for Answers {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        match number {
            RuntimeNumber::GlobalQueueDepth => Some(3),
            RuntimeNumber::NumBlockingThreads => Some(5),
            RuntimeNumber::NumIdleBlockingThreads => Some(4),
            RuntimeNumber::BlockingQueueDepth => Some(0),
            _ => None,
        }
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[WorkerNumber::LocalQueueDepth])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        (number == WorkerNumber::LocalQueueDepth).then_some(worker as u64 + 1)
    }

    fn write_site(&self, site: Site, out: &mut dyn fmt::Write) -> fmt::Result {
        // A path that needs escaping in a label.
        write!(out, "src\\a \"task\".rs:{}", site.as_u32())
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "worker-{thread}")
    }
}

/// A runtime of two workers: worker 0 parked after `polls` polls, worker 1 inside a poll.
pub(crate) struct Fixture {
    pub(crate) metrics: RuntimeMetrics<Held, Answers>,
    clock: Arc<ManualClock>,
    workers: [Worker<Held>; 2],
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        let clock = Arc::new(ManualClock::new());
        let registry = Builder::new()
            .name(name)
            .workers(2)
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .blocking_queue_wait(HistogramConfig::DEFAULT)
            .started_at(1_790_000_000_000_000_000)
            .epoch(u64::MAX)
            .build(Arc::clone(&clock))
            .expect("the defaults work");
        let lease = |index| Worker::lease(Arc::clone(&registry), index).expect("a slot for every worker");
        let fixture = Self {
            workers: [lease(0), lease(1)],
            metrics: RuntimeMetrics::with_probe(registry, Answers),
            clock,
        };
        fixture.count_everything();
        fixture
    }

    /// Polls on worker 0 that take `durations`, each scheduled a microsecond before.
    pub(crate) fn poll(&self, durations: impl IntoIterator<Item = Duration>) {
        let worker = &self.workers[0];
        worker.unpark();
        worker.start_processing_scheduled_tasks();
        for duration in durations {
            let scheduled_at = Some(self.clock.now());
            self.clock.advance(Duration::from_micros(1));
            // The time between two polls is not the second one's.
            worker.discard_last_timestamp();
            worker.start_poll(PollStart {
                scheduled_at,
                site: Site::from_u32(7),
            });
            self.clock.advance(duration);
            worker.end_poll();
        }
        worker.end_processing_scheduled_tasks();
        worker.park();
    }

    fn count_everything(&self) {
        for (number, worker) in self.workers.iter().enumerate() {
            worker.set_thread(number as u64 + 1);
            worker.park();
            worker.unpark();
            worker.park();
            worker.unpark();
            worker.incr_steal_count(3);
            worker.incr_steal_operations();
            worker.inc_local_schedule_count();
            worker.incr_overflow_count(128);
            worker.incr_budget_forced_yield_count();
            worker.incr_root_polls();
            worker.incr_nested_polls();
            for end in [TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked] {
                worker.task_spawned();
                worker.task_ended(end);
            }
            worker.task_spawned();
            worker.park();
        }
        let shared = self.metrics.registry().shared();
        shared.remote_schedule();
        shared.io_registered();
        shared.io_deregistered();
        shared.io_ready(2);
        let queued = self.clock.now();
        self.clock.advance(Duration::from_millis(1));
        shared.blocking_started(queued, self.clock.now());
        self.poll([Duration::from_micros(5)]);

        let stuck = &self.workers[1];
        stuck.unpark();
        stuck.start_processing_scheduled_tasks();
        stuck.start_poll(PollStart {
            scheduled_at: Some(self.clock.now()),
            site: Site::from_u32(8),
        });
        self.clock.advance(Duration::from_millis(60));
    }

    /// A counter that the workers really counted.
    pub(crate) fn counter(&self, counter: WorkerNumber) -> u64 {
        self.metrics.counter(counter).expect("every counter is supplied")
    }
}
