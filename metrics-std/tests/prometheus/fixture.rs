//! A scripted runtime that measures everything there is: every metric has a number in it.

use core::fmt;
use core::time::Duration;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, LagKind, LocationId, MetricSet, Probe, Registry, RuntimeMetrics,
    RuntimeNumber, StallKind, TaskEnd, Worker, WorkerNumber,
};
use metrics_mock::{ManualClock, MockRuntime, TaskId};
use std::sync::Arc;

type Held = Arc<Registry<HeapStorage, Arc<ManualClock>>>;

/// The values that the runtime reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers;

impl Probe for Answers {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        match number {
            // The hooks count these.
            RuntimeNumber::CoveredTasks | RuntimeNumber::NumAliveTasks => None,
            RuntimeNumber::BlockingQueueDepth => Some(0),
            RuntimeNumber::CpuThrottledDurationTotal => Some(40_000_000),
            RuntimeNumber::CpuThrottledCount => Some(2),
            gauge if !gauge.is_counter() => Some(3),
            _ => None,
        }
    }

    fn worker_numbers(&self) -> MetricSet {
        MetricSet::worker(&[
            WorkerNumber::OnCpuDurationTotal,
            WorkerNumber::RunnableWaitDurationTotal,
            WorkerNumber::LocalQueueDepth,
        ])
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        match number {
            WorkerNumber::OnCpuDurationTotal => Some(50_000_000),
            WorkerNumber::RunnableWaitDurationTotal => Some(10_000_000),
            WorkerNumber::LocalQueueDepth => Some(worker as u64 + 1),
            _ => None,
        }
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        // A path that needs escaping in a label.
        write!(out, "src\\a \"task\".rs:{}", spawn_location.as_u32())
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "worker-{thread}")
    }
}

/// A runtime of two workers: worker 0 is parked, worker 1 has been in a poll for 60 ms.
pub(crate) struct Fixture {
    pub(crate) metrics: RuntimeMetrics<Held, Answers>,
    runtime: MockRuntime<Held>,
    /// A task of worker 0.
    task: TaskId,
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
        let runtime = MockRuntime::new(vec![lease(0), lease(1)], clock);
        let worker = runtime.worker(0);
        let task = worker.spawn(LocationId::from_u32(7));
        worker.poll(task, Duration::from_micros(5));
        let fixture = Self {
            metrics: RuntimeMetrics::with_probe(registry, Answers),
            runtime,
            task,
        };
        fixture.count_everything();
        fixture
    }

    /// Polls on worker 0 that take `durations`, each scheduled a microsecond before.
    pub(crate) fn poll(&self, durations: impl IntoIterator<Item = Duration>) {
        let worker = self.runtime.worker(0);
        worker.unpark();
        for duration in durations {
            worker.wake(self.task);
            self.runtime.advance(Duration::from_micros(1));
            worker.poll(self.task, duration);
        }
        worker.park();
    }

    fn count_everything(&self) {
        let runtime = &self.runtime;
        for position in 0..2 {
            let (worker, thief) = (runtime.worker(position), runtime.worker(1 - position));
            worker.hooks().set_thread(position as u64 + 1);
            worker.hooks().inc_nested_polls();
            worker.poll_root(Duration::ZERO);
            worker.park_for(Duration::ZERO);
            worker.park_for(Duration::ZERO);
            let tasks = [(); 3].map(|()| worker.spawn(LocationId::from_u32(7)));
            thief.steal(&tasks[..1]);
            worker.overflow(&tasks[1..2]);
            worker.start_poll(tasks[2]);
            worker.force_yield();
            worker.end_poll();
            for (task, end) in
                tasks
                    .into_iter()
                    .zip([TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked])
            {
                worker.end(task, end);
            }
        }
        let shared = self.metrics.registry().shared();
        shared.io_registered();
        shared.io_deregistered();
        shared.io_ready(2);
        let kinds = [StallKind::Poll, StallKind::NoProgress, StallKind::Queue];
        assert!(shared.begin_stall_watch(&kinds));
        for kind in kinds {
            shared.stalled(kind);
            shared.stall_ended(kind, Duration::from_millis(70));
        }
        assert!(shared.begin_load_watch());
        for kind in [LagKind::Loop, LagKind::Wake] {
            shared.measure_lag(kind, HistogramConfig::DEFAULT);
            shared.record_lag(kind, Duration::from_millis(3));
        }
        runtime.block(Duration::from_millis(1));
        runtime.worker(0).park();

        let stuck = runtime.worker(1);
        let task = runtime.spawn(LocationId::from_u32(8));
        stuck.start_poll(task);
        stuck.submit();
        runtime.advance(Duration::from_millis(60));
    }

    /// A counter that the workers counted themselves.
    pub(crate) fn counter(&self, counter: WorkerNumber) -> u64 {
        self.metrics
            .counter(counter)
            .unwrap()
            .expect("every counter is supplied")
    }
}
