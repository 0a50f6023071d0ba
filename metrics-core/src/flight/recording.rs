//! A copy of the rings of all workers.

use super::event::{FlightEvent, Words};
use crate::live::LocationId;
use crate::time::Timestamp;
use crate::time_scale::TimeScale;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// The last events of one thread that runs, or ran, a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadRecording {
    /// The worker that the thread serves; `None` for an external thread.
    pub worker: Option<usize>,
    /// Whether the ring has overwritten earlier events.
    pub has_overwritten: bool,
    /// The events as they are in the ring: to convert each of them takes longer than to copy it.
    pub(super) words: Vec<Words>,
    /// The time of the copy in ticks, which completes the times of the events.
    pub(super) now: u64,
    pub(super) in_progress: Option<FlightEvent>,
}

impl ThreadRecording {
    /// Returns the events, oldest first. The last one may be a poll that was in progress.
    pub fn events(&self) -> impl Iterator<Item = FlightEvent> + Clone + '_ {
        let events = self.words.iter();
        events
            .map(|&words| FlightEvent::from_words(words, self.now))
            .chain(self.in_progress)
    }

    /// Returns the number of events.
    pub(super) fn len(&self) -> usize {
        self.words.len() + usize::from(self.in_progress.is_some())
    }
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
    /// Polls whose duration and schedule latency are below this are folded into bursts.
    pub threshold: Duration,
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
        Some(self.until_copy(self.starts().min()?))
    }

    /// Returns the time up to the copy for which the recording has the events of all threads. `None` without an event.
    ///
    /// It is shorter than [`span`](Self::span) if a thread has overwritten events that others still have.
    pub fn complete_span(&self) -> Option<Duration> {
        let overwritten = self.threads.iter().filter(|thread| thread.has_overwritten);
        let starts = overwritten.filter_map(|thread| Some(thread.events().next()?.start.ticks()));
        Some(self.until_copy(starts.max().or_else(|| self.starts().min())?))
    }

    /// Returns the starts in ticks of the first event of each thread.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        let first = self.threads.iter().filter_map(|thread| thread.events().next());
        first.map(|event| event.start.ticks())
    }

    fn until_copy(&self, ticks: u64) -> Duration {
        let start = Timestamp::from_ticks(ticks);
        Duration::from_nanos(self.scale.nanos(self.copied_at, start))
    }
}
