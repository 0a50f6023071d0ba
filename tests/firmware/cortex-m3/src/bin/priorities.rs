//! Tasks that are interrupt handlers of three priorities, as in RTIC: each may preempt those below it, and the main loop only waits.
//!
//! Each handler does a known amount of work. The measured time of each must be that work, whatever preempted it.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::hprintln;
use firmware_cortex_m3::{BUCKETS, CORE_HZ, Clock, LAYOUT, RESOLUTION, clock, fail, start_systick, succeed};
use lm3s6965::{Interrupt, interrupt};
use metrics_core::embassy::{EmbassyConfig, EmbassyMetrics, InterruptHandler, MEASURED, TaskRow};
use metrics_core::{Builder, StaticRegistryConfig};

struct Config;

impl EmbassyConfig<1, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .name("priorities")
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(CORE_HZ as u64, RESOLUTION)
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };

    fn interrupts() -> &'static [InterruptHandler] {
        &TASKS
    }
}

static TASKS: [InterruptHandler; 3] = [
    InterruptHandler::new("control"),
    InterruptHandler::new("radio"),
    InterruptHandler::new("log"),
];

static METRICS: EmbassyMetrics<Config, Clock, 1, 3, BUCKETS> = EmbassyMetrics::new(clock());

/// The main loop, which is measured as an executor that is always idle. The load of the core is relative to its time.
const MAIN: u32 = 0;

/// Every 2, 5 and 20 milliseconds, in core cycles.
const WORK: [u32; 3] = [CORE_HZ / 10_000, CORE_HZ / 2_000, CORE_HZ / 400];
const PERIODS: [u32; 3] = [2, 5, 20];
const INTERRUPTS: [Interrupt; 3] = [Interrupt::GPIOA, Interrupt::GPIOB, Interrupt::GPIOC];

#[interrupt]
fn GPIOA() {
    METRICS.with_interrupt("control", || cortex_m::asm::delay(WORK[0]));
}

#[interrupt]
fn GPIOB() {
    METRICS.with_interrupt("radio", || cortex_m::asm::delay(WORK[1]));
}

#[interrupt]
fn GPIOC() {
    METRICS.with_interrupt("log", || cortex_m::asm::delay(WORK[2]));
}

const MILLIS: u32 = 1_000;
static NOW: AtomicU32 = AtomicU32::new(0);

/// Requests the tasks. It has the highest priority, because every task reads the clock.
#[exception]
fn SysTick() {
    METRICS.registry().clock().on_interrupt();
    let now = NOW.load(Relaxed) + 1;
    NOW.store(now, Relaxed);
    if now < MILLIS {
        let due = INTERRUPTS.into_iter().zip(PERIODS);
        due.filter(|(_, period)| now.is_multiple_of(*period))
            .for_each(|(interrupt, _)| NVIC::pend(interrupt));
    }
}

#[entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    for (priority, interrupt) in (1..).zip(INTERRUPTS) {
        // SAFETY: no critical section is based on priorities here.
        unsafe {
            peripherals.NVIC.set_priority(interrupt, priority << 5);
            NVIC::unmask(interrupt);
        }
    }
    start_systick(&mut peripherals.SYST);
    METRICS.poll_start(MAIN, 0);
    METRICS.executor_idle(MAIN);
    // The last tasks end within the next 20 milliseconds.
    while NOW.load(Relaxed) < MILLIS + 20 {
        cortex_m::asm::wfi();
    }

    let trace = METRICS.trace();
    hprintln!("{trace}");
    // The load includes the start of the main loop.
    let mut busy = trace.executors[0].scheduling;
    for (number, (period, work)) in (0..).zip(PERIODS.into_iter().zip(WORK)) {
        let task = trace
            .task(TaskRow::INTERRUPT, number)
            .expect("a row for the handler");
        let runs = u64::from((MILLIS - 1) / period);
        assert_eq!(task.polls, runs, "runs of {}", task.name.as_str());
        // `delay` runs two instructions per cycle, and QEMU takes 64 ns for each.
        let work = u64::from(work) * 128;
        assert!(
            (work..work + work / 10 + 20_000).contains(&task.longest),
            "{}: {work} ns of work measured as {}, so preemption is not excluded",
            task.name.as_str(),
            task.longest
        );
        assert!(task.active >= runs * work && task.active <= runs * task.longest);
        busy += task.active;
    }
    let total = trace.executors[0].total();
    assert_eq!(
        trace.executors[0].preempted, 0,
        "nobody preempts a loop that is idle"
    );
    let load = trace.core_load(0).expect("the main loop is measured");
    // Rounded to the nearest thousandth.
    assert_eq!(u64::from(load), (busy * 1_000 + total / 2) / total);
    hprintln!(
        "each task takes its own time, whatever preempts it: {} ms of {} ms",
        busy / 1_000_000,
        total / 1_000_000
    );
    succeed()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    fail()
}
