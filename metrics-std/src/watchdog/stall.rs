//! [`Stall`]: the report of a stall.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::SystemTime;

use metrics_core::StallKind;

/// A stall, reported when it is found and again when it is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// Whether the stall is still in progress.
    pub phase: StallPhase,
    /// How the stall was detected.
    pub kind: StallKind,
    /// The runtime's name.
    pub runtime: Arc<str>,
    /// The worker's index, or `None` for an external thread, which polls the runtime's tasks but is not one of its workers. Also
    /// `None` for a stall of the kind [`Queue`](StallKind::Queue) in which several workers run polls.
    pub worker: Option<usize>,
    /// The name of the thread, or `None` if it has no name or has ended.
    pub thread: Option<Arc<str>>,
    /// The operating system's ID of the thread, for debuggers and profilers; `None` if it is not known. It is known on Linux, where it is
    /// the name of the thread's directory in `/proc/self/task`.
    pub os_thread_id: Option<u64>,
    /// The file and line at which the task was spawned, or the name of the group of futures that it polls; `None` if unknown. For a root
    /// future, `root future at` and the file and line at which it was wrapped.
    pub spawn_location: Option<Arc<str>>,
    /// Whether the poll is that of a root future (`block_on`) and not of a task.
    pub is_root: bool,
    /// Whether the location is a group of futures that the task polls, such as the template of a route.
    pub is_group: bool,
    /// When the stall began, by the system clock.
    pub began: SystemTime,
    /// The duration up to the scan that reports it. It is a lower bound if [`clock_stepped`](Self::clock_stepped).
    pub lasted: Duration,
    /// Whether the registry's clock stepped back during the stall, so that part of its duration is unknown.
    pub clock_stepped: bool,
    /// The spawn locations whose tasks waited for the poll, those that waited longest first. Only for a poll that is over, with a flight
    /// recorder ([`Builder::flight_recorder`](crate::Builder::flight_recorder)), and only of tasks that were polled since. If
    /// the poll was in a [group](Self::is_group), its task must be measured.
    pub victims: Arc<[StallVictim]>,
}

/// Tasks that waited for the poll of a [`Stall`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StallVictim {
    /// The file and line at which the tasks were spawned, or `None` if unknown.
    pub spawn_location: Option<Arc<str>>,
    /// How long the tasks waited for their polls, all together.
    pub waited: Duration,
    /// The part of that time during which the poll of the stall was running, or another poll of its spawn location.
    pub for_stall: Duration,
}

/// Whether a stall is still in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StallPhase {
    /// The stall has passed the threshold and is in progress.
    Ongoing,
    /// The stall is over.
    Over,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime {}: ", self.runtime)?;
        match self.worker {
            Some(worker) => write!(f, "worker {worker}")?,
            None if self.kind == StallKind::Queue => f.write_str("several workers")?,
            None => f.write_str("an external thread")?,
        }
        match (&self.thread, self.os_thread_id) {
            (Some(thread), Some(id)) => write!(f, " ({thread}, thread ID {id})")?,
            (Some(thread), None) => write!(f, " ({thread})")?,
            (None, Some(id)) => write!(f, " (thread ID {id})")?,
            (None, None) => {}
        }
        f.write_str(match (self.phase, self.kind) {
            (StallPhase::Ongoing, StallKind::Poll) => " has been in one poll for ",
            (StallPhase::Over, StallKind::Poll) => " was in one poll for ",
            (_, StallKind::Queue) => ": polls without a turn of the driver for ",
            (StallPhase::Ongoing, _) => " has made no progress for ",
            (StallPhase::Over, _) => " made no progress for ",
        })?;
        if self.clock_stepped {
            write!(f, "at least {:?} (the clock stepped back)", self.lasted)?;
        } else {
            write!(f, "{:?}", self.lasted)?;
        }
        match &self.spawn_location {
            Some(location) if self.is_root => write!(f, ", of the {location}")?,
            Some(location) if self.is_group => write!(f, ", of a future of the group {location}")?,
            Some(location) => write!(f, ", of the task spawned at {location}")?,
            None => {}
        }
        for victim in &*self.victims {
            let location = victim.spawn_location.as_deref().unwrap_or("an unknown location");
            let StallVictim {
                waited, for_stall, ..
            } = victim;
            write!(
                f,
                "; tasks spawned at {location} waited {waited:?}, {for_stall:?} of them for it"
            )?;
        }
        Ok(())
    }
}
