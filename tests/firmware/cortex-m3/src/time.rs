//! embassy's time driver: `SysTick` at 1 kHz, read to the microsecond.
//!
//! `SysTick` has the highest priority of all that read the clock, as [`Clock`] demands.

use core::cell::RefCell;
use core::task::Waker;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;
use metrics_core::extend::{SysTick as Clock, SysTickRegisters};

/// The frequency at which QEMU runs the core of `lm3s6965evb` after reset.
const CORE_HZ: u32 = 12_500_000;
const PERIOD: u32 = CORE_HZ / 1_000;

struct Registers;

impl SysTickRegisters for Registers {
    fn current(&self) -> u32 {
        SYST::get_current()
    }

    fn is_pending(&self) -> bool {
        SCB::is_pendst_pending()
    }
}

struct SysTickDriver {
    counter: Clock<Registers>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: SysTickDriver = SysTickDriver {
    counter: Clock::new(Registers, PERIOD - 1, CORE_HZ),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for SysTickDriver {
    fn now(&self) -> u64 {
        // 12.5 cycles per microsecond: doubled, because integers can't represent the half.
        self.counter.ticks() * 2 / (2 * u64::from(CORE_HZ) / TICK_HZ)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            // The queue is checked every millisecond, whether or not a timer has expired.
            self.queue.borrow_ref_mut(cs).schedule_wake(at, waker);
        });
    }
}

/// Starts the clock. Call it before the first reading.
pub fn start(syst: &mut SYST) {
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(PERIOD - 1);
    syst.clear_current();
    syst.enable_counter();
    syst.enable_interrupt();
}

#[exception]
fn SysTick() {
    DRIVER.counter.on_interrupt();
    critical_section::with(|cs| {
        let mut queue = DRIVER.queue.borrow_ref_mut(cs);
        queue.next_expiration(DRIVER.now());
    });
}
