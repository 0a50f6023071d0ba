//! Clocks of microcontrollers: short hardware counters extended to 64 bits.
//!
//! Two kinds of counter, by what the hardware offers:
//!
//! - [`ExtendedCounter`]: a counter that runs freely and wraps (DWT `CYCCNT`, a 32-bit or 16-bit timer). *Any reading*
//!   extends it; no interrupt is needed as long as it is read twice in each of its periods.
//! - [`PeriodicCounter`]: a counter that interrupts at every wrap (`SysTick`). *Its interrupt* extends it, however seldom it
//!   is read.
//!
//! Both need loads and stores only: no compare-and-swap, no critical section, on every target. A reading may be taken
//! in thread mode and in any interrupt, nested in another reading at any point.

mod free_running;
mod periodic;

pub use free_running::{ExtendedCounter, FreeRunning};
pub use periodic::{PeriodicCounter, PeriodicTimer};

use core::time::Duration;

/// The step of a clock with this rate, rounded up to a whole nanosecond.
fn step(ticks_per_second: u32) -> Duration {
    if ticks_per_second == 0 {
        Duration::ZERO
    } else {
        Duration::from_nanos(u64::from(1_000_000_000_u32.div_ceil(ticks_per_second)))
    }
}
