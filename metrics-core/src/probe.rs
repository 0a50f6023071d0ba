//! The numbers that a runtime reports itself when it is read.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::live::LocationId;
use core::fmt;

/// A runtime's own numbers, read when a reader asks and never stored on the hot path.
///
/// Every method has a default that reports nothing. An implementation MUST NOT block for long, MUST NOT keep the runtime alive, and
/// MUST keep answering after the runtime has shut down (with `None` for what is gone). The reader holds the probe, the recording side
/// does not: a runtime that owns its workers' hooks is never part of a cycle.
///
/// A snapshot that is refreshed keeps the last value of a counter that becomes `None`. A getter and a new snapshot have no last value:
/// a probe that can report it after the end should do so.
pub trait Probe {
    /// Worker threads the runtime has, where that differs from what the registry was built with.
    fn num_workers(&self) -> Option<usize> {
        None
    }

    /// A number of the runtime as a whole. It replaces the number that the hooks count, if they count one.
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        let _ = number;
        None
    }

    /// The per-worker numbers that the runtime reports itself. They replace those that the hooks count. The set MUST stay the same: a
    /// reader may keep it.
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::NONE
    }

    /// One of [`worker_numbers`](Self::worker_numbers) of one worker; durations are in nanoseconds.
    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        let _ = (worker, number);
        None
    }

    /// What a worker is doing by the runtime's own signs, all from one read. `None` if the runtime does not report it.
    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        let _ = worker;
        None
    }

    /// Writes the file and line that a location stands for; nothing if it is not known.
    ///
    /// # Errors
    /// Only what `out` returns: a name that does not fit is cut there.
    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = (spawn_location, out);
        Ok(())
    }

    /// Writes the name of a thread that a worker's [`set_thread`](crate::Worker::set_thread) gave a number; nothing if it has none.
    ///
    /// # Errors
    /// Only what `out` returns: a name that does not fit is cut there.
    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = (thread, out);
        Ok(())
    }

    /// Zero in the process that built the runtime, and a number of its own in a process forked from it, such as a hash of the process
    /// ID. Snapshots that were taken in different processes then have different epochs.
    fn fork_id(&self) -> u64 {
        0
    }

    /// Called between two tries to read a slot that its worker is writing; `attempt` counts from 0.
    ///
    /// Where threads can be descheduled, giving up the processor after some attempts helps more than spinning.
    fn relax(&self, attempt: u32) {
        let _ = attempt;
        crate::sync::spin_loop();
    }
}

/// What a worker is doing by its runtime's own signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ProbedState {
    /// Whether the worker is parked; `None` if the runtime can't tell.
    pub parked: Option<bool>,
    /// Nanoseconds that it was busy, without the stretch in progress; `None` if the runtime does not measure it.
    pub busy: Option<u64>,
    /// Nanoseconds of the busy stretch in progress; `None` if the runtime does not measure it.
    pub in_progress: Option<u64>,
    /// A number that changes at short intervals as long as the worker makes progress, whether its polls are measured or not: a
    /// worker that is awake while it stands still is stuck. `None` if the runtime has no such number.
    pub progress: Option<u64>,
}

/// The probe of a runtime that reports nothing itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<P: Probe + ?Sized> Probe for alloc::sync::Arc<P> {
    fn num_workers(&self) -> Option<usize> {
        (**self).num_workers()
    }

    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        (**self).runtime(number)
    }

    fn worker_numbers(&self) -> MetricSet {
        (**self).worker_numbers()
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        (**self).worker(worker, number)
    }

    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        (**self).worker_state(worker)
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        (**self).write_location(spawn_location, out)
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        (**self).write_thread(thread, out)
    }

    fn fork_id(&self) -> u64 {
        (**self).fork_id()
    }

    fn relax(&self, attempt: u32) {
        (**self).relax(attempt);
    }
}
