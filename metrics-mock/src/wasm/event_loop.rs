//! The event loop: not watched.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use metrics_core::{HistogramConfig, HistogramSnapshot, Site, Timestamp};

use super::Monitor;

/// A histogram of a snapshot.
pub type Histogram = HistogramSnapshot<Vec<u64>>;

/// How often metrics-wasm asks for a turn by default.
pub const DEFAULT_PERIOD: Duration = Duration::from_millis(50);

/// A watch that sets no timer and observes nothing.
pub struct EventLoop {
    empty: Histogram,
    /// It belongs to the thread it was made on.
    _thread: PhantomData<*const ()>,
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}

/// Why an event loop can't be watched. Not given: nothing is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// The host has no clock.
    NoClock,
    /// The host has no timers.
    NoTimers,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClock => "the event loop can't be watched without a clock",
            Self::NoTimers => "the event loop can't be watched without timers",
        })
    }
}

impl Error for WatchError {}

/// An event loop at one moment: empty.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventLoopSnapshot {
    /// A histogram without a sample.
    pub loop_lag: Histogram,
    /// `None`.
    pub long_task_time: Option<Histogram>,
    /// Zero.
    pub loop_busy_duration_total: Duration,
}

/// How a stall was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallSource {
    /// One poll of a measured future.
    Poll,
    /// The browser's own account of long tasks.
    LongTask,
    /// A timer that came late.
    Probe,
}

/// The thread was held. Nothing here ever says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// When it began.
    pub start: Timestamp,
    /// For how long.
    pub duration: Duration,
    /// How it was seen.
    pub source: StallSource,
    /// Where the task was spawned whose poll it was.
    pub site: Site,
}

/// The guard of [`EventLoop::on_stall`]. There is nothing behind it.
#[must_use = "dropping it ends the calls"]
pub struct StallListener {
    /// It belongs to the thread it was made on.
    _thread: PhantomData<*const ()>,
}

impl fmt::Debug for StallListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallListener").finish_non_exhaustive()
    }
}

impl EventLoop {
    /// Watches nothing.
    ///
    /// # Errors
    /// As [`watch_every`](Self::watch_every).
    pub fn watch(monitor: &Monitor) -> Result<Self, WatchError> {
        Self::watch_every(monitor, DEFAULT_PERIOD)
    }

    /// Watches nothing.
    ///
    /// # Errors
    /// Only where there is no memory for an empty histogram, and with the same error as metrics-wasm.
    pub fn watch_every(_monitor: &Monitor, _period: Duration) -> Result<Self, WatchError> {
        let empty = Histogram::new(HistogramConfig::DEFAULT).map_err(|_| WatchError::NoClock)?;
        Ok(Self {
            empty,
            _thread: PhantomData,
        })
    }

    /// A snapshot of nothing.
    pub fn snapshot(&self) -> EventLoopSnapshot {
        EventLoopSnapshot {
            loop_lag: self.empty.clone(),
            long_task_time: None,
            loop_busy_duration_total: Duration::ZERO,
        }
    }

    /// Drops the callback, which nothing would call.
    pub fn on_stall(&self, _threshold: Duration, _callback: impl FnMut(&Stall) + 'static) -> StallListener {
        StallListener { _thread: PhantomData }
    }
}
