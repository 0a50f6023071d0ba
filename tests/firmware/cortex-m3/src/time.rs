//! embassy's time driver: `SysTick` at 1 kHz, read to the microsecond.
//!
//! `SysTick` has the highest priority of all that read the clock, as [`Clock`] demands.

use core::cell::RefCell;
use core::task::Waker;

use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;
use firmware_cortex_m3::{CORE_HZ, Clock, clock};

struct SysTickDriver {
    counter: Clock,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: SysTickDriver = SysTickDriver {
    counter: clock(),
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

#[exception]
fn SysTick() {
    DRIVER.counter.on_interrupt();
    critical_section::with(|cs| {
        let mut queue = DRIVER.queue.borrow_ref_mut(cs);
        queue.next_expiration(DRIVER.now());
    });
}
