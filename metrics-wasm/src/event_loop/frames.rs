//! The delay of animation frames.

use super::bindings;
use super::snapshot::Histogram;
use crate::clock::PerformanceClock;
use core::cell::{Cell, RefCell};
use metrics_core::TimeSource;
use std::rc::{Rc, Weak};
use wasm_bindgen::closure::Closure;

/// Requests one animation frame after the other, until it is dropped.
pub(super) struct Frames {
    clock: PerformanceClock,
    /// The host's identifier of the request in progress.
    request: Cell<Option<f64>>,
    /// When the frame in progress was requested, in nanoseconds of the clock. `None` if its delay is no sample.
    requested: Cell<Option<u64>>,
    delay: RefCell<Histogram>,
    callback: Closure<dyn FnMut()>,
}

impl Frames {
    /// Returns `None` if the host has no animation frames.
    pub(super) fn start(clock: PerformanceClock, delay: Histogram) -> Option<Rc<Self>> {
        let frames = Rc::new_cyclic(|frames: &Weak<Self>| {
            let frames = frames.clone();
            Self {
                clock,
                request: Cell::new(None),
                requested: Cell::new(None),
                delay: RefCell::new(delay),
                callback: Closure::new(move || {
                    if let Some(frames) = frames.upgrade() {
                        frames.drawn();
                    }
                }),
            }
        });
        frames.request().then_some(frames)
    }

    pub(super) fn delay(&self) -> Histogram {
        self.delay.borrow().clone()
    }

    /// Discards the frame in progress: the page was hidden or did not run, so the delay of the frame is not a sample.
    pub(super) fn interrupt(&self) {
        self.requested.set(None);
    }

    fn request(&self) -> bool {
        self.requested.set(Some(self.clock.now().ticks()));
        let request = bindings::request_animation_frame(self.callback.as_ref()).ok();
        self.request.set(request);
        request.is_some()
    }

    fn drawn(&self) {
        if let Some(requested) = self.requested.get() {
            let now = self.clock.now().ticks();
            self.delay.borrow_mut().record(now.saturating_sub(requested));
        }
        self.request();
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let Some(request) = self.request.get() {
            // A host that has frames can cancel them. It would otherwise call the dropped callback, which throws.
            let _ = bindings::cancel_animation_frame(request);
        }
    }
}
