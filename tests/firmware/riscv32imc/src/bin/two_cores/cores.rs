//! What the programs for two cores share: the start of core 1, software interrupts, and the clock.

use core::hint::spin_loop;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

use firmware_riscv32imc::machine;
use metrics_core::{TimeSource, Timestamp};
use riscv::register::{mip, time};

pub const CORES: usize = 2;

/// A count with one writer.
pub struct Count(AtomicU32);

impl Count {
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub fn add_one(&self) {
        // Ordering: release, pairs with `get`: a reader that sees this count sees everything before it.
        self.0.store(self.0.load(Relaxed) + 1, Release);
    }

    pub fn get(&self) -> u32 {
        // Ordering: acquire, pairs with `add_one`.
        self.0.load(Acquire)
    }
}

/// How often each core has waited for the other one.
static MEETINGS: [Count; CORES] = [const { Count::new() }; CORES];

/// Waits until the other core is here too.
pub fn meet(core: usize) {
    MEETINGS[core].add_one();
    while MEETINGS[1 - core].get() < MEETINGS[core].get() {
        spin_loop();
    }
}

/// CLINT: a write of 1 raises the software interrupt of a core.
pub fn set_software_interrupt(core: usize, raised: bool) {
    const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
    // SAFETY: a register of the emulated machine, for each core.
    unsafe { MSIP.add(core).write_volatile(u32::from(raised)) };
}

/// Called on each core before `main`. Returns whether the core initialises the memory. Core 1 does not use a `static` before it is started.
#[unsafe(export_name = "_mp_hook")]
extern "Rust" fn wait_for_memory(core: usize) -> bool {
    if core != 0 {
        while !mip::read().msoft() {
            spin_loop();
        }
        set_software_interrupt(core, false);
    }
    core == 0
}

/// Core 0 starts core 1, which waits for its software interrupt, and both wait for each other.
pub fn start(core: usize) {
    if core == 0 {
        set_software_interrupt(1, true);
    }
    meet(core);
}

/// The timer that both cores share, by the register `time`: in QEMU, an access to a device would lock out the other core.
pub struct MachineTime;

impl MachineTime {
    pub const RESOLUTION: Duration = Duration::from_nanos(100);
}

impl TimeSource for MachineTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(time::read64())
    }

    fn ticks_per_second(&self) -> u64 {
        machine::TIMER_HZ
    }

    fn resolution(&self) -> Duration {
        Self::RESOLUTION
    }
}
