//! embassy on a RISC-V core without atomic instructions: the tasks of the program for the Cortex-M3, except for the executor in an
//! interrupt.
#![no_std]
#![no_main]

#[path = "../../shared/checks.rs"]
mod checks;
#[path = "../../shared/metrics.rs"]
mod metrics;
#[path = "../../shared/tasks.rs"]
mod tasks;
mod time;

use core::fmt::Write;

use embassy_executor::Executor;
use firmware_riscv32imc::machine;
use riscv::interrupt::Interrupt;
use static_cell::StaticCell;

use metrics::{METRICS, Snapshot};

const EXECUTORS: usize = 1;

static EXECUTOR: StaticCell<Executor> = StaticCell::new();

/// A handler of known load, which the ticker raises.
#[riscv_rt::core_interrupt(Interrupt::MachineSoft)]
fn on_software_interrupt() {
    machine::set_software_interrupt(false);
    METRICS.with_interrupt("uart", || tasks::work(tasks::UART_WORK));
}

fn raise_interrupt() {
    machine::set_software_interrupt(true);
}

#[riscv_rt::entry]
fn main() -> ! {
    machine::set_alarm(u64::MAX);
    // SAFETY: no critical section is active.
    unsafe {
        riscv::interrupt::enable_interrupt(Interrupt::MachineTimer);
        riscv::interrupt::enable_interrupt(Interrupt::MachineSoft);
        riscv::interrupt::enable();
    }
    EXECUTOR.init(Executor::new()).run(tasks::spawn)
}

/// Called by the last task, in its last poll.
fn report() -> ! {
    let trace = METRICS.trace();
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    let mut uart = machine::Uart;
    write!(uart, "{trace}\n{}\n", snapshot.table()).ok();
    let polls = checks::check(&trace, &snapshot);
    writeln!(
        uart,
        "{polls} polls of {} tasks, all as the tasks counted them",
        tasks::Polls::spawned().count()
    )
    .ok();
    machine::succeed()
}
