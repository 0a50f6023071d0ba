//! The callbacks for stalls.

use super::stall::Stall;
use core::cell::RefCell;
use core::time::Duration;
use std::rc::{Rc, Weak};

type Callback = Box<dyn FnMut(&Stall)>;

/// A handle of a watch, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandleId(pub(super) u32);

pub(super) struct Listener {
    /// The handle that it was registered with. `None` without the feature `record`.
    pub(super) handle: Option<HandleId>,
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

    /// Removes those that were registered with a handle.
    pub(super) fn remove_all_of(&self, handle: HandleId) {
        self.0.borrow_mut().retain(|listener| {
            listener
                .upgrade()
                .is_some_and(|listener| listener.handle != Some(handle))
        });
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
