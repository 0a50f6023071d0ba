//! Runs an undefined instruction. The run must end at once with a report of the fault, and with failure.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use firmware_cortex_m3::{fail, succeed};
// The interrupt vectors.
use lm3s6965 as _;

#[entry]
fn main() -> ! {
    // SAFETY: it only raises the exception.
    unsafe { core::arch::asm!("udf #0") };
    succeed()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    fail()
}
