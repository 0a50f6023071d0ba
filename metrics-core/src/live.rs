//! The live record: what a worker is doing now, readable at any moment without a submit.

use crate::cell::{OwnedU64, U64Cell};
use crate::seq::SeqCount;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};
use crate::time::Timestamp;

/// Where a task was spawned: a number that the adapter interned for it.
///
/// The core never looks inside; the adapter that made it gives the file and line back
/// ([`Probe::write_site`](crate::Probe::write_site)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Site(u32);

impl Site {
    /// A task whose spawn site is not known.
    pub const UNKNOWN: Self = Self(0);

    /// The site with this number; zero is [`UNKNOWN`](Self::UNKNOWN).
    pub const fn from_u32(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WorkerState {
    /// No thread has run it yet, or the last one has ended.
    Idle,
    /// Blocked until there is work.
    Parked,
    /// Awake and looking for work, or in the driver.
    Searching,
    /// Processing tasks, between two polls.
    Running,
    /// Inside one poll.
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

    /// The state in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Parked => "parked",
            Self::Searching => "searching",
            Self::Running => "running",
            Self::Polling => "polling",
        }
    }

    /// Whether time in this state is busy time.
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::Running | Self::Polling)
    }
}

/// One coherent reading of a worker's live record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LiveRecord {
    /// What the worker is doing.
    pub state: WorkerState,
    /// Where the task being polled was spawned; [`Site::UNKNOWN`] outside a poll.
    pub site: Site,
    /// Since when, by the registry's clock. `None` without a clock, and for a poll that began while nothing was
    /// timed. Between two polls it is when the last one began.
    pub since: Option<Timestamp>,
    /// The number of the poll going on, or of the last one, counted from 1 over the slot's life.
    pub poll_number: u64,
    pub(crate) busy_since: u64,
}

/// What one thread that holds a slot is doing. Two threads may serve one worker: see
/// [`LiveRecord::supersedes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LiveThread {
    /// The number of its slot.
    pub slot: usize,
    /// The worker that it serves; `None` for a thread that is none of the runtime's workers.
    pub worker: Option<usize>,
    /// The adapter's number for the thread, as last published; zero for none.
    pub thread: u64,
    /// What it is doing.
    pub live: LiveRecord,
}

impl LiveRecord {
    /// Which of two threads' records under one worker index tells what the worker does: the later one. A thread that
    /// gave its worker away in the middle of a poll (`block_in_place`) has an older record than the thread that took it,
    /// however long that poll goes on. Of two records of one instant, each supersedes the other.
    ///
    /// Nobody can tell when an untimed poll began. It supersedes whatever is not polling, which says the less of the two,
    /// and of two polls of which one is untimed each supersedes the other.
    pub fn supersedes(&self, other: &Self) -> bool {
        let polls = |live: &Self| live.state == WorkerState::Polling;
        let untimed = |live: &Self| polls(live) && live.since.is_none();
        if untimed(self) || untimed(other) {
            return polls(self) >= polls(other);
        }
        (self.since, polls(self)) >= (other.since, polls(other))
    }

    /// Since when the worker has been busy, in ticks; [`UNTIMED`] if it is not.
    pub(crate) fn busy_since(&self) -> u64 {
        match (self.state.is_busy(), self.busy_since, self.since) {
            (false, ..) => UNTIMED,
            // A worker that never says when it processes tasks is busy in its polls.
            (true, UNTIMED, Some(since)) => since.ticks(),
            (true, since, _) => since,
        }
    }
}

/// A `since` that is not known.
pub(crate) const UNTIMED: u64 = u64::MAX;

/// The cells. Written at every poll's start, so it is small and lies with the slot's own first line.
#[derive(Debug)]
pub(crate) struct Live {
    seq: SeqCount,
    /// Stored inside the sequence count by `write`, outside it by `end_poll`.
    state: AtomicU32,
    site: AtomicU32,
    since: OwnedU64,
    poll_number: OwnedU64,
    busy_since: OwnedU64,
}

impl Live {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                seq: SeqCount::new(),
                state: AtomicU32::new(0),
                site: AtomicU32::new(0),
                since: OwnedU64::new(UNTIMED),
                poll_number: OwnedU64::new(0),
                busy_since: OwnedU64::new(UNTIMED),
            }
        }
    }

    /// A poll of a task from `site` begins. `since` is [`UNTIMED`] where nothing is timed.
    #[inline(always)]
    pub(crate) fn start_poll(&self, site: Site, since: u64, poll_number: u64) {
        self.seq.write(|| {
            // Ordering: relaxed, within the sequence count.
            self.state.store(WorkerState::Polling.bits(), Ordering::Relaxed);
            self.site.store(site.0, Ordering::Relaxed);
            self.since.set(since);
            self.poll_number.set(poll_number);
        });
    }

    /// The poll going on is of a task from `site`, as somebody knows who came later than its start. One store.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) fn set_site(&self, site: Site) {
        // Ordering: relaxed and outside the sequence count: either site is one that was said of this poll.
        self.site.store(site.0, Ordering::Relaxed);
    }

    /// The poll ended. One store: the rest of the record still describes the poll that ended, and says so. Who never said
    /// that it processes tasks is not busy between two polls.
    #[inline(always)]
    pub(crate) fn end_poll(&self, busy: bool) {
        let state = if busy {
            WorkerState::Running
        } else {
            WorkerState::Searching
        };
        // Ordering: relaxed and outside the sequence count. A reader sees the finished poll as going on or as
        // ended, each of which was true within its two reads of the count; the next `write` hides it again.
        self.state.store(state.bits(), Ordering::Relaxed);
    }

    /// The worker changes its state outside a poll.
    pub(crate) fn enter(&self, state: WorkerState, since: u64) {
        self.seq.write(|| {
            // Ordering: relaxed, within the sequence count.
            self.state.store(state.bits(), Ordering::Relaxed);
            self.site.store(Site::UNKNOWN.0, Ordering::Relaxed);
            self.since.set(since);
            if state == WorkerState::Running {
                self.busy_since.set(since);
            }
        });
    }

    /// Whether the record is still the one that was read under this sequence count. What is stored outside the count is
    /// compared.
    #[inline(always)]
    pub(crate) fn is_still(&self, seq: u32, read: &LiveRecord) -> bool {
        // Ordering: relaxed loads after the acquire of `begin`; an older value than the newest is what a moment ago was.
        self.seq.begin() == Some(seq)
            && self.state.load(Ordering::Relaxed) == read.state.bits()
            && (read.state != WorkerState::Polling || self.site.load(Ordering::Relaxed) == read.site.0)
    }

    /// The sequence count, if nobody is writing.
    pub(crate) fn seq(&self) -> Option<u32> {
        self.seq.begin()
    }

    /// One try to read the record; `None` if the worker was just writing it.
    pub(crate) fn try_read(&self) -> Option<LiveRecord> {
        self.seq.try_read(|| {
            // Ordering: relaxed, within the sequence count.
            let state = WorkerState::from_bits(self.state.load(Ordering::Relaxed));
            let since = self.since.get();
            LiveRecord {
                state,
                site: match state {
                    WorkerState::Polling => Site(self.site.load(Ordering::Relaxed)),
                    _ => Site::UNKNOWN,
                },
                since: (since != UNTIMED).then(|| Timestamp::from_ticks(since)),
                poll_number: self.poll_number.get(),
                busy_since: self.busy_since.get(),
            }
        })
    }
}
