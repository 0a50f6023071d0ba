//! Stalls: never seen.

use alloc::sync::Arc;
use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::io;
use std::time::SystemTime;

use super::runtime::RuntimeMetrics;

/// One stall. Nothing here ever makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// Whether it goes on.
    pub phase: StallPhase,
    /// What was seen.
    pub kind: StallKind,
    /// The runtime's name.
    pub runtime: Arc<str>,
    /// The worker's index.
    pub worker: Option<usize>,
    /// The name of the thread.
    pub thread: Option<Arc<str>>,
    /// Where the task was spawned.
    pub site: Option<&'static Location<'static>>,
    /// When it began, by the system's clock.
    pub began: SystemTime,
    /// How long it has lasted.
    pub lasted: Duration,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether a stall goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StallPhase {
    /// It has passed the threshold and goes on.
    Ongoing,
    /// It is over.
    Over,
}

/// What a stall is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallKind {
    /// The worker is in one poll.
    Poll,
    /// The worker is awake, in no poll that is seen, and shows no progress.
    NoProgress,
}

/// A scanner that finds nothing.
#[derive(Debug)]
pub struct StallScanner(());

impl StallScanner {
    /// A scanner that finds nothing.
    pub fn new(_metrics: &RuntimeMetrics, _threshold: Duration) -> Self {
        Self(())
    }

    /// Reports nothing.
    pub fn scan(&mut self, _report: impl FnMut(&Stall)) {}
}

/// The guard of [`watch_stalls`]. There is no thread behind it.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watchdog(());

impl Drop for Watchdog {
    /// Nothing ends, but a guard is dropped where the real one is: `drop(watchdog)` is no idle statement.
    fn drop(&mut self) {}
}

/// Starts no thread, and drops the callback, which nothing would call.
///
/// # Errors
/// Never.
pub fn watch_stalls(
    _metrics: &RuntimeMetrics,
    _threshold: Duration,
    _callback: impl FnMut(&Stall) + Send + 'static,
) -> io::Result<Watchdog> {
    Ok(Watchdog(()))
}
