//! An interrupt handler that runs no executor.

use super::executor::Moment;
use super::frame::Frame;
use crate::cell::{OwnedU64, U64Cell};
use crate::seq::SeqCount;
use crate::slot::read_with_retries;
use crate::sync::spin_loop;

/// The cells of one interrupt handler, for [`EmbassyConfig::interrupts`](super::EmbassyConfig::interrupts).
///
/// ```
/// use metrics_core::embassy::InterruptHandler;
///
/// static INTERRUPTS: [InterruptHandler; 2] = [InterruptHandler::new("uart"), InterruptHandler::new("dma")];
/// ```
#[derive(Debug)]
pub struct InterruptHandler {
    name: &'static str,
    pub(super) frame: Frame,
    seq: SeqCount,
    runs: OwnedU64,
    active: OwnedU64,
    longest: OwnedU64,
}

/// A consistent read of a handler, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandlerValues {
    pub(super) runs: u64,
    pub(super) active: u64,
    pub(super) longest: u64,
}

impl InterruptHandler {
    /// Creates the cells of a handler. The name identifies it.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            frame: Frame::new(),
            seq: SeqCount::new(),
            runs: OwnedU64::new(0),
            active: OwnedU64::new(0),
            longest: OwnedU64::new(0),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Counts a run, without what preempted it.
    pub(super) fn record(&self, started: Moment, ended: Moment) {
        let wall = ended.now.saturating_sub(started.now);
        let own = wall.saturating_sub(ended.taken.saturating_sub(started.taken));
        self.seq.write(|| {
            self.runs.add(1);
            self.active.add(own);
            if own > self.longest.get() {
                self.longest.set(own);
            }
        });
    }

    /// Reads the cells. Returns `None` if the caller interrupted a write of the handler.
    pub(super) fn read(&self) -> Option<HandlerValues> {
        let read = || {
            self.seq.try_read(|| HandlerValues {
                runs: self.runs.get(),
                active: self.active.get(),
                longest: self.longest.get(),
            })
        };
        read_with_retries(read, |_| spin_loop())
    }
}
