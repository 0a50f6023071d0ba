//! Code that the programs for the Cortex-M3 share.
#![no_std]

pub mod stack_mark;

use core::time::Duration;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use metrics_core::HistogramConfig;
use metrics_core::extend::{SysTick, SysTickRegisters};

/// The frequency at which QEMU runs the core of `lm3s6965evb` after reset.
pub const CORE_HZ: u32 = 12_500_000;
/// The period of `SysTick` in core cycles: a millisecond.
pub const PERIOD: u32 = CORE_HZ / 1_000;
/// The resolution of [`Clock`].
pub const RESOLUTION: Duration = Duration::from_nanos(80);

/// The clock of the programs: `SysTick` at the rate of the core.
pub type Clock = SysTick<Registers>;

/// Creates the clock. Its handler must call `on_interrupt`.
pub const fn clock() -> Clock {
    SysTick::new(Registers, PERIOD - 1, CORE_HZ)
}

/// The number of buckets of [`LAYOUT`].
pub const BUCKETS: usize = 20;

/// Buckets from a microsecond on, each as wide as all below it together.
pub const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

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

/// Starts `SysTick` and its interrupt. Call it before the first reading of the clock.
pub fn start_systick(syst: &mut SYST) {
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(PERIOD - 1);
    syst.clear_current();
    syst.enable_counter();
    syst.enable_interrupt();
}

/// Ends the emulation with a status of success.
pub fn succeed() -> ! {
    debug::exit(EXIT_SUCCESS);
    halt()
}

/// Ends the emulation with a status of failure.
pub fn fail() -> ! {
    debug::exit(EXIT_FAILURE);
    halt()
}

/// Reports a fault. The default handler loops for ever.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    fail()
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
