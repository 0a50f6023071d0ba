//! The turn of a JavaScript host: from the first measured poll until the executor's tasks have run.
//!
//! A JavaScript host has no park hook. A microtask queued during the first poll of a turn runs after the microtask of the executor,
//! which is the end of the turn. If tasks were woken meanwhile, the executor polls them in its next microtask, so another microtask
//! is queued behind that one. The chain stops when no future was polled between two of its microtasks. Otherwise it would keep
//! the host from rendering if the executor polls its tasks outside microtasks.

use crate::host::queue_microtask;
use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use wasm_bindgen::closure::Closure;

/// The owner of a [`Turn`].
pub(crate) trait Owner: 'static {
    fn turn(&self) -> &Turn<Self>
    where
        Self: Sized;

    /// Ends the polls that are in progress although the stack is empty.
    fn end_lost_polls(self: &Rc<Self>);

    /// Returns `true` if tasks are scheduled.
    fn has_work(&self) -> bool;

    fn end_turn(&self);
}

pub(crate) struct Turn<O> {
    open: Cell<bool>,
    polled: Cell<bool>,
    /// The owner, kept alive while a microtask is queued. The host would otherwise call a dropped closure.
    keep: RefCell<Option<Rc<O>>>,
    job: Closure<dyn FnMut()>,
}

impl<O: Owner> Turn<O> {
    pub(crate) fn new(owner: Weak<O>) -> Self {
        let job = Closure::new(move || {
            if let Some(owner) = owner.upgrade() {
                Self::microtask(&owner);
            }
        });
        Self {
            open: Cell::new(false),
            polled: Cell::new(false),
            keep: RefCell::new(None),
            job,
        }
    }

    /// Call this before a poll starts. Returns `true` if the poll opens a turn.
    pub(crate) fn poll(&self, owner: &Rc<O>) -> bool {
        self.polled.set(true);
        if self.open.get() {
            return false;
        }
        let queued = self.queue(owner);
        self.open.set(queued);
        true
    }

    /// Returns `true` if a microtask will end the turn. On a host without microtasks, each poll is a turn of its own.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    fn queue(&self, owner: &Rc<O>) -> bool {
        let queued = queue_microtask(self.job.as_ref()).is_ok();
        if queued {
            self.keep.replace(Some(Rc::clone(owner)));
        }
        queued
    }

    fn microtask(owner: &Rc<O>) {
        let turn = owner.turn();
        drop(turn.keep.take());
        owner.end_lost_polls();
        if turn.polled.replace(false) && owner.has_work() && turn.queue(owner) {
            return;
        }
        turn.open.set(false);
        owner.end_turn();
    }
}
