//! The measured runtimes of this process that have not shut down, by Tokio's runtime ID.

use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use metrics_core::{HistogramConfig, Sampling};
use portable_atomic::{AtomicUsize, Ordering};
use tokio::runtime::Id;

use crate::clock::Clock;
use crate::record::target::RecordingTarget;
use crate::{Registry, RuntimeMetrics};

/// The runtimes. The end of a runtime removes its entry, so the list keeps no runtime's metrics longer than the runtime.
static RUNTIMES: RwLock<Vec<Entry>> = RwLock::new(Vec::new());

/// The number of entries. A program that measures no runtime spawns without the lock.
static LEN: AtomicUsize = AtomicUsize::new(0);

struct Entry {
    runtime: Id,
    options: Options,
    metrics: RuntimeMetrics,
}

/// The options with which a runtime is measured.
pub(super) struct Options {
    name: Box<str>,
    /// Poll time, schedule latency and blocking-queue wait.
    layouts: [Option<HistogramConfig>; 3],
    sampling: [Sampling; 2],
    locations: usize,
    census: bool,
    flight_recorder: (usize, Duration),
    submit_interval: Duration,
    clock: Clock,
}

impl Options {
    /// Returns the options of a registry that was just built: its switches can be changed later.
    pub(super) fn of(registry: &Registry) -> Self {
        let switches = registry.switches();
        let layouts = [
            registry.poll_time_config(),
            registry.schedule_latency_config(),
            registry.blocking_queue_wait_config(),
        ];
        Self {
            name: registry.name().into(),
            layouts: layouts.map(Option::<&_>::cloned),
            sampling: [switches.poll_time(), switches.schedule_latency()],
            locations: registry.location_capacity(),
            census: registry.keeps_census(),
            flight_recorder: (
                registry.flight_recorder_capacity(),
                registry.flight_recorder_threshold(),
            ),
            submit_interval: registry.submit_interval(),
            clock: registry.clock().clone(),
        }
    }

    fn are_equal(&self, other: &Self) -> bool {
        self.name == other.name
            && self.layouts == other.layouts
            && self.sampling == other.sampling
            && self.locations == other.locations
            && self.census == other.census
            && self.flight_recorder == other.flight_recorder
            && self.submit_interval == other.submit_interval
            && self.clock.is_same(&other.clock)
    }
}

/// Adds a runtime.
pub(super) fn add(runtime: Id, metrics: &RuntimeMetrics) {
    let entry = Entry {
        runtime,
        options: Options::of(metrics.registry()),
        metrics: metrics.clone(),
    };
    let mut runtimes = RUNTIMES.write().unwrap_or_else(PoisonError::into_inner);
    runtimes.push(entry);
    LEN.store(runtimes.len(), Ordering::Relaxed);
}

/// Removes a runtime that has shut down.
pub(super) fn remove(runtime: Id) {
    let mut runtimes = RUNTIMES.write().unwrap_or_else(PoisonError::into_inner);
    let place = runtimes.iter().position(|entry| entry.runtime == runtime);
    let removed = place.map(|place| runtimes.swap_remove(place));
    LEN.store(runtimes.len(), Ordering::Relaxed);
    // The entry may be the last owner of the registry and of the user's clock, so it is dropped outside the lock.
    drop(runtimes);
    drop(removed);
}

/// Returns whether no runtime is measured.
#[inline]
pub(super) fn is_empty() -> bool {
    // Ordering: relaxed: a thread that spawns while another thread attaches may spawn that task unmeasured, as just before.
    LEN.load(Ordering::Relaxed) == 0
}

/// Returns the reader of a runtime, and whether the runtime is measured with these options.
pub(super) fn find(runtime: Id, options: &Options) -> Option<(RuntimeMetrics, bool)> {
    let runtimes = read();
    let entry = runtimes.iter().find(|entry| entry.runtime == runtime)?;
    Some((entry.metrics.clone(), entry.options.are_equal(options)))
}

/// Returns where the tasks of a runtime are recorded.
pub(super) fn target(runtime: Id) -> Option<Arc<RecordingTarget>> {
    let runtimes = read();
    let entry = runtimes.iter().find(|entry| entry.runtime == runtime)?;
    Some(Arc::clone(entry.metrics.probe().target()))
}

fn read() -> RwLockReadGuard<'static, Vec<Entry>> {
    RUNTIMES.read().unwrap_or_else(PoisonError::into_inner)
}
