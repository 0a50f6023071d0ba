//! Metrics that a runtime reports itself, when a reader reads them.

use crate::catalog::{MetricSet, RuntimeNumber, WorkerNumber};
use crate::live::LocationId;
use crate::locations::TaskActivity;
use core::fmt;
use core::time::Duration;

/// Reports a runtime's own metrics. A reader calls it; the hot path never does.
///
/// Every method has a default that reports nothing. An implementation:
///
/// - MUST NOT block for long;
/// - MUST NOT keep the runtime alive;
/// - MUST work after the runtime has shut down, and return `None` for values that no longer exist.
///
/// The reader holds the probe and the recording side does not, so a runtime that owns its workers' hooks is never part
/// of a reference cycle.
///
/// A snapshot that a `SnapshotReader` refreshes keeps the last value of a counter that becomes `None`. A getter and a
/// new snapshot have no last value, so a probe should continue to report final values if it can.
///
/// ```
/// use metrics_core::{Probe, RuntimeNumber};
///
/// /// Reports the length of the runtime's global queue.
/// struct QueueProbe;
///
/// impl Probe for QueueProbe {
///     fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
///         match number {
///             RuntimeNumber::GlobalQueueDepth => Some(3),
///             _ => None,
///         }
///     }
/// }
///
/// assert_eq!(QueueProbe.runtime(RuntimeNumber::GlobalQueueDepth), Some(3));
/// assert_eq!(QueueProbe.num_workers(), None);
/// ```
pub trait Probe {
    /// Returns the runtime's number of workers, if it differs from the configured number.
    fn num_workers(&self) -> Option<usize> {
        None
    }

    /// Returns a metric of the whole runtime. It replaces the value that the hooks count, if they count one.
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        let _ = number;
        None
    }

    /// Returns the per-worker metrics that the runtime reports itself. They replace those that the hooks count. The
    /// set MUST NOT change: a reader may cache it.
    fn worker_numbers(&self) -> MetricSet {
        MetricSet::NONE
    }

    /// Returns one of [`worker_numbers`](Self::worker_numbers) for one worker. Durations are in nanoseconds. Busy time
    /// MUST include the busy period in progress.
    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        let _ = (worker, number);
        None
    }

    /// Returns the worker's state as the runtime reports it, with all fields from one read. `None` if the runtime does
    /// not report it.
    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        let _ = worker;
        None
    }

    /// Returns how long a timer of the runtime has been overdue, because no worker has turned the driver of its timers
    /// since it was due. Zero if no timer is overdue, and `None` if that is not known.
    ///
    /// A watchdog needs it to find [queue stalls](crate::StallKind::Queue).
    fn timer_overdue(&self) -> Option<Duration> {
        None
    }

    /// Writes the file and line of a spawn location. Writes nothing if they are not known.
    ///
    /// # Errors
    /// Returns only errors of `out`. A name that does not fit is truncated.
    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = (spawn_location, out);
        Ok(())
    }

    /// Returns whether the number is that of a group of futures, such as the requests of one route, and not that of a
    /// spawn location.
    fn is_group(&self, location: LocationId) -> bool {
        let _ = location;
        false
    }

    /// Writes the name of the thread that [`Worker::set_thread`](crate::Worker::set_thread) gave this number. Writes
    /// nothing if it has no name.
    ///
    /// # Errors
    /// Returns only errors of `out`. A name that does not fit is truncated.
    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = (thread, out);
        Ok(())
    }

    /// Returns the operating system's ID of the thread that [`Worker::set_thread`](crate::Worker::set_thread) gave this
    /// number. `None` if it is not known.
    fn os_thread_id(&self, thread: u64) -> Option<u64> {
        let _ = thread;
        None
    }

    /// Calls `each` once for each alive task, with its spawn location. A reader calls this for each snapshot if the
    /// registry keeps a [census](crate::Builder::census). Returns `false` if the adapter keeps none.
    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        let _ = each;
        false
    }

    /// Returns zero in the process that built the runtime, and a different value in each process forked from it, such
    /// as a hash of the process ID. Snapshots from different processes then have different epochs.
    fn fork_id(&self) -> u64 {
        0
    }

    /// Waits between two attempts to read a slot that its worker is writing; `attempt` starts at 0.
    ///
    /// Where the operating system can deschedule threads, yielding the processor after some attempts is better than
    /// spinning.
    fn relax(&self, attempt: u32) {
        let _ = attempt;
        crate::sync::spin_loop();
    }
}

/// A worker's state as its runtime reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ProbedState {
    /// Whether the worker is parked; `None` if the runtime does not report it.
    pub parked: Option<bool>,
    /// Nanoseconds of busy time, without the busy period in progress; `None` if the runtime does not measure it.
    pub busy: Option<u64>,
    /// Nanoseconds of the busy period in progress; `None` if the runtime does not measure it.
    pub in_progress: Option<u64>,
    /// A number that changes often while the worker makes progress, whether or not its polls are measured. If it does
    /// not change while the worker is awake, the worker is stuck. `None` if the runtime has no such number.
    pub progress: Option<u64>,
}

/// A probe that reports nothing.
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

    fn timer_overdue(&self) -> Option<Duration> {
        (**self).timer_overdue()
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        (**self).write_location(spawn_location, out)
    }

    fn is_group(&self, location: LocationId) -> bool {
        (**self).is_group(location)
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        (**self).write_thread(thread, out)
    }

    fn os_thread_id(&self, thread: u64) -> Option<u64> {
        (**self).os_thread_id(thread)
    }

    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        (**self).census(each)
    }

    fn fork_id(&self) -> u64 {
        (**self).fork_id()
    }

    fn relax(&self, attempt: u32) {
        (**self).relax(attempt);
    }
}
