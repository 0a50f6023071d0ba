//! The live record: a worker's current state, which readers can read at any moment without a submit.

mod live_cells;

pub(crate) use live_cells::Live;

use crate::time::Timestamp;
use crate::time_scale::TimeScale;
use core::time::Duration;

/// Identifies the source location at which a task was spawned. The adapter assigns the number.
///
/// The core does not interpret it. The adapter translates it back to a file and line
/// ([`Probe::write_location`](crate::Probe::write_location)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LocationId(u32);

impl LocationId {
    /// An unknown spawn location.
    pub const UNKNOWN: Self = Self(0);

    /// Creates the identifier with this number. Zero is [`UNKNOWN`](Self::UNKNOWN).
    pub const fn from_u32(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// The current activity of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WorkerState {
    /// No thread runs the worker: none has started it yet, or the last one has ended.
    Idle,
    /// Blocked until there is work.
    Parked,
    /// Awake, and searching for work or running the driver.
    Searching,
    /// Running tasks, between two polls.
    Running,
    /// Inside a poll.
    Polling,
}

impl WorkerState {
    const fn from_bits(bits: u32) -> Self {
        match bits {
            1 => Self::Parked,
            2 => Self::Searching,
            3 => Self::Running,
            4 => Self::Polling,
            _ => Self::Idle,
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Idle => 0,
            Self::Parked => 1,
            Self::Searching => 2,
            Self::Running => 3,
            Self::Polling => 4,
        }
    }

    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::Parked,
        Self::Searching,
        Self::Running,
        Self::Polling,
    ];

    /// Returns the state's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Parked => "parked",
            Self::Searching => "searching",
            Self::Running => "running",
            Self::Polling => "polling",
        }
    }

    /// Returns `true` if time in this state is busy time.
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::Running | Self::Polling)
    }
}

/// Identifies one poll or one state in one thread's live record.
///
/// It changes at the start of every poll and at every change of state, so a transition lies between two records with
/// different values. It wraps: compare it for equality only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transition(u32);

#[cfg(all(test, metrics_core_loom))]
impl Transition {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// A consistent read of a worker's live record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LiveRecord {
    /// The worker's state.
    pub state: WorkerState,
    /// The spawn location of the task that is being polled; [`LocationId::UNKNOWN`] outside a poll.
    pub spawn_location: LocationId,
    /// The time at which the state began. `None` without a clock, and for a poll that began with timing off. Between
    /// two polls, this is the start of the last poll.
    pub since: Option<Timestamp>,
    /// Identifies the poll or the state. The time between two polls belongs to the first of them.
    pub transition: Transition,
    /// Whether `since` is the start of a poll that `poll_count` counts: the poll in progress, or the last one.
    pub(crate) is_of_poll: bool,
    /// The last state outside a poll, and its start in ticks.
    pub(crate) period: WorkerState,
    pub(crate) period_since: u64,
}

/// The state of one thread that holds a slot. Two threads may serve one worker: see [`LiveRecord::supersedes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LiveThread {
    /// The number of the thread's slot.
    pub slot: usize,
    /// The worker that the thread serves; `None` for an external thread.
    pub worker: Option<usize>,
    /// The adapter's number for the thread, as last submitted; zero for none.
    pub thread: u64,
    /// The thread's live record.
    pub live: LiveRecord,
    /// Whether readers see everything that has ended on this thread: all polls except the one in progress.
    pub is_submitted: bool,
    /// The last poll or state for which everything is submitted. It changes with each submit that adds a poll.
    pub submitted: Transition,
}

impl LiveRecord {
    /// Returns `true` if this record, and not `other`, shows the worker's state. Both records belong to threads that
    /// serve one worker index.
    ///
    /// The later record supersedes the earlier one. A thread that gave its worker away in the middle of a poll
    /// (`block_in_place`) has an older record than the thread that took it, however long that poll lasts. Two records
    /// with the same time supersede each other.
    ///
    /// The start of an untimed poll is not known. It supersedes every record that is not polling, and two polls
    /// supersede each other if either is untimed.
    pub fn supersedes(&self, other: &Self) -> bool {
        let polls = |live: &Self| live.state == WorkerState::Polling;
        let untimed = |live: &Self| polls(live) && live.since.is_none();
        if untimed(self) || untimed(other) {
            return polls(self) >= polls(other);
        }
        (self.since, polls(self)) >= (other.since, polls(other))
    }

    /// Returns how long the state has lasted at `now`. `None` if its start is not known, or if the clock stepped back
    /// since.
    pub fn age(&self, now: Timestamp, scale: &TimeScale) -> Option<Duration> {
        scale
            .nanos_across_cores(now, self.since?)
            .map(Duration::from_nanos)
    }
}

/// A `since` that is not known.
pub(crate) const UNTIMED: u64 = u64::MAX;
