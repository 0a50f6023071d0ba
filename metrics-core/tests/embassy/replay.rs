//! Replays a sequence of hooks, each at a given microsecond, into an `EmbassyMetrics`.

#[path = "../common/clock.rs"]
mod clock;

use clock::TestClock;
use core::time::Duration;
use metrics_core::embassy::{
    EmbassyConfig, EmbassyMetrics, EmbassyStorage, ExecutorRow, FixedTrace, MEASURED, TaskRow, TraceSnapshot,
};
use metrics_core::{Builder, HistogramConfig, Snapshot, StaticRegistryConfig, TaskCounts};

/// The call of a hook. Executors and tasks are embassy's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    PollStart(u32),
    New(u32, u32),
    Ready(u32, u32),
    Begin(u32, u32),
    End(u32, u32),
    TaskEnd(u32, u32),
    Idle(u32),
}

pub(crate) type Event = (u64, Hook);

pub(crate) const BUCKETS: usize = 32;

/// A configuration without interrupt handlers.
pub(crate) struct Plain;

impl<const E: usize> EmbassyConfig<E, BUCKETS> for Plain {
    const REGISTRY: StaticRegistryConfig<E, BUCKETS> = config();
}

pub(crate) const fn config<const E: usize>() -> StaticRegistryConfig<E, BUCKETS> {
    let Ok(layout) = HistogramConfig::power_of_two(1_000, BUCKETS) else {
        panic!("the layout fits");
    };
    let builder = Builder::new().measures(MEASURED).name("embassy");
    let builder = builder.poll_time(layout).schedule_latency(layout);
    match builder.describe(1_000_000, Duration::from_micros(1)) {
        Ok(config) => config,
        Err(_) => panic!("the registry fits"),
    }
}

/// Metrics of up to `E` executors and `N` tasks, with their clock.
pub(crate) struct Player<const E: usize, const N: usize, K: EmbassyConfig<E, BUCKETS> = Plain> {
    clock: &'static TestClock,
    pub(crate) metrics: &'static EmbassyMetrics<K, &'static TestClock, E, N, BUCKETS>,
}

impl<const E: usize, const N: usize, K: EmbassyConfig<E, BUCKETS>> Player<E, N, K> {
    pub(crate) fn new() -> Self {
        let clock: &'static TestClock = Box::leak(Box::new(TestClock::with_rate(1_000_000)));
        Self {
            clock,
            metrics: Box::leak(Box::new(EmbassyMetrics::new(clock))),
        }
    }

    pub(crate) fn at(&self, micros: u64) -> &Self {
        self.clock.set(micros);
        self
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.ticks()
    }

    /// Runs `interrupt` during the clock read with this number, counted from now.
    pub(crate) fn interrupt_at(&self, reading: u64, interrupt: impl FnOnce(&Self) + Send + 'static) {
        let player = Self {
            clock: self.clock,
            metrics: self.metrics,
        };
        self.clock.interrupt_at(reading, move || interrupt(&player));
    }

    pub(crate) fn hook(&self, hook: Hook) -> &Self {
        self.hook_on(0, hook)
    }

    pub(crate) fn hook_on(&self, core: usize, hook: Hook) -> &Self {
        match hook {
            Hook::PollStart(executor) => self.metrics.poll_start(executor, core),
            Hook::New(executor, task) => self.metrics.task_new(executor, task),
            Hook::Ready(executor, task) => self.metrics.task_ready_begin(executor, task),
            Hook::Begin(executor, task) => self.metrics.task_exec_begin(executor, task),
            Hook::End(executor, task) => self.metrics.task_exec_end(executor, task),
            Hook::TaskEnd(executor, task) => self.metrics.task_end(executor, task),
            Hook::Idle(executor) => self.metrics.executor_idle(executor),
        }
        self
    }

    pub(crate) fn play(&self, events: &[Event]) -> &Self {
        for &(micros, hook) in events {
            self.at(micros).hook(hook);
        }
        self
    }

    pub(crate) fn trace(&self) -> TraceSnapshot<FixedTrace<E, N>> {
        self.metrics.trace()
    }

    pub(crate) fn snapshot(&self) -> Snapshot<EmbassyStorage<K, E, BUCKETS>> {
        let mut snapshot = Snapshot::EMPTY;
        self.metrics.metrics().snapshot_into(&mut snapshot);
        snapshot
    }

    pub(crate) fn executor(&self, index: usize) -> ExecutorRow {
        self.trace().executors[index]
    }

    pub(crate) fn tasks(&self) -> TaskCounts {
        self.snapshot().tasks().expect("task counts")
    }

    pub(crate) fn task(&self, executor: u32, task: u32) -> TaskRow {
        *self.trace().task(executor, task).expect("a row for the task")
    }
}

/// Converts microseconds to the nanoseconds of snapshots.
pub(crate) const fn us(micros: u64) -> u64 {
    micros * 1_000
}
