//! `Debug` output of snapshots: the measured values, without cells or buckets.

use super::{Measurements, Snapshot, WorkerInterval, WorkerSnapshot};
use crate::catalog::WorkerNumber;
use crate::live::WorkerState;
use crate::storage::Storage;
use core::fmt;

/// Adds the counters that have a value.
fn counters(f: &mut fmt::DebugStruct<'_, '_>, counter: impl Fn(WorkerNumber) -> Option<u64>) {
    for &each in WorkerNumber::ALL {
        if let Some(value) = counter(each) {
            f.field(each.name(), &value);
        }
    }
}

/// Adds a value if there is one.
fn known(f: &mut fmt::DebugStruct<'_, '_>, name: &str, value: Option<&dyn fmt::Debug>) {
    if let Some(value) = value {
        f.field(name, value);
    }
}

impl<S: Storage> fmt::Debug for Measurements<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Measurements");
        counters(&mut f, |counter| self.counter(counter));
        let mean = self.mean_poll_time();
        known(&mut f, "mean_poll_time", mean.as_ref().map(|mean| mean as _));
        known(&mut f, "poll_time", self.poll_time().map(|reading| reading as _));
        let latency = self.schedule_latency();
        known(&mut f, "schedule_latency", latency.map(|reading| reading as _));
        f.finish_non_exhaustive()
    }
}

impl<S: Storage> fmt::Debug for WorkerInterval<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("WorkerInterval");
        counters(&mut f, |counter| self.counter(counter));
        let ratio = self.utilization();
        known(&mut f, "utilization", ratio.as_ref().map(|ratio| ratio as _));
        known(
            &mut f,
            "poll_time",
            self.poll_time().map(|histogram| histogram as _),
        );
        let latency = self.schedule_latency();
        known(
            &mut f,
            "schedule_latency",
            latency.map(|histogram| histogram as _),
        );
        f.finish_non_exhaustive()
    }
}

/// Formats a worker in one line of its snapshot.
struct Brief<'a, S: Storage>(&'a WorkerSnapshot<S>);

impl<S: Storage> fmt::Debug for Brief<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.state().map_or("awake", WorkerState::name))?;
        if let Some(polls) = self.0.poll_count() {
            write!(f, ", {polls} polls")?;
        }
        f.write_str(if self.0.staleness().is_some() {
            ", stale"
        } else {
            ""
        })
    }
}

struct Workers<'a, S: Storage>(&'a Snapshot<S>);

impl<S: Storage> fmt::Debug for Workers<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_map();
        for worker in self.0.workers() {
            f.entry(&worker.index(), &Brief(worker));
        }
        if let Some(external) = self.0.external() {
            f.entry(&format_args!("external"), &Brief(external));
        }
        f.finish()
    }
}

impl<S: Storage> fmt::Debug for Snapshot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Snapshot");
        debug.field("name", &self.name()).field("epoch", &self.epoch());
        known(
            &mut debug,
            "uptime",
            self.uptime().as_ref().map(|uptime| uptime as _),
        );
        known(&mut debug, "tasks", self.tasks().as_ref().map(|tasks| tasks as _));
        debug
            .field("workers", &Workers(self))
            .field("total", self.total())
            .finish_non_exhaustive()
    }
}
