//! The callbacks for stalls.

use super::stall::Stall;
use core::cell::RefCell;
use core::time::Duration;
use std::rc::{Rc, Weak};

type Callback = Box<dyn FnMut(&Stall)>;

pub(super) struct Listener {
    /// In nanoseconds.
    pub(super) threshold: u64,
    pub(super) callback: RefCell<Callback>,
}

/// The registered callbacks. Each is owned by the handle that was returned to its caller.
#[derive(Default)]
pub(super) struct Listeners(RefCell<Vec<Weak<Listener>>>);

impl Listeners {
    pub(super) fn add(&self, listener: &Rc<Listener>) {
        self.0.borrow_mut().push(Rc::downgrade(listener));
    }

    pub(super) fn remove(&self, listener: &Rc<Listener>) {
        let removed = Rc::as_ptr(listener);
        self.0
            .borrow_mut()
            .retain(|listener| !core::ptr::eq(listener.as_ptr(), removed));
    }

    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Returns the lowest threshold in nanoseconds. `None` without callbacks.
    pub(super) fn lowest_threshold(&self) -> Option<u64> {
        let listeners = self.0.borrow();
        let alive = listeners.iter().filter_map(Weak::upgrade);
        alive.map(|listener| listener.threshold).min()
    }

    pub(super) fn report(&self, stalls: &[Stall]) {
        if stalls.is_empty() {
            return;
        }
        // A copy, because a callback may add or remove listeners.
        let listeners: Vec<_> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        for stall in stalls {
            for listener in &listeners {
                let long_enough = stall.duration >= Duration::from_nanos(listener.threshold);
                // The borrow fails for a callback that is running; its outer call reports the stall.
                if let (true, Ok(mut callback)) = (long_enough, listener.callback.try_borrow_mut()) {
                    callback(stall);
                }
            }
        }
    }
}
