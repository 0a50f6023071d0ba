//! Whose tasks waited for the poll of a stall, from the events of a flight recorder.

use core::time::Duration;
use std::sync::Arc;

use metrics_core::{BlameRow, Culprit, FlightRecording, LocationId, ThreadRecording, Timestamp};

use super::StallVictim;

/// Maximum number of spawn locations that a report names as having waited.
const VICTIMS: usize = 3;

/// Returns the victims of the poll that began at `start`. Its location is `seen` if the recording does not have the poll. The event of the
/// poll has the spawn location of its task even if the stall was in a group.
pub(super) fn of_poll(recording: &FlightRecording, start: Timestamp, seen: LocationId) -> Arc<[StallVictim]> {
    let mut events = recording.threads.iter().flat_map(ThreadRecording::events);
    let poll = events.find(|event| event.polls == 1 && event.start == start);
    let stalled = Culprit::Polls(poll.map_or(seen, |poll| poll.location));
    let rows = recording.blame().rows;
    let waited = |victim| -> Duration {
        let rows = rows.iter().filter(|row| row.victim == victim);
        rows.map(|row| row.waited).sum()
    };
    let victim = |row: &BlameRow| StallVictim {
        spawn_location: Some(recording.location_name(row.victim))
            .filter(|name| !name.is_empty())
            .map(Arc::from),
        waited: waited(row.victim),
        for_stall: row.waited,
    };
    let delayed = rows.iter().filter(|row| row.culprit == stalled);
    delayed.take(VICTIMS).map(victim).collect()
}
