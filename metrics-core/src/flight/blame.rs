//! Which polls made other tasks wait, computed from a recording.

use super::event::{FlightEventKind, MAX_LOCATION, MAX_NANOS};
use super::recording::{FlightRecording, ThreadRecording};
use crate::live::LocationId;
use crate::time::Timestamp;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

/// The number of locations that are distinguished. It bounds the memory of the table to 8 MiB.
const LOCATIONS: usize = 1_024;

/// What a worker did while a task waited for its poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Culprit {
    /// It polled tasks of this spawn location.
    Polls(LocationId),
    /// It ran short polls of several spawn locations, or of tasks without one, which the recorder has folded into bursts.
    ShortPolls,
    /// It was in no recorded poll: it was parked, searched, or ran the scheduler. The task may also have waited in the
    /// global queue or in the queue of another worker.
    NoPoll,
    /// Not known: the wait began before the oldest event of the ring.
    NotRecorded,
}

/// How long the tasks of one spawn location waited because of one culprit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlameRow {
    /// The spawn location of the tasks that waited.
    pub victim: LocationId,
    /// What their worker did meanwhile.
    pub culprit: Culprit,
    /// The time in victim-seconds: if three tasks wait for one second each, it is three seconds.
    pub waited: Duration,
}

/// Which polls made other tasks wait, from the events of a [`FlightRecording`].
///
/// For each poll whose schedule latency was measured, the time from the wake to the poll is divided among the polls that
/// its worker ran meanwhile. The rows of a victim add up to the schedule latency of its polls in the recording.
///
/// # Limits
/// - Only the worker that polled the task is known. The wait of a task that was stolen, or that came from the global
///   queue, is divided among the polls of the worker that took it, although that worker may not have delayed it.
/// - Only the polls of the thread that polled the task are known. If another thread ran the worker before
///   (`block_in_place` hands a worker over), the time before is [`Culprit::NoPoll`] or [`Culprit::NotRecorded`].
/// - A task that still waits at the time of the copy is not a victim yet, because the worker has not polled it.
/// - A poll that is folded into a burst ([`FlightRecording::threshold`]) is no victim: its wait was shorter than the
///   threshold. While another task waited, the time of a burst is that of [`Culprit::Polls`] if all its polls are of one
///   location, and otherwise of [`Culprit::ShortPolls`]. It includes the time between the polls of the burst.
/// - If polls are sampled ([`FlightRecording::is_sampled`]), the polls that were not measured are missing as victims, and
///   their time is [`Culprit::NoPoll`].
/// - A wait of more than 4.29 seconds is recorded as 4.29 seconds. A poll of more than 4.29 seconds lasts until the next
///   event of its thread.
/// - If the events have more than 1,023 locations, those with the largest numbers are combined as
///   [`LocationId::UNKNOWN`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blame {
    /// The rows, those with the longest time first. No row has a time of zero.
    pub rows: Vec<BlameRow>,
}

impl FlightRecording {
    /// Computes which polls made other tasks wait.
    ///
    /// With n events per thread this takes n log n steps, and for each poll one step per spawn location that has a waiting
    /// task. It does not depend on the number of waiting tasks.
    pub fn blame(&self) -> Blame {
        let mut table = Table::new((self.names.len() + 1).min(LOCATIONS));
        // A table, because a search for each event would take longer than the rest.
        let indices = self.indices();
        for thread in &self.threads {
            table.add(&self.polls(thread, &indices));
        }
        let location = |index: usize| {
            let name = index.checked_sub(1).and_then(|index| self.names.get(index));
            name.map_or(LocationId::UNKNOWN, |&(location, _)| location)
        };
        let mut rows = table.rows(location);
        // Stable: rows with equal times stay in the order of their locations.
        rows.sort_by_key(|row| Reverse(row.waited));
        Blame { rows }
    }

    /// Returns the polls and bursts of a thread in their order.
    fn polls(&self, thread: &ThreadRecording, indices: &[u16]) -> Vec<Poll> {
        let index = |location: LocationId| indices.get(location.as_u32() as usize).copied();
        let mut polls = Vec::with_capacity(thread.len());
        let mut events = thread.events().peekable();
        let Some(first) = events.peek().map(|first| first.start) else {
            return polls;
        };
        let at = |time: Timestamp| self.scale.nanos(time, first);
        while let Some(event) = events.next() {
            if event.polls == 0 {
                continue;
            }
            let start = at(event.start);
            let duration = nanos(event.duration);
            let mut end = start.saturating_add(duration);
            if duration == MAX_NANOS {
                let next = events.peek().map_or(self.copied_at, |next| next.start);
                end = end.max(at(next));
            }
            let location = index(event.location).unwrap_or(0).into();
            let is_mixed = event.kind == FlightEventKind::Burst && event.location == LocationId::UNKNOWN;
            polls.push(Poll {
                start,
                end,
                location,
                culprit: if is_mixed { LOCATIONS } else { location },
                latency: event.schedule_latency.map_or(0, nanos),
            });
        }
        polls
    }

    /// Returns a table of the rows of the locations: 0 for one that is not known.
    fn indices(&self) -> Vec<u16> {
        let mut indices = vec![0; MAX_LOCATION as usize + 1];
        for (index, (location, _)) in (1..LOCATIONS).zip(&self.names) {
            if let Some(place) = indices.get_mut(location.as_u32() as usize) {
                *place = index as u16;
            }
        }
        indices
    }
}

/// Times in nanoseconds since the first event of the thread.
struct Poll {
    start: u64,
    end: u64,
    location: usize,
    /// The location that is charged with its time, or [`LOCATIONS`] for short polls of several locations.
    culprit: usize,
    /// The schedule latency; zero if it was not measured.
    latency: u64,
}

/// The wait of a location's tasks in nanoseconds.
#[derive(Clone, Default)]
struct Waits {
    total: u64,
    before_the_ring: u64,
    during_polls: u64,
}

struct Table {
    waits: Vec<Waits>,
    /// For each culprit, the time of each victim; empty before the first.
    cells: Vec<Vec<u64>>,
    /// The same for short polls of several locations.
    short_polls: Vec<u64>,
}

impl Table {
    fn new(locations: usize) -> Self {
        Self {
            waits: vec![Waits::default(); locations],
            cells: vec![Vec::new(); locations],
            short_polls: Vec::new(),
        }
    }

    /// Adds the polls of one thread: goes through them once, and keeps how many tasks of each location wait.
    ///
    /// Nothing overflows: a wait is charged once, and has at most 32 bits.
    fn add(&mut self, polls: &[Poll]) {
        let mut wakes = Vec::new();
        for poll in polls.iter().filter(|poll| poll.latency != 0) {
            let waits = &mut self.waits[poll.location];
            waits.total += poll.latency;
            waits.before_the_ring += poll.latency.saturating_sub(poll.start);
            wakes.push((poll.start.saturating_sub(poll.latency), poll.location));
        }
        wakes.sort_unstable();
        let mut wakes = wakes.into_iter().peekable();
        let mut waiting = Waiting::new(self.waits.len());
        let mut previous_end = 0;
        for poll in polls {
            // If another thread served the worker meanwhile, polls overlap: no time is counted twice.
            let start = poll.start.max(previous_end);
            let end = poll.end.max(start);
            previous_end = end;
            while let Some((_, victim)) = wakes.next_if(|&(wake, _)| wake <= start) {
                waiting.add(victim);
            }
            if poll.latency != 0 {
                waiting.remove(poll.location);
            }
            let cells = self.cells.get_mut(poll.culprit).unwrap_or(&mut self.short_polls);
            if cells.is_empty() {
                cells.resize(self.waits.len(), 0);
            }
            for &(victim, tasks) in &waiting.tasks {
                cells[victim] += tasks * (end - start);
            }
            while let Some((wake, victim)) = wakes.next_if(|&(wake, _)| wake < end) {
                cells[victim] += end - wake;
                waiting.add(victim);
            }
        }
    }

    fn rows(mut self, location: impl Fn(usize) -> LocationId) -> Vec<BlameRow> {
        let mut rows = Vec::new();
        let mut push = |victim, culprit, waited| {
            if waited != 0 {
                rows.push(BlameRow {
                    victim: location(victim),
                    culprit,
                    waited: Duration::from_nanos(waited),
                });
            }
        };
        let locations = self.cells.iter().enumerate();
        let locations = locations.map(|(culprit, cells)| (Culprit::Polls(location(culprit)), cells));
        for (culprit, cells) in locations.chain([(Culprit::ShortPolls, &self.short_polls)]) {
            for (victim, &waited) in cells.iter().enumerate() {
                push(victim, culprit, waited);
                self.waits[victim].during_polls += waited;
            }
        }
        for (victim, waits) in self.waits.iter().enumerate() {
            push(victim, Culprit::NotRecorded, waits.before_the_ring);
            let known = waits.before_the_ring + waits.during_polls;
            push(victim, Culprit::NoPoll, waits.total.saturating_sub(known));
        }
        rows
    }
}

/// How many tasks of each location wait.
struct Waiting {
    /// The locations with waiting tasks, and the numbers of these.
    tasks: Vec<(usize, u64)>,
    /// The place of each location in `tasks`.
    places: Vec<usize>,
}

impl Waiting {
    fn new(locations: usize) -> Self {
        Self {
            tasks: Vec::new(),
            places: vec![usize::MAX; locations],
        }
    }

    fn add(&mut self, location: usize) {
        let place = &mut self.places[location];
        if let Some((_, tasks)) = self.tasks.get_mut(*place) {
            *tasks += 1;
        } else {
            *place = self.tasks.len();
            self.tasks.push((location, 1));
        }
    }

    fn remove(&mut self, location: usize) {
        let place = self.places[location];
        let Some((_, tasks)) = self.tasks.get_mut(place) else {
            return;
        };
        *tasks -= 1;
        if *tasks == 0 {
            self.places[location] = usize::MAX;
            self.tasks.swap_remove(place);
            if let Some(&(moved, _)) = self.tasks.get(place) {
                self.places[moved] = place;
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
