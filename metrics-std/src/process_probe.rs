//! What a reader asks: the runtime, and this process for the names of threads and spawn locations.

use core::fmt;
use std::sync::Arc;

use metrics_core::{LocationId, MetricSet, Probe, ProbedState, RECORDING, RuntimeNumber, WorkerNumber};

use crate::location;
use crate::record::target::RecordingTarget;
use crate::record::thread;

/// Tries at a slot in the middle of a write before the reader gives up its processor: a submit takes tens of nanoseconds, so
/// a writer that is still inside was descheduled.
const SPINS: u32 = 16;

/// The probe of every reader of this crate: a runtime's own, whatever its type, and the names this process knows.
#[derive(Clone)]
pub struct ProcessProbe {
    target: Arc<RecordingTarget>,
    /// The process that built the runtime.
    process: u32,
    probe: Arc<dyn Probe + Send + Sync>,
    /// Kept here because every getter of a worker looks at it.
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
            process: std::process::id(),
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
    }

    #[inline]
    fn worker_numbers(&self) -> MetricSet {
        self.worker_numbers
    }

    fn write_location(&self, spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        match location::resolve(spawn_location) {
            Some(location) => write!(out, "{}:{}", location.file(), location.line()),
            None => self.probe.write_location(spawn_location, out),
        }
    }

    fn write_thread(&self, number: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        match thread::name(number) {
            Some(name) => out.write_str(&name),
            None => self.probe.write_thread(number, out),
        }
    }

    fn fork_id(&self) -> u64 {
        match std::process::id() {
            process if process == self.process => 0,
            // Spread over all bits, so that it changes no epoch into one of another registry.
            process => u64::from(process).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        }
    }

    fn relax(&self, attempt: u32) {
        if attempt < SPINS {
            core::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}
