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

pub(crate) const MEGAHERTZ: u64 = 1_000_000;
/// A tick of a watch crystal is not a whole number of nanoseconds.
const CRYSTAL: u64 = 32_768;

/// A configuration without interrupt handlers.
pub(crate) struct Plain<const RATE: u64 = MEGAHERTZ>;

impl<const E: usize, const RATE: u64> EmbassyConfig<E, BUCKETS> for Plain<RATE> {
    const REGISTRY: StaticRegistryConfig<E, BUCKETS> = config(RATE);
}

pub(crate) const fn config<const E: usize>(rate: u64) -> StaticRegistryConfig<E, BUCKETS> {
    let Ok(layout) = HistogramConfig::power_of_two(1_000, BUCKETS) else {
        panic!("the layout fits");
    };
    let builder = Builder::new().measures(MEASURED).name("embassy");
    let builder = builder.poll_time(layout).schedule_latency(layout);
    match builder.describe(rate, Duration::from_micros(1)) {
        Ok(config) => config,
        Err(_) => panic!("the registry fits"),
    }
}

type Metrics<K, const E: usize, const N: usize> = EmbassyMetrics<K, &'static TestClock, E, N, BUCKETS>;
type Trace<const E: usize, const N: usize> = TraceSnapshot<FixedTrace<E, N>>;

/// Metrics of up to `E` executors and `N` tasks, with their clock.
pub(crate) struct Player<const E: usize, const N: usize, K: EmbassyConfig<E, BUCKETS> = Plain> {
    clock: &'static TestClock,
    pub(crate) metrics: &'static Metrics<K, E, N>,
    /// Receives the same hooks at the same ticks. Every time is then the conversion of the same number of ticks.
    crystal: Option<Box<Player<E, N, Plain<CRYSTAL>>>>,
}

impl<const E: usize, const N: usize, K: EmbassyConfig<E, BUCKETS>> Player<E, N, K> {
    pub(crate) fn new() -> Self {
        Self::with_rate(MEGAHERTZ)
    }

    fn with_rate(rate: u64) -> Self {
        let clock: &'static TestClock = Box::leak(Box::new(TestClock::with_rate(rate)));
        Self {
            clock,
            metrics: Box::leak(Box::new(EmbassyMetrics::new(clock))),
            crystal: None,
        }
    }

    /// Like [`new`](Self::new), and checks the times of every trace with a second clock rate.
    pub(crate) fn at_two_rates() -> Self {
        Self {
            crystal: Some(Box::new(Player::with_rate(CRYSTAL))),
            ..Self::new()
        }
    }

    pub(crate) fn at(&self, micros: u64) -> &Self {
        self.clock.set(micros);
        if let Some(crystal) = &self.crystal {
            crystal.at(micros);
        }
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
            crystal: None,
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
        if let Some(crystal) = &self.crystal {
            crystal.hook_on(core, hook);
        }
        self
    }

    pub(crate) fn play(&self, events: &[Event]) -> &Self {
        for &(micros, hook) in events {
            self.at(micros).hook(hook);
        }
        self
    }

    pub(crate) fn trace(&self) -> Trace<E, N> {
        let trace = self.metrics.trace();
        if let Some(crystal) = &self.crystal {
            assert_times_at_crystal(&trace, &crystal.trace());
        }
        trace
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

/// Checks that the times of a trace at 32,768 Hz are those of one at 1 MHz with the same ticks.
fn assert_times_at_crystal<const E: usize, const N: usize>(exact: &Trace<E, N>, crystal: &Trace<E, N>) {
    let expected = |nanos: u64| nanos / us(1) * 1_000_000_000 / CRYSTAL;
    for (exact, crystal) in exact.executors.iter().zip(&crystal.executors) {
        let times = |row: &ExecutorRow| {
            [
                row.idle,
                row.scheduling,
                row.polling,
                row.preempted,
                row.in_progress,
            ]
        };
        assert_eq!(times(crystal), times(exact).map(expected), "at 32,768 Hz");
    }
    for (exact, crystal) in exact.tasks.iter().zip(&crystal.tasks) {
        let times = |row: &TaskRow| [row.active, row.waiting, row.longest];
        assert_eq!(times(crystal), times(exact).map(expected), "at 32,768 Hz");
    }
}

/// Converts microseconds to the nanoseconds of snapshots.
pub(crate) const fn us(micros: u64) -> u64 {
    micros * 1_000
}
