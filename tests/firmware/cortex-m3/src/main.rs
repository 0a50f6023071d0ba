//! embassy with a timer, a channel, a task that hogs the CPU, tasks that are respawned, and an executor in an interrupt: measured
//! through the trace hooks, checked against the polls that the tasks count themselves, printed as a table and as postcard.
#![no_std]
#![no_main]

mod tasks;
mod time;

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::{hprint, hprintln};
use embassy_executor::{InterruptExecutor, raw};
use firmware_cortex_m3::stack_mark;
use lm3s6965::{Interrupt, interrupt};
use metrics_core::embassy::{
    EmbassyClock, EmbassyConfig, EmbassyMetrics, ExecutorState, InterruptHandler, MEASURED, TaskRow,
};
use metrics_core::{Builder, HistogramConfig, Snapshot, StaticRegistryConfig, embassy_trace};
use static_cell::StaticCell;

use tasks::{MESSAGES, ONCE, POLLS, Polls};

const BUCKETS: usize = 20;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

struct Config;

impl EmbassyConfig<2, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<2, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .name("embassy")
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(EmbassyClock::TICKS_PER_SECOND, EmbassyClock::RESOLUTION)
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPTS
    }
}

static METRICS: EmbassyMetrics<Config, EmbassyClock, 2, 8, BUCKETS> = EmbassyMetrics::new(EmbassyClock);

/// A handler that runs no executor.
static INTERRUPTS: [InterruptHandler; 1] = [InterruptHandler::new("uart")];

embassy_trace!(METRICS);

static URGENT: InterruptExecutor = InterruptExecutor::new();
static MAIN: StaticCell<raw::Executor> = StaticCell::new();

/// The interrupt that the urgent executor runs in; nothing else raises it.
#[interrupt]
fn GPIOA() {
    // SAFETY: called from this handler only, which `start` unmasked.
    unsafe { URGENT.on_interrupt() }
}

/// A handler of known load, which the ticker raises.
#[interrupt]
fn GPIOB() {
    METRICS.with_interrupt("uart", || tasks::work(tasks::UART_WORK));
}

#[entry]
fn main() -> ! {
    stack_mark::paint();
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    // SAFETY: no critical section is based on priorities here. SysTick keeps the highest.
    unsafe {
        peripherals.NVIC.set_priority(Interrupt::GPIOA, 1 << 5);
        peripherals.NVIC.set_priority(Interrupt::GPIOB, 1 << 6);
        cortex_m::peripheral::NVIC::unmask(Interrupt::GPIOB);
    }
    firmware_cortex_m3::start_systick(&mut peripherals.SYST);
    let urgent = URGENT.start(Interrupt::GPIOA);
    // As `embassy_executor::Executor` does, except for the waiting: QEMU does not wait at `wfe`, and
    // the loop would never be idle. Between the poll and `wfi` a wake may come; the next millisecond's SysTick finds it.
    let executor = MAIN.init(raw::Executor::new(usize::MAX as *mut ()));
    tasks::spawn(executor.spawner(), urgent);
    loop {
        // SAFETY: from here only, so never while it is being polled.
        unsafe { executor.poll() };
        cortex_m::asm::wfi();
    }
}

/// Called by the last task, in its last poll.
fn report() -> ! {
    let trace = METRICS.trace();
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    hprintln!("{trace}");
    hprintln!("{}", snapshot.table());

    let mut wakes = 0;
    for polls in &POLLS {
        let row = trace
            .tasks
            .iter()
            .find(|row| row.task == polls.task())
            .expect("a row for the task");
        let in_progress = u64::from(row.polling);
        assert_eq!(
            row.polls + in_progress,
            u64::from(polls.count()),
            "polls of {}",
            polls.name
        );
        assert_eq!(
            row.wakes,
            u64::from(polls.count()),
            "each wake of {} led to one poll",
            polls.name
        );
        let lives = if core::ptr::eq(polls, Polls::of("once")) {
            ONCE
        } else {
            1
        };
        assert_eq!(
            (row.spawned, row.ended),
            (lives, lives - in_progress),
            "lives of {}",
            polls.name
        );
        assert!(!row.stale);
        assert_eq!(row.name.as_str(), polls.name);
        wakes += row.wakes;
    }
    assert_eq!(trace.tasks.len(), POLLS.len() + INTERRUPTS.len());
    let uart = trace.task(TaskRow::INTERRUPT, 0).expect("a row for the handler");
    let load = u64::from(tasks::TICKS) * tasks::UART_WORK.as_micros() * 1_000;
    assert_eq!(uart.polls, u64::from(tasks::TICKS));
    assert!(
        (load..load + load / 10).contains(&uart.active),
        "a load of {load} ns was measured as {}",
        uart.active
    );
    assert_eq!(trace.overflow.spawned, 0);
    assert_eq!(
        tasks::received(),
        2 * MESSAGES,
        "each message went there and back"
    );

    let all = snapshot.total();
    let polls = all.poll_count().expect("a poll count");
    assert_eq!(polls + 1, wakes, "every wake led to a poll; the last one goes on");
    assert_eq!(all.poll_time().expect("a poll time").histogram().count(), polls);
    assert_eq!(
        all.schedule_latency().expect("a latency").histogram().count(),
        polls + 1
    );
    let lives = POLLS.len() as u64 - 1 + ONCE;
    let counts = snapshot.tasks().expect("task counts");
    assert_eq!(
        (counts.spawned, counts.completed, counts.alive()),
        (lives, lives - 1, 1)
    );

    let [urgent, main] = [trace.executors[0], trace.executors[1]];
    for (index, executor) in [urgent, main].into_iter().enumerate() {
        let tasks = trace.tasks.iter().filter(|row| row.executor == index as u32);
        // The poll in progress goes on between two rows.
        let active = tasks.map(|row| row.active).sum::<u64>();
        let later = if executor.state == ExecutorState::Polling {
            1_000_000
        } else {
            0
        };
        assert!(
            (executor.polling..=executor.polling + later).contains(&active),
            "every nanosecond is some task's: {active} of {}",
            executor.polling
        );
    }
    assert_eq!(
        (urgent.state, main.state),
        (ExecutorState::Idle, ExecutorState::Polling)
    );
    assert_eq!(urgent.preempted, 0);
    let hog = trace
        .tasks
        .iter()
        .find(|row| row.task == Polls::of("hog").task())
        .expect("the hog");
    let (hogged, urgent_poll) = (
        tasks::HOG.as_micros() * 1_000,
        tasks::URGENT_WORK.as_micros() * 1_000,
    );
    assert!(
        main.preempted > 4 * urgent_poll,
        "the urgent task preempted the hog"
    );
    assert!(hog.longest < hogged, "what preempted the hog is none of its poll");
    assert!(hog.longest > hogged * 3 / 4, "the rest is");

    let mut bytes = [0; 4096];
    let bytes = postcard::to_slice(&(&snapshot, &trace), &mut bytes).expect("4 KiB hold it");
    hprint!("postcard ");
    for byte in bytes {
        hprint!("{byte:02x}");
    }
    hprintln!();
    let (used, available) = stack_mark::high_water_mark();
    hprintln!("stack: {used} bytes were used at most, of {available}");
    // The buffer of 4 KiB is part of this function's own frame, and the snapshot takes 2.9 KiB.
    assert!((7_000..available / 2).contains(&used), "{used} of {available}");
    hprintln!(
        "{} polls of {} tasks, all as the tasks counted them",
        polls,
        POLLS.len()
    );
    debug::exit(EXIT_SUCCESS);
    halt()
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
