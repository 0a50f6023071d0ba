//! Instructions per poll, as QEMU counts them.
//!
//! Under `-icount shift=6` every instruction takes 64 ns of virtual time, and `SysTick` counts that time at 16 MHz: a difference
//! of two readings, times 62.5 ns, by 64 ns, is the instructions between them, whatever the machine that emulates is doing.
//! A thousand polls are measured and the same loop without one is taken off. A poll is a call of its own here: its hooks and
//! the call count, and nothing else.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;
use core::time::Duration;

use cortex_m::peripheral::SYST;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use firmware_cortex_m0::{CORE_HZ, FreeSysTick, fail, start_systick, succeed};
use metrics_core::extend::ExtendedCounter;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, NoClock, PollStart, Registry, StaticRegistryConfig, StaticStorage,
    TaskEnd, TimeSource,
};

const BUCKETS: usize = 20;
type Clock = ExtendedCounter<FreeSysTick>;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

const COUNTED: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .describe(0, Duration::ZERO)
{
    Ok(config) => config,
    Err(_) => panic!("no histogram always fits"),
};

const TIMED: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .poll_time(LAYOUT)
    .describe(CORE_HZ as u64, Duration::from_nanos(63))
{
    Ok(config) => config,
    Err(_) => panic!("20 buckets fit"),
};

static WITHOUT_CLOCK: Registry<StaticStorage<1, BUCKETS>, NoClock> = Registry::new(&COUNTED, NoClock);
static WITH_CLOCK: Registry<StaticStorage<1, BUCKETS>, Clock> =
    Registry::new(&TIMED, ExtendedCounter::new(FreeSysTick, CORE_HZ));

#[inline(never)]
fn counted_poll() {
    if let Some(worker) = WITHOUT_CLOCK.worker(0) {
        worker.start_poll(PollStart::default());
        black_box(());
        worker.end_poll();
    }
}

#[inline(never)]
fn timed_poll() {
    if let Some(worker) = WITH_CLOCK.worker(0) {
        worker.start_poll(PollStart::default());
        black_box(());
        worker.end_poll();
    }
}

/// All hooks that a loop calls. A test checks that they reach no critical section and mask no interrupt.
#[unsafe(no_mangle)]
#[inline(never)]
fn hot_path() {
    if let Some(worker) = WITH_CLOCK.worker(0) {
        worker.unpark();
        let scheduled_at = Some(worker.now());
        worker.start_processing_scheduled_tasks();
        worker.start_poll(PollStart {
            scheduled_at,
            ..PollStart::default()
        });
        worker.end_poll();
        worker.end_processing_scheduled_tasks();
        worker.park();
        worker.task_spawned();
        worker.task_ended(TaskEnd::Completed);
    }
}

/// The opposite: a cell with many writers, which uses a critical section on this processor. The test must find it.
#[unsafe(no_mangle)]
#[inline(never)]
fn off_the_hot_path() {
    WITH_CLOCK.shared().task_spawned();
}

#[inline(never)]
fn clock_reading() {
    black_box(WITH_CLOCK.clock().now());
}

const POLLS: u32 = 1_000;

fn cycles(mut run: impl FnMut()) -> u32 {
    let before = SYST::get_current();
    for _ in 0..POLLS {
        run();
    }
    before.wrapping_sub(SYST::get_current()) & 0x00FF_FFFF
}

fn measure(name: &str, call: fn()) {
    let bare = cycles(|| {
        black_box(call);
    });
    let with = cycles(|| black_box(call)());
    // 62.5 ns a cycle, 64 ns an instruction.
    let instructions = u64::from(with - bare) * 625 / 640;
    hprintln!("{name}: {}", instructions.div_ceil(u64::from(POLLS)));
}

#[entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    start_systick(&mut peripherals.SYST, 1 << 24);
    for start in [
        || {
            WITHOUT_CLOCK
                .worker(0)
                .expect("worker 0")
                .start_processing_scheduled_tasks()
        },
        || {
            WITH_CLOCK
                .worker(0)
                .expect("worker 0")
                .start_processing_scheduled_tasks()
        },
    ] {
        start();
    }
    measure("poll without a clock", counted_poll);
    measure("poll with its time recorded", timed_poll);
    measure("clock reading", clock_reading);
    hot_path();
    off_the_hot_path();
    succeed()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(info)
}
