//! Runs an atomic instruction, which this core does not have. The run must end at once with a report of the trap, and with failure.
#![no_std]
#![no_main]

use firmware_riscv32imc::machine;

#[riscv_rt::entry]
fn main() -> ! {
    // `amoadd.w a0, zero, (sp)`, which the assembler rejects for this target.
    // SAFETY: if the core had the instruction, it would add zero to a word of the stack.
    unsafe { core::arch::asm!(".word 0x0001252f", out("a0") _) };
    machine::succeed()
}
