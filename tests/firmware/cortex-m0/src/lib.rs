//! Code that the programs for the Cortex-M0 share.
#![no_std]

use core::panic::PanicInfo;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use metrics_core::extend::{FreeRunning, SysTickRegisters};

/// The frequency at which QEMU runs the core of `microbit`.
pub const CORE_HZ: u32 = 16_000_000;

/// Starts `SysTick` with a period in core cycles.
pub fn start_systick(syst: &mut SYST, period: u32) {
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(period - 1);
    syst.clear_current();
    syst.enable_counter();
}

/// The registers of `SysTick`.
pub struct Registers;

impl SysTickRegisters for Registers {
    fn current(&self) -> u32 {
        SYST::get_current()
    }

    fn is_pending(&self) -> bool {
        SCB::is_pendst_pending()
    }
}

/// `SysTick` that wraps freely, all 24 bits of it.
pub struct FreeSysTick;

impl FreeRunning for FreeSysTick {
    const BITS: u32 = 24;

    #[inline(always)]
    fn read(&self) -> u32 {
        !SYST::get_current()
    }
}

/// Ends the emulation with a status of success.
pub fn succeed() -> ! {
    debug::exit(EXIT_SUCCESS);
    halt()
}

/// Ends the emulation with a status of failure.
pub fn fail(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    debug::exit(EXIT_FAILURE);
    halt()
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
