//! A scripted runtime of two workers that measures everything.
// Not every test that takes this in uses all of it.
#![allow(dead_code)]

use core::time::Duration;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, HistogramSnapshot, MetricSet, Registry, RuntimeMetrics, Worker,
    WorkerNumber,
};
use metrics_mock::{ManualClock, MockProbe, MockRuntime};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) type Handle = Arc<Registry<HeapStorage, Arc<ManualClock>>>;

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn registry(clock: &Arc<ManualClock>) -> Handle {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .blocking_queue_wait(HistogramConfig::DEFAULT)
        .build(Arc::clone(clock))
        .unwrap()
}

pub(crate) fn workers(registry: &Handle) -> Vec<Worker<Handle>> {
    let lease = |index| Worker::lease(Arc::clone(registry), index).unwrap();
    (0..2).map(lease).collect()
}

pub(crate) struct Fixture {
    pub(crate) metrics: RuntimeMetrics<Handle, MockProbe>,
    pub(crate) runtime: MockRuntime<Handle>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let registry = registry(&clock);
        let workers = workers(&registry);
        let probe = MockProbe::new(2);
        Self {
            metrics: RuntimeMetrics::with_probe(registry, probe.clone()),
            runtime: MockRuntime::with_probe(workers, Arc::clone(&clock), &probe),
            clock,
        }
    }

    /// The numbers that a step changes and by how much, in the order of their names.
    pub(crate) fn changes(&self, step: impl FnOnce(&MockRuntime<Handle>)) -> Vec<(&'static str, u64)> {
        let before = self.numbers();
        step(&self.runtime);
        let changed = self
            .numbers()
            .into_iter()
            .map(|(name, after)| (name, after - before[name]));
        changed.filter(|&(_, change)| change != 0).collect()
    }

    fn numbers(&self) -> BTreeMap<&'static str, u64> {
        self.runtime.flush();
        let snapshot = self.metrics.snapshot();
        let total = snapshot.total();
        // Only a probe reports these.
        let reported = [
            WorkerNumber::OnCpuDurationTotal,
            WorkerNumber::RunnableWaitDurationTotal,
            WorkerNumber::LocalQueueDepth,
        ];
        let counters = WorkerNumber::ALL
            .iter()
            .filter(|number| !reported.contains(number))
            .map(|&counter| (counter.name(), total.counter(counter).unwrap()));
        let mut numbers: BTreeMap<_, _> = counters.collect();
        numbers.extend([
            ("spawned", snapshot.spawned_tasks_count().unwrap()),
            ("completed", snapshot.completed_tasks_count().unwrap()),
            ("cancelled", snapshot.cancelled_tasks_count().unwrap()),
            ("panicked", snapshot.panicked_tasks_count().unwrap()),
            ("remote_schedule_count", snapshot.remote_schedule_count().unwrap()),
        ]);
        let mut histogram = |name, sum, histogram: &HistogramSnapshot<_>| {
            numbers.insert(name, histogram.count());
            numbers.insert(sum, histogram.sum());
        };
        histogram(
            "poll_time",
            "poll_time sum",
            total.poll_time().unwrap().histogram(),
        );
        let latency = total.schedule_latency().unwrap().histogram();
        histogram("schedule_latency", "schedule_latency sum", latency);
        let wait = snapshot.blocking_queue_wait().unwrap();
        histogram("blocking_queue_wait", "blocking_queue_wait sum", wait);
        numbers
    }

    /// Tasks in the global queue, and in those of workers 0 and 1.
    pub(crate) fn depths(&self) -> [Option<u64>; 3] {
        let local = |worker| self.metrics.worker_local_queue_depth(worker).unwrap();
        [self.metrics.global_queue_depth(), local(0), local(1)]
    }
}
