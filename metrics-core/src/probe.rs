//! What a runtime is asked when somebody reads: depths, gauges, and numbers that it counts itself.

use crate::counters::{Counter, CounterSet};
use crate::live::Site;
use core::fmt;

/// A runtime's own numbers, pulled when a reader asks and never stored on the hot path.
///
/// Every method has a default that says "not measured". An implementation MUST NOT block for long, MUST NOT keep the
/// runtime alive, and MUST go on answering after it has shut down (with `None` for what is gone). The reader holds the
/// probe, the recording side does not: a runtime that owns its workers' hooks is never part of a cycle.
///
/// A snapshot that is refreshed keeps the last value of a counter that turns `None`. A single getter, and a fresh snapshot, know
/// no last value: a probe that can give it after the end should.
pub trait Probe {
    /// Worker threads the runtime has, where that differs from what the registry was built with.
    fn num_workers(&self) -> Option<usize> {
        None
    }

    /// Tasks in the local queue of a worker, its LIFO slot included. A runtime that does not tell that of worker 0 may not be
    /// asked for the others.
    fn local_queue_depth(&self, worker: usize) -> Option<u64> {
        let _ = worker;
        None
    }

    /// Tasks in the queue that all workers share.
    fn global_queue_depth(&self) -> Option<u64> {
        None
    }

    /// Tasks alive by the runtime's own count, whether we see their polls or not.
    fn num_alive_tasks(&self) -> Option<u64> {
        None
    }

    /// Alive tasks whose polls are seen, where the runtime knows better than a count of the measured ones.
    fn covered_tasks(&self) -> Option<u64> {
        None
    }

    /// Tasks spawned by the runtime's own count.
    fn spawned_tasks_count(&self) -> Option<u64> {
        None
    }

    /// Tasks scheduled onto the global queue from outside, by the runtime's own count.
    fn remote_schedule_count(&self) -> Option<u64> {
        None
    }

    /// Polls forced to yield by the runtime's own count, where it has one for all workers together.
    fn budget_forced_yield_count(&self) -> Option<u64> {
        None
    }

    /// Threads of the blocking pool.
    fn num_blocking_threads(&self) -> Option<u64> {
        None
    }

    /// Threads of the blocking pool that wait for work.
    fn num_idle_blocking_threads(&self) -> Option<u64> {
        None
    }

    /// Closures waiting for a thread of the blocking pool.
    fn blocking_queue_depth(&self) -> Option<u64> {
        None
    }

    /// Registrations with the I/O driver.
    fn io_driver_fd_registered_count(&self) -> Option<u64> {
        None
    }

    /// Deregistrations from the I/O driver.
    fn io_driver_fd_deregistered_count(&self) -> Option<u64> {
        None
    }

    /// Readiness events from the I/O driver.
    fn io_driver_ready_count(&self) -> Option<u64> {
        None
    }

    /// The per-worker counters that the runtime counts itself. They take the place of ours.
    fn worker_counters(&self) -> CounterSet {
        CounterSet::NONE
    }

    /// One of [`worker_counters`](Self::worker_counters), in our unit.
    fn worker_counter(&self, worker: usize, counter: Counter) -> Option<u64> {
        let _ = (worker, counter);
        None
    }

    /// Writes the file and line that a site stands for; nothing if it is not known.
    ///
    /// # Errors
    /// Only what `out` returns: a name that does not fit is cut there.
    fn write_site(&self, site: Site, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = (site, out);
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

    /// Called between two tries at a slot that its worker is just writing; `attempt` counts from 0.
    ///
    /// Where threads can be descheduled, giving up the processor after some attempts helps more than spinning.
    fn relax(&self, attempt: u32) {
        let _ = attempt;
        crate::sync::spin_loop();
    }
}

/// A runtime that is asked nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod through_arc {
    use super::{Counter, CounterSet, Probe, Site, fmt};

    macro_rules! forward {
        ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
            impl<P: Probe + ?Sized> Probe for alloc::sync::Arc<P> {
                $(fn $name(&self, $($arg: $kind),*) -> $out {
                    (**self).$name($($arg),*)
                })*
            }
        };
    }

    forward! {
        num_workers() -> Option<usize>;
        local_queue_depth(worker: usize) -> Option<u64>;
        global_queue_depth() -> Option<u64>;
        num_alive_tasks() -> Option<u64>;
        covered_tasks() -> Option<u64>;
        spawned_tasks_count() -> Option<u64>;
        remote_schedule_count() -> Option<u64>;
        budget_forced_yield_count() -> Option<u64>;
        num_blocking_threads() -> Option<u64>;
        num_idle_blocking_threads() -> Option<u64>;
        blocking_queue_depth() -> Option<u64>;
        io_driver_fd_registered_count() -> Option<u64>;
        io_driver_fd_deregistered_count() -> Option<u64>;
        io_driver_ready_count() -> Option<u64>;
        worker_counters() -> CounterSet;
        worker_counter(worker: usize, counter: Counter) -> Option<u64>;
        write_site(site: Site, out: &mut dyn fmt::Write) -> fmt::Result;
        write_thread(thread: u64, out: &mut dyn fmt::Write) -> fmt::Result;
        relax(attempt: u32) -> ();
    }
}
