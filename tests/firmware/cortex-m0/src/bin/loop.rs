//! A hand-written loop that measures itself, and an interrupt that reads the metrics while the loop writes them.
//!
//! The interrupt may occur at any instruction of the loop, also inside a write section. Such a reading returns that the worker
//! is busy and keeps the previous values; a later one succeeds. No reading is torn.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::panic::PanicInfo;
use core::time::Duration;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::hprintln;
use critical_section::Mutex;
use firmware_cortex_m0::{CORE_HZ, Registers, fail, start_systick, succeed};
use metrics_core::extend::SysTick as SysTickClock;
use metrics_core::{
    Builder, HistogramConfig, LocationId, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot,
    StaticRegistryConfig, StaticStorage, TaskEnd, Timestamp,
};

/// A prime number of cycles, about a millisecond, so that the interrupt walks over the loop.
const PERIOD: u32 = 15_991;
const ROUNDS: u32 = 6_000;
const BUCKETS: usize = 16;

type Clock = SysTickClock<Registers>;
type Storage = StaticStorage<1, BUCKETS>;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 16 buckets from a microsecond on"),
};

const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .name("loop")
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(CORE_HZ as u64, Duration::from_nanos(63))
{
    Ok(config) => config,
    Err(_) => panic!("two histograms of 16 buckets fit"),
};

static METRICS: Registry<Storage, Clock> =
    Registry::new(&CONFIG, SysTickClock::new(Registers, PERIOD - 1, CORE_HZ));

/// The results of the interrupt's readings.
#[derive(Default)]
struct Seen {
    snapshot: Snapshot<Storage>,
    polls: u64,
    fresh: u32,
    busy: u32,
    /// Readings that succeeded right after one that returned "busy".
    recovered: u32,
    was_busy: bool,
}

static SEEN: Mutex<RefCell<Option<Seen>>> = Mutex::new(RefCell::new(None));

#[exception]
fn SysTick() {
    METRICS.clock().on_interrupt();
    critical_section::with(|cs| {
        if let Some(seen) = SEEN.borrow_ref_mut(cs).as_mut() {
            seen.read();
        }
    });
}

impl Seen {
    fn read(&mut self) {
        RuntimeMetrics::new(&METRICS).snapshot_into(&mut self.snapshot);
        let Some(worker) = self.snapshot.worker(0) else {
            return;
        };
        let busy = worker.staleness().is_some();
        // The values are not yet known if the first readings occur during a write.
        let never_read = worker.staleness().is_some_and(|stale| stale.age.is_none());
        let polls = match worker.poll_count() {
            None if never_read && self.fresh == 0 => 0,
            polls => polls.expect("a poll count"),
        };
        assert!(polls >= self.polls, "a count went back");
        if let Some(reading) = worker.poll_time() {
            assert_eq!(reading.samples(), polls, "a torn reading");
            assert_eq!(reading.histogram().count(), polls, "a torn histogram");
        }
        self.polls = polls;
        self.busy += u32::from(busy);
        self.fresh += u32::from(!busy);
        self.recovered += u32::from(!busy && self.was_busy);
        self.was_busy = busy;
    }
}

/// A task: its period in rounds, and the duration of its polls.
struct Task {
    every: u32,
    work: u32,
}

const TASKS: [Task; 3] = [
    Task { every: 1, work: 20 },
    Task { every: 2, work: 150 },
    Task { every: 5, work: 900 },
];

/// The period in rounds in which no task is due.
const QUIET: u32 = 7;

#[entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    critical_section::with(|cs| *SEEN.borrow_ref_mut(cs) = Some(Seen::default()));
    start_systick(&mut peripherals.SYST, PERIOD);
    peripherals.SYST.enable_interrupt();

    let worker = METRICS.worker(0).expect("worker 0");
    let mut expected = (0_u64, 0_u64);
    for _ in &TASKS {
        worker.task_spawned();
    }
    for round in 0..ROUNDS {
        worker.unpark();
        let woken: Timestamp = worker.now();
        worker.start_processing_scheduled_tasks();
        let quiet = round % QUIET == 0;
        for (spawn_location, task) in (1..)
            .zip(&TASKS)
            .filter(|(_, task)| !quiet && round % task.every == 0)
        {
            worker.start_poll(PollStart {
                scheduled_at: Some(woken),
                spawn_location: LocationId::from_u32(spawn_location),
            });
            for _ in 0..task.work {
                cortex_m::asm::nop();
            }
            worker.end_poll();
            expected.0 += 1;
        }
        worker.end_processing_scheduled_tasks();
        worker.park();
        // The first park of a new worker is never counted.
        expected.1 += u64::from(quiet && round != 0);
    }
    worker.task_ended(TaskEnd::Completed);

    peripherals.SYST.disable_interrupt();
    let mut seen =
        critical_section::with(|cs| SEEN.borrow_ref_mut(cs).take()).expect("the interrupt's readings");
    seen.read();
    let snapshot = &seen.snapshot;
    hprintln!("{}", snapshot.table());
    let worker = snapshot.worker(0).expect("worker 0");
    let (polls, noops) = expected;
    assert_eq!(worker.poll_count(), Some(polls));
    assert_eq!(worker.noop_count(), Some(noops));
    assert_eq!(worker.park_count(), Some(u64::from(ROUNDS)));
    assert_eq!(worker.park_unpark_count(), Some(2 * u64::from(ROUNDS)));
    for reading in [worker.poll_time(), worker.schedule_latency()] {
        assert_eq!(reading.expect("a histogram").histogram().count(), polls);
    }
    let tasks = snapshot.tasks().expect("task counts");
    assert_eq!((tasks.spawned, tasks.completed, tasks.alive()), (3, 1, 2));
    let busy = worker.busy_duration_total().expect("a busy time");
    assert!(busy > Duration::ZERO && busy < snapshot.uptime().expect("a clock"));
    hprintln!(
        "{polls} polls; {} readings in the interrupt, {} found the worker busy",
        seen.fresh + seen.busy,
        seen.busy
    );
    assert!(
        seen.fresh > 100 && seen.busy > 10,
        "the interrupt must hit write sections and miss them"
    );
    assert!(seen.recovered > 10, "a later reading must succeed");
    assert!(!seen.was_busy, "nobody writes now");
    succeed()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(info)
}
