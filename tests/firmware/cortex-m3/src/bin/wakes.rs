//! A task's stamp that an interrupt marks while the loop marks and takes it, on a chip with 32-bit compare-and-swap only.
//!
//! The interrupt comes after a different number of cycles each time, so that over a million rounds it comes between any two
//! instructions of the loop. Code that waits for the code it interrupted would hang here.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use lm3s6965 as _;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot, StaticRegistryConfig,
    StaticStorage, TaskEnd, TimeSource, Timestamp, WakeStamp,
};

const ROUNDS: u32 = 1_000_000;
const BUCKETS: usize = 20;
/// Just before the ticks carry from the low word of a stamp.
const FIRST: u64 = (1 << 31) - 1_000;
/// Cycles between two interrupts, at least and at most.
const PERIODS: (u32, u32) = (400, 1_400);

/// Ticks with each interrupt.
struct Ticks;

static NOW: AtomicU32 = AtomicU32::new(0);

impl TimeSource for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(FIRST + u64::from(NOW.load(Relaxed)))
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }
}

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets"),
};

const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .name("wakes")
    .schedule_latency(LAYOUT)
    .describe(1_000_000, Duration::from_micros(1))
{
    Ok(config) => config,
    Err(_) => panic!("a histogram of 20 buckets fits"),
};

static METRICS: Registry<StaticStorage<1, BUCKETS>, Ticks> = Registry::new(&CONFIG, Ticks);
static STAMP: WakeStamp = WakeStamp::new();
static WAKES: AtomicU32 = AtomicU32::new(0);
/// The state of an xorshift generator (G. Marsaglia, 2003).
static RANDOM: AtomicU32 = AtomicU32::new(0x9E37_79B9);

#[exception]
fn SysTick() {
    // Nothing preempts this, so loads and stores suffice.
    NOW.store(NOW.load(Relaxed) + 1, Relaxed);
    WAKES.store(WAKES.load(Relaxed) + 1, Relaxed);
    let mut random = RANDOM.load(Relaxed);
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    RANDOM.store(random, Relaxed);
    let reload = PERIODS.0 + random % (PERIODS.1 - PERIODS.0);
    // SAFETY: the loop leaves the timer alone once it runs.
    unsafe { (*cortex_m::peripheral::SYST::PTR).rvr.write(reload) };

    // The task is woken, and another one was spawned and has ended.
    METRICS.stamp(&STAMP);
    let shared = METRICS.shared();
    shared.task_spawned();
    shared.remote_schedule();
    shared.task_ended(TaskEnd::Completed);
}

#[entry]
fn main() -> ! {
    let Some(mut peripherals) = cortex_m::Peripherals::take() else {
        fail("the peripherals were taken")
    };
    peripherals.SYST.set_clock_source(SystClkSource::Core);
    peripherals.SYST.set_reload(PERIODS.0);
    peripherals.SYST.clear_current();
    peripherals.SYST.enable_interrupt();
    peripherals.SYST.enable_counter();
    let Some(worker) = METRICS.worker(0) else {
        fail("there is a worker")
    };
    worker.start_processing_scheduled_tasks();
    let mut taken = 0_u64;
    let mut before = METRICS.clock().now();
    for _ in 0..ROUNDS {
        let scheduled_at = STAMP.take();
        let now = METRICS.clock().now();
        if let Some(at) = scheduled_at {
            taken += 1;
            if at > now || at < before {
                fail("a stamp that nobody set");
            }
        }
        before = now;
        worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        // The task yields: it wakes itself.
        METRICS.stamp(&STAMP);
        METRICS.shared().remote_schedule();
        worker.end_poll();
    }
    peripherals.SYST.disable_counter();

    let wakes = WAKES.load(Relaxed);
    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    let latencies = snapshot
        .total()
        .schedule_latency()
        .map(|reading| reading.samples());
    hprintln!("wakes {}", wakes);
    if wakes < ROUNDS / 100 || taken < u64::from(ROUNDS - 1_000) {
        fail("the interrupt or the stamp was missing");
    }
    if latencies != Some(taken) {
        fail("a latency was lost");
    }
    if snapshot.tasks().map(|tasks| tasks.completed) != Some(u64::from(wakes)) {
        fail("an end was lost");
    }
    let schedules = u64::from(wakes) + u64::from(ROUNDS);
    if snapshot.remote_schedule_count() != Some(schedules) {
        fail("a schedule was lost");
    }
    debug::exit(debug::EXIT_SUCCESS);
    loop {}
}

fn fail(what: &str) -> ! {
    hprintln!("{}", what);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    fail("panicked")
}
