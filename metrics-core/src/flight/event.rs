//! The events.

use crate::live::LocationId;
use crate::time::Timestamp;
use core::time::Duration;

/// The longest duration that fits in an event, in nanoseconds.
pub(super) const MAX_NANOS: u64 = u32::MAX as u64 - 1;

/// The kind of a [`FlightEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlightEventKind {
    /// A poll of a task.
    Poll,
    /// Short polls that directly followed each other.
    Burst,
    /// The worker parked.
    Park,
    /// The worker woke up.
    Unpark,
}

/// An event in the life of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlightEvent {
    /// The kind of the event.
    pub kind: FlightEventKind,
    /// The time at which it began.
    pub start: Timestamp,
    /// The spawn location of the polled task. [`LocationId::UNKNOWN`] for a burst of polls of several locations, for
    /// events without a poll, and for locations with numbers above 16,383.
    pub location: LocationId,
    /// The duration of a poll, at most 4.29 seconds: longer polls are recorded as 4.29 seconds. For a burst, the time
    /// from the start of its first poll to the end of its last one.
    pub duration: Duration,
    /// The schedule latency of the poll, if it was measured. At most 4.29 seconds. `None` for a burst.
    pub schedule_latency: Option<Duration>,
    /// The number of polls: 1 for a poll, and 0 for an event without one.
    pub polls: u32,
}

/// The words of an event in a ring: the low half of its start; the next 16 bits of it, with the location and the kind;
/// the duration; and the schedule latency, or the number of polls of a burst.
pub(crate) type Words = [u32; 4];

/// The largest location that fits in an event.
pub(super) const MAX_LOCATION: u32 = (1 << 14) - 1;
/// The bits of the second word that hold the location.
pub(super) const LOCATION_MASK: u32 = MAX_LOCATION << 2;
/// The bits of the second word that hold the kind.
pub(super) const KIND_MASK: u32 = 0b11;
/// The kind of a burst.
pub(super) const BURST: u32 = 3;
/// The value for a latency that was not measured.
const UNMEASURED: u32 = u32::MAX;
/// The bits of a start in ticks that an event keeps: the reader completes them from its own time.
pub(super) const START_MASK: u64 = (1 << 48) - 1;
/// How far in ticks a start may be after the reader's time: the reader reads its clock before it copies the events, and the
/// clocks of two cores may disagree.
const AHEAD: u64 = 1 << 40;

/// An event as a hook records it: times in nanoseconds, except for the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    pub(crate) kind: FlightEventKind,
    /// The start, in ticks.
    pub(crate) start: u64,
    pub(crate) location: LocationId,
    pub(crate) duration: u64,
    pub(crate) schedule_latency: Option<u64>,
}

/// Returns the low 48 bits of a start from its two words.
#[inline(always)]
pub(super) fn start_of(low: u32, word: u32) -> u64 {
    u64::from(word >> 16) << 32 | u64::from(low)
}

/// Returns the location of an event from its second word.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[inline(always)]
pub(super) fn location_of(word: u32) -> u32 {
    (word & LOCATION_MASK) >> 2
}

#[inline(always)]
fn clamped(nanos: u64) -> u32 {
    nanos.min(MAX_NANOS) as u32
}

impl Recorded {
    /// Returns a poll that started at this time in ticks.
    #[inline(always)]
    pub(crate) fn poll(
        start: u64,
        location: LocationId,
        duration: u64,
        schedule_latency: Option<u64>,
    ) -> Self {
        Self {
            kind: FlightEventKind::Poll,
            start,
            location,
            duration,
            schedule_latency,
        }
    }

    /// Returns a change of state at this time in ticks.
    pub(crate) fn state(kind: FlightEventKind, start: u64) -> Self {
        Self {
            kind,
            start,
            location: LocationId::UNKNOWN,
            duration: 0,
            schedule_latency: None,
        }
    }

    /// Returns the words of an event of its own.
    #[inline(always)]
    pub(super) fn words(self) -> Words {
        let kind = match self.kind {
            FlightEventKind::Poll => 0,
            FlightEventKind::Park => 1,
            FlightEventKind::Unpark => 2,
            FlightEventKind::Burst => BURST,
        };
        self.with(kind, self.schedule_latency.map_or(UNMEASURED, clamped))
    }

    /// Returns the words of a burst that begins with this poll.
    #[inline(always)]
    pub(super) fn burst_words(self) -> Words {
        self.with(BURST, 1)
    }

    #[inline(always)]
    fn with(self, kind: u32, last: u32) -> Words {
        [
            self.start as u32,
            ((self.start >> 32) as u32) << 16 | self.location_bits() | kind,
            clamped(self.duration),
            last,
        ]
    }

    /// Returns the location, in its bits of the second word.
    #[inline(always)]
    pub(super) fn location_bits(&self) -> u32 {
        match self.location.as_u32() {
            location @ ..=MAX_LOCATION => location << 2,
            _ => LocationId::UNKNOWN.as_u32() << 2,
        }
    }
}

impl FlightEvent {
    /// Creates the event from its words, as read at `now`.
    #[inline]
    pub(crate) fn from_words([low, word, duration, last]: Words, now: u64) -> Self {
        // The last time up to `latest` that has these bits.
        let latest = now.wrapping_add(AHEAD);
        let ago = latest.wrapping_sub(start_of(low, word)) & START_MASK;
        let kind = match word & KIND_MASK {
            0 => FlightEventKind::Poll,
            1 => FlightEventKind::Park,
            2 => FlightEventKind::Unpark,
            _ => FlightEventKind::Burst,
        };
        Self {
            kind,
            start: Timestamp::from_ticks(latest.wrapping_sub(ago)),
            location: LocationId::from_u32((word & LOCATION_MASK) >> 2),
            duration: Duration::from_nanos(duration.into()),
            schedule_latency: (kind == FlightEventKind::Poll && last != UNMEASURED)
                .then(|| Duration::from_nanos(last.into())),
            polls: match kind {
                FlightEventKind::Poll => 1,
                FlightEventKind::Burst => last,
                _ => 0,
            },
        }
    }
}
