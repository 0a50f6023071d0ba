//! The events, and a recording of them.

use crate::live::LocationId;
use crate::time::Timestamp;
use crate::time_scale::TimeScale;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// The kind of a [`FlightEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlightEventKind {
    /// A poll of a task.
    Poll,
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
    /// The spawn location of the polled task. [`LocationId::UNKNOWN`] for other events, and for locations with numbers
    /// above 16,383.
    pub location: LocationId,
    /// The duration of a poll, at most 4.29 seconds: longer polls are recorded as 4.29 seconds.
    pub duration: Duration,
    /// The schedule latency of the poll, if it was measured. At most 4.29 seconds.
    pub schedule_latency: Option<Duration>,
}

/// The words of an event in a ring: the low half of its start; the next 16 bits of it, with the location and the kind;
/// the duration; and the schedule latency.
pub(super) type Words = [u32; 4];

/// The largest location that fits in an event.
pub(super) const MAX_LOCATION: u32 = (1 << 14) - 1;
/// The value for a latency that was not measured.
const UNMEASURED: u32 = u32::MAX;
/// The longest duration that fits in an event.
pub(super) const MAX_DURATION: Duration = Duration::from_nanos(UNMEASURED as u64 - 1);
/// The bits of a start in ticks that an event keeps: the reader completes them from its own time.
const START_BITS: u32 = 48;
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

impl Recorded {
    #[inline(always)]
    pub(super) fn words(self) -> Words {
        let nanos = |nanos: u64| nanos.min(u64::from(UNMEASURED - 1)) as u32;
        let location = match self.location.as_u32() {
            location @ ..=MAX_LOCATION => location,
            _ => LocationId::UNKNOWN.as_u32(),
        };
        let kind = match self.kind {
            FlightEventKind::Poll => 0,
            FlightEventKind::Park => 1,
            FlightEventKind::Unpark => 2,
        };
        [
            self.start as u32,
            ((self.start >> 32) as u32) << 16 | location << 2 | kind,
            nanos(self.duration),
            self.schedule_latency.map_or(UNMEASURED, nanos),
        ]
    }
}

impl FlightEvent {
    /// Creates the event from its words, as read at `now`.
    pub(super) fn from_words([low, word, duration, latency]: Words, now: u64) -> Self {
        let start = u64::from(word >> 16) << 32 | u64::from(low);
        // The last time up to `latest` that has these bits.
        let latest = now.wrapping_add(AHEAD);
        let ago = latest.wrapping_sub(start) & ((1 << START_BITS) - 1);
        Self {
            kind: match word & 0b11 {
                0 => FlightEventKind::Poll,
                1 => FlightEventKind::Park,
                _ => FlightEventKind::Unpark,
            },
            start: Timestamp::from_ticks(latest.wrapping_sub(ago)),
            location: LocationId::from_u32(word >> 2 & MAX_LOCATION),
            duration: Duration::from_nanos(duration.into()),
            schedule_latency: (latency != UNMEASURED).then(|| Duration::from_nanos(latency.into())),
        }
    }
}

/// The last events of one thread that runs, or ran, a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadRecording {
    /// The worker that the thread serves; `None` for an external thread.
    pub worker: Option<usize>,
    /// The events, oldest first.
    pub events: Vec<FlightEvent>,
    /// Whether the ring has overwritten earlier events.
    pub has_overwritten: bool,
}

/// A copy of the last events of every worker.
///
/// An event keeps the low 48 bits of its start in ticks. An event that began more than 2^48 - 2^40 ticks before the copy,
/// which is a day on a clock of 3 GHz and three days on one of nanoseconds, therefore appears to be more recent than it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlightRecording {
    /// The runtime's name.
    pub runtime: String,
    /// The threads, in the order of their slots.
    pub threads: Vec<ThreadRecording>,
    /// Whether only some polls were recorded, because polls are sampled: a long poll may be missing.
    pub is_sampled: bool,
    /// The time of the copy.
    pub copied_at: Timestamp,
    pub(super) scale: TimeScale,
    /// The names of the locations in the events, sorted by location.
    pub(super) names: Vec<(LocationId, String)>,
}

impl FlightRecording {
    /// Returns the file and line of a location in the events, or its name; empty if it is not known.
    pub fn location_name(&self, location: LocationId) -> &str {
        let place = self
            .names
            .binary_search_by_key(&location.as_u32(), |(known, _)| known.as_u32());
        place
            .ok()
            .and_then(|place| self.names.get(place))
            .map_or("", |(_, name)| name)
    }

    /// Returns the time from the first event of any thread to the copy. `None` without an event.
    pub fn span(&self) -> Option<Duration> {
        let first = self.threads.iter().filter_map(|thread| thread.events.first());
        let first = first.map(|event| event.start.ticks()).min()?;
        let nanos = self.scale.nanos(self.copied_at, Timestamp::from_ticks(first));
        Some(Duration::from_nanos(nanos))
    }
}
