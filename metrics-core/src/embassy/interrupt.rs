//! An interrupt handler that runs no executor.

use super::frame::{Frame, Moment};
use crate::cell::{OwnedU64, U64Cell};
use crate::seq::SeqCount;
use crate::slot::read_with_retries;
use crate::sync::{AtomicU32, Ordering, spin_loop};

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
    /// One during a run.
    is_running: AtomicU32,
    /// The start of the run, and the ticks taken from the handler up to then.
    since: OwnedU64,
    taken_since: OwnedU64,
    runs: OwnedU64,
    active: OwnedU64,
    longest: OwnedU64,
}

/// A consistent read of a handler, in ticks. The times include a run in progress up to the read.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandlerValues {
    pub(super) running: bool,
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
            is_running: AtomicU32::new(0),
            since: OwnedU64::new(0),
            taken_since: OwnedU64::new(0),
            runs: OwnedU64::new(0),
            active: OwnedU64::new(0),
            longest: OwnedU64::new(0),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Begins a run.
    pub(super) fn start(&self, started: Moment) {
        self.seq.write(|| {
            self.since.set(started.now);
            self.taken_since.set(started.taken);
            // Ordering: relaxed, here and below: the sequence count guards it.
            self.is_running.store(1, Ordering::Relaxed);
        });
    }

    /// Ends the run at the time that `moment` returns, and counts it without what preempted it.
    pub(super) fn end(&self, moment: impl FnOnce() -> Moment) -> Moment {
        let seq = self.seq.open();
        // No reader comes between this and the stores, so none sees more time than is counted.
        let ended = moment();
        let own = self.own_ticks(ended);
        self.runs.add(1);
        self.active.add(own);
        if own > self.longest.get() {
            self.longest.set(own);
        }
        self.is_running.store(0, Ordering::Relaxed);
        self.seq.close(seq);
        ended
    }

    /// Returns the ticks of the run up to `moment`, without what preempted it. Zero if the clock stepped back.
    fn own_ticks(&self, moment: Moment) -> u64 {
        let passed = moment.passed_since(self.since.get(), &self.taken_since);
        passed.map_or(0, |(own, _)| own)
    }

    /// Reads the cells at the time that `now` returns. Returns `None` if the caller interrupted a write of the handler, or
    /// the start or the end of code above it.
    pub(super) fn read(&self, now: impl Fn() -> u64) -> Option<HandlerValues> {
        let read = || {
            let mut values = HandlerValues {
                running: self.is_running.load(Ordering::Relaxed) != 0,
                runs: self.runs.get(),
                active: self.active.get(),
                longest: self.longest.get(),
            };
            if values.running {
                let own = self.own_ticks(self.frame.moment(&now)?);
                values.active = values.active.wrapping_add(own);
                values.longest = values.longest.max(own);
            }
            Some(values)
        };
        read_with_retries(|| self.seq.try_read(read)?, |_| spin_loop())
    }
}
