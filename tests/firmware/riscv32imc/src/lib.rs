//! Code that the programs for RISC-V share. A panic and a trap without a handler end the run with failure.
#![no_std]

pub mod machine;

use core::fmt::Write;
use core::panic::PanicInfo;

use riscv::register::{mcause, mepc, mhartid, mtval};

/// Reports an exception. The default handler loops for ever.
#[unsafe(export_name = "ExceptionHandler")]
fn on_exception(_frame: &riscv_rt::TrapFrame) -> ! {
    fail_at_trap()
}

/// Reports an interrupt that has no handler.
#[unsafe(export_name = "DefaultHandler")]
fn on_interrupt_without_handler() -> ! {
    fail_at_trap()
}

fn fail_at_trap() -> ! {
    let (cause, at, value) = (mcause::read().cause(), mepc::read(), mtval::read());
    writeln!(machine::Uart, "trap at {at:#010x}: {cause:?}, value {value:#x}").ok();
    machine::fail()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    writeln!(machine::Uart, "core {}: {info}", mhartid::read()).ok();
    machine::fail()
}
