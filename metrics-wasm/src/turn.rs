//! Where a turn of the host ends.
//!
//! A JavaScript host has no park hook. But a microtask queued during the first poll of a turn runs when the executor's own
//! microtask is done, and that is the end of the turn, unless tasks were woken that the executor polls in its next
//! microtask: then one more is queued behind that one. It stops at the first that finds nothing was polled since the one before,
//! so that it can't keep the host from rendering where an executor runs its tasks elsewhere.

use crate::host::queue_microtask;
use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use wasm_bindgen::closure::Closure;

/// Whose turns these are.
pub(crate) trait Owner: 'static {
    fn turn(&self) -> &Turn<Self>
    where
        Self: Sized;

    /// Whether tasks are scheduled.
    fn has_work(&self) -> bool;

    fn end_turn(&self);
}

pub(crate) struct Turn<O> {
    open: Cell<bool>,
    polled: Cell<bool>,
    /// The owner, held while a microtask is queued: the host would call a closure that is gone.
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

    /// A poll is about to start. `true` if it opens a turn.
    pub(crate) fn poll(&self, owner: &Rc<O>) -> bool {
        self.polled.set(true);
        if self.open.get() {
            return false;
        }
        let queued = self.queue(owner);
        self.open.set(queued);
        true
    }

    /// Whether the host will tell when the turn is over. Where it has no microtasks, the end of each poll has to do.
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
        if turn.polled.replace(false) && owner.has_work() && turn.queue(owner) {
            return;
        }
        turn.open.set(false);
        owner.end_turn();
    }
}
