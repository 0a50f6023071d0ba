//! embassy with a timer, a channel, a task that hogs the CPU, tasks that are respawned, and an executor in an interrupt: measured
//! through the trace hooks, checked against the polls that the tasks count themselves, printed as a table and as postcard.
#![no_std]
#![no_main]

#[path = "../../shared/checks.rs"]
mod checks;
#[path = "../../shared/metrics.rs"]
mod metrics;
#[path = "../../shared/tasks.rs"]
mod tasks;
mod time;

use core::panic::PanicInfo;

use cortex_m::peripheral::NVIC;
use cortex_m_rt::entry;
use cortex_m_semihosting::{hprint, hprintln};
use embassy_executor::{InterruptExecutor, raw};
use embassy_time::{Duration, Timer};
use firmware_cortex_m3::{fail, stack_mark, start_systick, succeed};
use lm3s6965::{Interrupt, interrupt};
use metrics_core::embassy::ExecutorState;
use static_cell::StaticCell;

use metrics::{METRICS, Snapshot};
use tasks::Polls;

const EXECUTORS: usize = 2;

/// The duration of each poll of the urgent task.
const URGENT_WORK: Duration = Duration::from_micros(500);

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

fn raise_interrupt() {
    NVIC::pend(Interrupt::GPIOB);
}

#[embassy_executor::task]
async fn urgent() {
    tasks::counted("urgent", async {
        for _ in 0..30 {
            Timer::after_millis(5).await;
            tasks::work(URGENT_WORK);
        }
        tasks::DONE.send("urgent").await;
    })
    .await;
}

#[entry]
fn main() -> ! {
    stack_mark::paint();
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    // SAFETY: no critical section is based on priorities here. SysTick keeps the highest.
    unsafe {
        peripherals.NVIC.set_priority(Interrupt::GPIOA, 1 << 5);
        peripherals.NVIC.set_priority(Interrupt::GPIOB, 1 << 6);
        NVIC::unmask(Interrupt::GPIOB);
    }
    start_systick(&mut peripherals.SYST);
    let urgent_spawner = URGENT.start(Interrupt::GPIOA);
    // As `embassy_executor::Executor` does, except for the waiting: QEMU does not wait at `wfe`, and
    // the loop would never be idle. Between the poll and `wfi` a wake may come; the next millisecond's SysTick finds it.
    let executor = MAIN.init(raw::Executor::new(usize::MAX as *mut ()));
    tasks::spawn_named(
        |token| urgent_spawner.spawn(token),
        "urgent",
        urgent().expect("a free task"),
    );
    tasks::spawn(executor.spawner());
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

    let polls = checks::check(&trace, &snapshot);
    let [urgent, main] = [trace.executors[0], trace.executors[1]];
    assert_eq!((urgent.state, urgent.preempted), (ExecutorState::Idle, 0));
    assert!(
        main.preempted > 4 * URGENT_WORK.as_micros() * 1_000,
        "the urgent task preempted the hog"
    );
    let (hog, hogged) = (Polls::of("hog").row(&trace), tasks::HOG.as_micros() * 1_000);
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
        "{polls} polls of {} tasks, all as the tasks counted them",
        Polls::spawned().count()
    );
    succeed()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    fail()
}
