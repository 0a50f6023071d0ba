//! The devices of QEMU's `virt`, at the addresses of `hw/riscv/virt.c`.

use core::fmt::{self, Write};

/// 16550: the register that transmits a byte.
const UART_THR: *mut u8 = 0x1000_0000 as *mut u8;
/// `sifive_test`: a write ends the emulation.
const TEST: *mut u32 = 0x10_0000 as *mut u32;
const PASS: u32 = 0x5555;
/// With the exit status in the upper half.
const FAIL: u32 = 0x3333 | 1 << 16;
/// CLINT: a write of 1 raises the software interrupt of hart 0.
const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
/// CLINT: the timer of hart 0, each in two words, the lower first.
const MTIMECMP: *mut u32 = 0x0200_4000 as *mut u32;
const MTIME: *const u32 = 0x0200_BFF8 as *const u32;

/// The rate of [`time`] per second.
pub const TIMER_HZ: u64 = 10_000_000;

/// Prints to the serial line.
pub struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: a register of the emulated machine, which always accepts a byte.
            unsafe { UART_THR.write_volatile(byte) };
        }
        Ok(())
    }
}

/// Returns the time since reset, in ticks.
pub fn time() -> u64 {
    // SAFETY: registers of the emulated machine.
    let (low, high) = unsafe { (MTIME, MTIME.add(1)) };
    loop {
        // SAFETY: as above.
        let (before, low, after) =
            unsafe { (high.read_volatile(), low.read_volatile(), high.read_volatile()) };
        if before == after {
            return u64::from(after) << 32 | u64::from(low);
        }
    }
}

/// Raises the timer interrupt when [`time`] reaches `at`.
pub fn set_alarm(at: u64) {
    // In between, the alarm must not be earlier than both (RISC-V Privileged Architecture, 3.2.1).
    // SAFETY: registers of the emulated machine.
    unsafe {
        MTIMECMP.write_volatile(u32::MAX);
        MTIMECMP.add(1).write_volatile((at >> 32) as u32);
        MTIMECMP.write_volatile(at as u32);
    }
}

/// Raises or clears the software interrupt.
pub fn set_software_interrupt(raised: bool) {
    // SAFETY: a register of the emulated machine.
    unsafe { MSIP.write_volatile(u32::from(raised)) };
}

/// Ends the emulation with a status of success.
pub fn succeed() -> ! {
    end(PASS)
}

/// Ends the emulation with a status of failure.
pub fn fail() -> ! {
    end(FAIL)
}

fn end(status: u32) -> ! {
    // SAFETY: a register of the emulated machine.
    unsafe { TEST.write_volatile(status) };
    loop {
        riscv::asm::wfi();
    }
}
