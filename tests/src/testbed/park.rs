//! Blocks a worker until there is work: in the I/O driver if that is free, else on its own parker.

use core::sync::atomic::{AtomicU8, Ordering};

use crossbeam_utils::sync::{Parker as ThreadParker, Unparker};

use super::driver::Driver;

const EMPTY: u8 = 0;
const ON_THREAD: u8 = 1;
const ON_DRIVER: u8 = 2;
const NOTIFIED: u8 = 3;

/// The part that other threads hold.
pub(super) struct Unpark {
    state: AtomicU8,
    thread: Unparker,
}

/// The part that the worker holds.
pub(super) struct Park {
    thread: ThreadParker,
}

pub(super) fn pair() -> (Park, Unpark) {
    let thread = ThreadParker::new();
    let unparker = thread.unparker().clone();
    (
        Park { thread },
        Unpark {
            state: AtomicU8::new(EMPTY),
            thread: unparker,
        },
    )
}

impl Park {
    /// Waits until `unpark`ed or, if this worker got the driver, until there was an I/O event.
    pub(super) fn park(&self, shared: &Unpark, driver: &Driver) {
        match driver.try_lock() {
            Some(mut turn) => {
                if shared.start_wait(ON_DRIVER) {
                    turn.run(driver, None);
                    shared.leave();
                }
            }
            None => {
                if shared.start_wait(ON_THREAD) {
                    self.thread.park();
                    shared.leave();
                }
            }
        }
    }
}

impl Unpark {
    /// Sets where the worker is about to wait. Returns `false` if it was notified meanwhile and must not wait.
    fn start_wait(&self, place: u8) -> bool {
        // Ordering: acquire, pairs with the release in `unpark`: work queued before the notification is visible after it.
        let waits = self
            .state
            .compare_exchange(EMPTY, place, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !waits {
            self.leave();
        }
        waits
    }

    fn leave(&self) {
        // Ordering: acquire as in `start_wait`.
        self.state.swap(EMPTY, Ordering::AcqRel);
    }

    /// Ends the worker's wait, or its next one.
    pub(super) fn unpark(&self, driver: &Driver) {
        // Ordering: release pairs with the acquire of `start_wait` and `leave`.
        match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            ON_THREAD => self.thread.unpark(),
            ON_DRIVER => driver.wake(),
            _ => {}
        }
    }
}
