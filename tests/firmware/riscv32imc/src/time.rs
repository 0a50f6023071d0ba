//! embassy's time driver: the machine timer.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;
use firmware_riscv32imc::machine::{self, TIMER_HZ};
use riscv::interrupt::Interrupt;

const _: () = assert!(TICK_HZ == TIMER_HZ);

struct MachineTimer {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: MachineTimer = MachineTimer {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl MachineTimer {
    /// Wakes the tasks whose time has come, and sets the alarm for the next.
    fn set_next_alarm(&self, cs: CriticalSection<'_>) {
        machine::set_alarm(self.queue.borrow_ref_mut(cs).next_expiration(self.now()));
    }
}

impl Driver for MachineTimer {
    fn now(&self) -> u64 {
        machine::time()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.set_next_alarm(cs);
            }
        });
    }
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn on_timer() {
    critical_section::with(|cs| DRIVER.set_next_alarm(cs));
}
