//! Clocks for microcontrollers: short hardware counters extended to 64 bits.
//!
//! There is a type for each kind of hardware counter:
//!
//! - [`ExtendedCounter`]: for a counter that runs freely and wraps (DWT `CYCCNT`, a 32-bit or 16-bit timer). *Each
//!   read* extends it. It needs no interrupt, as long as it is read in time.
//! - [`PeriodicCounter`]: for a counter that interrupts at every wrap. *Its interrupt* extends it, however rarely it is
//!   read.
//! - [`SysTick`]: the same for `SysTick` of a Cortex-M, which interrupts one tick before it wraps.
//!
//! All need only loads and stores: no compare-and-swap and no critical section, on every target. They may be read in
//! thread mode and in any interrupt, and a read may interrupt another read at any point.

mod free_running;
mod periodic;
mod sys_tick;

pub use free_running::{ExtendedCounter, FreeRunning};
pub use periodic::{PeriodicCounter, PeriodicTimer};
pub use sys_tick::{SysTick, SysTickRegisters};

use core::time::Duration;

/// Returns the step of a clock with this rate, rounded up to a whole nanosecond.
fn step(ticks_per_second: u32) -> Duration {
    if ticks_per_second == 0 {
        Duration::ZERO
    } else {
        Duration::from_nanos(u64::from(1_000_000_000_u32.div_ceil(ticks_per_second)))
    }
}
