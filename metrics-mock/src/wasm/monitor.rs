//! What would measure the futures of one thread.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;

use metrics_core::{ConfigError, HistogramConfig, LeaseError, Probe, Sampling};

use super::measured::Measured;
use super::{PerformanceClock, RuntimeMetrics, Snapshot};
use crate::base;

/// A monitor of nothing, without size.
#[derive(Clone)]
pub struct Monitor {
    /// It belongs to the thread it was made on.
    _thread: PhantomData<*const ()>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

/// Describes a monitor. Nothing of it is kept.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<'a>(PhantomData<&'a str>);

impl Default for Builder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Builder<'a> {
    /// A builder.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// The runtime's name: not kept.
    pub const fn name(self, _name: &'a str) -> Self {
        self
    }

    /// The layout of the poll-time histogram: there is none.
    pub const fn poll_time(self, _config: Option<HistogramConfig>) -> Self {
        self
    }

    /// The layout of the schedule-latency histogram: there is none.
    pub const fn schedule_latency(self, _config: Option<HistogramConfig>) -> Self {
        self
    }

    /// How many polls would be measured.
    pub const fn poll_time_sampling(self, _sampling: Sampling) -> Self {
        self
    }

    /// How many polls would be measured.
    pub const fn schedule_latency_sampling(self, _sampling: Sampling) -> Self {
        self
    }

    /// The clock: not kept.
    pub const fn clock(self, _clock: PerformanceClock) -> Self {
        self
    }

    /// A monitor of nothing.
    ///
    /// # Errors
    /// Never.
    pub fn build(&self) -> Result<Monitor, BuildError> {
        Ok(Monitor::new())
    }
}

/// Why a monitor can't be made. Not given: nothing is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The description can't work.
    Config(ConfigError),
    /// The worker could not be given a slot.
    Lease(LeaseError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lease(error) => error.fmt(f),
        }
    }
}

impl Error for BuildError {}

/// The probe of a monitor's readers: it knows nothing.
#[derive(Clone, Debug)]
pub struct MonitorProbe(());

impl Probe for MonitorProbe {}

impl Monitor {
    const fn new() -> Self {
        Self { _thread: PhantomData }
    }

    /// A monitor of nothing.
    ///
    /// # Errors
    /// Never.
    pub fn current() -> Result<Self, BuildError> {
        Ok(Self::new())
    }

    /// True, as for the first monitor of a thread.
    pub fn install(&self) -> bool {
        true
    }

    /// `wasm_bindgen_futures::spawn_local`.
    #[track_caller]
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, future: F) {
        wasm_bindgen_futures::spawn_local(future);
    }

    /// The future as it is.
    #[track_caller]
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured::new(future)
    }

    /// A reader.
    pub fn metrics(&self) -> RuntimeMetrics<MonitorProbe> {
        let registry = Arc::new(base::Registry::of(Cow::Borrowed(""), 1, PerformanceClock::ABSENT));
        RuntimeMetrics::with_probe(registry, MonitorProbe(()))
    }

    /// A snapshot of nothing.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Zero: no wake is seen.
    pub fn self_wake_count(&self) -> u64 {
        0
    }
}

/// `wasm_bindgen_futures::spawn_local`.
#[track_caller]
pub fn spawn_local<F: Future<Output = ()> + 'static>(future: F) {
    wasm_bindgen_futures::spawn_local(future);
}
