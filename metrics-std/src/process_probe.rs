//! [`ProcessProbe`]: answers a reader's queries from the runtime, and names threads and spawn locations.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use metrics_core::{
    LocationId, MetricSet, Probe, ProbedState, RECORDING, RuntimeNumber, TaskActivity, TimeSource as _,
    WorkerNumber,
};

use crate::location;
use crate::os;
use crate::record::target::RecordingTarget;
use crate::record::thread;

/// Number of spins on a slot that is being written before the reader yields its processor. A submit takes tens of nanoseconds, so a
/// writer that takes longer has been descheduled.
const SPINS: u32 = 16;

/// Number of attempts before the reader sleeps: other threads keep the writer from its processor. The rest of the 64 attempts then takes
/// a few milliseconds, which is a time slice of a loaded system.
const YIELDS: u32 = 32;

/// How long the reader sleeps before it tries again.
const SLEEP: Duration = Duration::from_micros(100);

/// The probe of the readers that this crate builds. It forwards to the runtime's probe, whatever its type, and resolves the names of
/// threads and spawn locations of this process.
#[derive(Clone)]
pub struct ProcessProbe {
    target: Arc<RecordingTarget>,
    /// The process that built the runtime.
    process: u32,
    probe: Arc<dyn Probe + Send + Sync>,
    /// Cached because every getter of a worker reads it.
    worker_numbers: MetricSet,
}

impl ProcessProbe {
    pub(crate) fn new(target: Arc<RecordingTarget>, probe: impl Probe + Send + Sync + 'static) -> Self {
        Self {
            target,
            worker_numbers: if RECORDING {
                probe.worker_numbers()
            } else {
                MetricSet::NONE
            },
            process: os::process_id(),
            probe: Arc::new(probe),
        }
    }

    pub(crate) fn target(&self) -> &Arc<RecordingTarget> {
        &self.target
    }
}

impl fmt::Debug for ProcessProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessProbe").finish_non_exhaustive()
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $kind),*) -> $out {
            self.probe.$name($($arg),*)
        })*
    };
}

impl Probe for ProcessProbe {
    forward! {
        num_workers() -> Option<usize>;
        runtime(number: RuntimeNumber) -> Option<u64>;
        worker(worker: usize, number: WorkerNumber) -> Option<u64>;
        worker_state(worker: usize) -> Option<ProbedState>;
        timer_overdue() -> Option<Duration>;
    }

    #[inline]
    fn worker_numbers(&self) -> MetricSet {
        self.worker_numbers
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        match location::write(spawn_location, out) {
            Some(result) => result,
            None => self.probe.write_location(spawn_location, out),
        }
    }

    fn is_group(&self, location: LocationId) -> bool {
        location::is_group(location) || self.probe.is_group(location)
    }

    fn write_thread(&self, number: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        match thread::name(number) {
            Some(name) => out.write_str(&name),
            None => self.probe.write_thread(number, out),
        }
    }

    fn os_thread_id(&self, number: u64) -> Option<u64> {
        thread::os_id(number).or_else(|| self.probe.os_thread_id(number))
    }

    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        let is_kept = self.probe.census(each);
        let Some(census) = &self.target.census else {
            return is_kept;
        };
        let registry = &self.target.registry;
        let now = registry.clock().now();
        let is_recent =
            |since, limit: Duration| u128::from(registry.scale().nanos(now, since)) < limit.as_nanos();
        census.visit(now, is_recent, each) || is_kept
    }

    fn fork_id(&self) -> u64 {
        match os::process_id() {
            process if process == self.process => 0,
            // The bits are spread, so that the id does not turn one registry's epoch into another's.
            process => u64::from(process).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        }
    }

    fn relax(&self, attempt: u32) {
        match attempt {
            ..SPINS => core::hint::spin_loop(),
            SPINS..YIELDS => std::thread::yield_now(),
            _ => std::thread::sleep(SLEEP),
        }
    }
}
