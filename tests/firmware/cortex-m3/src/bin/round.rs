//! Instructions of the embassy hooks, as QEMU counts them.
//!
//! Under `-icount shift=6` every instruction takes 64 ns of virtual time, and `SysTick` counts that time at 12.5 MHz. A thousand rounds are
//! measured: a task is woken, its executor polls it once and goes idle. The same loop without hooks is subtracted.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;
use core::time::Duration;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
// The interrupt vectors.
use lm3s6965 as _;
use metrics_core::embassy::{EmbassyConfig, EmbassyMetrics, MEASURED};
use metrics_core::extend::{ExtendedCounter, FreeRunning};
use metrics_core::{Builder, HistogramConfig, StaticRegistryConfig};

/// The frequency at which QEMU runs the core of `lm3s6965evb` after reset.
const CORE_HZ: u32 = 12_500_000;
const RELOAD: u32 = 0x00FF_FFFF;
const BUCKETS: usize = 20;
const ROUNDS: u32 = 1_000;

/// The task of an executor, which has a row of its own.
const fn task_of(executor: u32) -> u32 {
    executor + 0x1000
}

/// `SysTick` that wraps freely, all 24 bits of it.
struct FreeSysTick;

impl FreeRunning for FreeSysTick {
    const BITS: u32 = 24;

    #[inline(always)]
    fn read(&self) -> u32 {
        !SYST::get_current()
    }
}

type Clock = ExtendedCounter<FreeSysTick>;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

const fn config<const EXECUTORS: usize>() -> StaticRegistryConfig<EXECUTORS, BUCKETS> {
    let builder = Builder::new().measures(MEASURED);
    let builder = builder.poll_time(LAYOUT).schedule_latency(LAYOUT);
    match builder.describe(CORE_HZ as u64, Duration::from_nanos(80)) {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    }
}

struct Config;

impl<const EXECUTORS: usize> EmbassyConfig<EXECUTORS, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<EXECUTORS, BUCKETS> = config();
}

static ONE: EmbassyMetrics<Config, Clock, 1, 8, BUCKETS> =
    EmbassyMetrics::new(ExtendedCounter::new(FreeSysTick, CORE_HZ));
static FOUR: EmbassyMetrics<Config, Clock, 4, 8, BUCKETS> =
    EmbassyMetrics::new(ExtendedCounter::new(FreeSysTick, CORE_HZ));

macro_rules! hooks {
    ($name:ident, $metrics:ident) => {
        mod $name {
            use super::{task_of, $metrics as METRICS};

            // Each hook is a function of its own, as in firmware, where embassy calls them by their names.
            #[inline(never)]
            pub(crate) fn wake(executor: u32) {
                METRICS.task_ready_begin(executor, task_of(executor));
            }

            #[inline(never)]
            pub(crate) fn poll_start(executor: u32) {
                METRICS.poll_start(executor, 0);
            }

            #[inline(never)]
            pub(crate) fn exec_begin(executor: u32) {
                METRICS.task_exec_begin(executor, task_of(executor));
            }

            #[inline(never)]
            pub(crate) fn exec_end(executor: u32) {
                METRICS.task_exec_end(executor, task_of(executor));
            }

            #[inline(never)]
            pub(crate) fn idle(executor: u32) {
                METRICS.executor_idle(executor);
            }

            pub(crate) fn round(executor: u32) {
                wake(executor);
                poll_start(executor);
                exec_begin(executor);
                exec_end(executor);
                idle(executor);
            }
        }
    };
}

hooks!(one, ONE);
hooks!(four, FOUR);

fn ticks(mut run: impl FnMut()) -> u32 {
    let before = SYST::get_current();
    for _ in 0..ROUNDS {
        run();
    }
    before.wrapping_sub(SYST::get_current()) & RELOAD
}

fn instructions(call: fn(u32), executor: u32) -> u64 {
    let bare = ticks(|| {
        black_box((call, executor));
    });
    let with = ticks(|| {
        let (call, executor) = black_box((call, executor));
        call(executor);
    });
    // 80 ns for each tick, 64 ns for each instruction.
    let instructions = u64::from(with - bare) * 80 / 64;
    instructions.div_ceil(u64::from(ROUNDS))
}

#[entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    let syst = &mut peripherals.SYST;
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(RELOAD);
    syst.clear_current();
    syst.enable_counter();

    // The executor in the last slot.
    for executor in (0x2000_0100..).step_by(0x100).take(4) {
        FOUR.task_new(executor, task_of(executor));
        four::round(executor);
    }
    ONE.task_new(0x2000_0100, task_of(0x2000_0100));
    one::round(0x2000_0100);
    let last = 0x2000_0400;
    hprintln!("round of one executor: {}", instructions(one::round, 0x2000_0100));
    hprintln!(
        "round of the last of four executors: {}",
        instructions(four::round, last)
    );
    hprintln!("clock reading: {}", instructions(clock_reading, last));
    debug::exit(EXIT_SUCCESS);
    halt()
}

#[inline(never)]
fn clock_reading(_: u32) {
    black_box(ONE.registry().clock().ticks());
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    debug::exit(EXIT_FAILURE);
    halt()
}
