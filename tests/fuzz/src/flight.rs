//! Checks of copies of the flight recorder: every event was recorded, none is torn, and the blame adds up.

use std::collections::BTreeMap;

use core::time::Duration;
use metrics_core::{FlightEvent, FlightEventKind, FlightRecording, LocationId, ThreadRecording};

use crate::model::{EXTERNAL, Event, Model, WorkerModel};
use crate::ops::Runtime;

/// The longest duration that an event holds, and the largest location.
const LONGEST: u64 = u32::MAX as u64 - 1;
const LARGEST_LOCATION: u32 = (1 << 14) - 1;

/// Checks a copy of the events. Returns it, unless the registry keeps none.
pub fn check(runtime: &Runtime) -> Option<FlightRecording> {
    let registry = runtime.registry();
    let recording = runtime.metrics.flight_recording();
    let is_kept = registry.flight_recorder_capacity() > 0 && registry.is_timed();
    assert_eq!(recording.is_some(), is_kept);
    let recording = recording?;
    for thread in &recording.threads {
        let worker = thread.worker.unwrap_or(EXTERNAL);
        let of_model = runtime.model.workers.get(&worker).expect("it was leased");
        check_thread(thread, of_model, &runtime.model, recording.threshold.is_zero());
    }
    check_blame(&recording, runtime.model.clock_stepped_back);
    Some(recording)
}

fn check_thread(thread: &ThreadRecording, of_model: &WorkerModel, model: &Model, is_exact: bool) {
    let mut events: Vec<_> = thread.events().collect();
    // The last one may be a poll in progress.
    let is_in_progress = events.last().is_some_and(|last| {
        let locations = &of_model.polling;
        last.kind == FlightEventKind::Poll
            && last.schedule_latency.is_none()
            && !locations.is_empty()
            && (model.changed_state_in_a_poll || locations.contains(&last.location))
    });
    if is_in_progress {
        events.pop();
    }
    let recorded = of_model
        .events
        .iter()
        .filter(|event| event.kind == FlightEventKind::Poll);
    let polls: u64 = events.iter().map(|event| u64::from(event.polls)).sum();
    assert!(polls <= recorded.count() as u64, "{polls} polls in {events:?}");
    // The events of a thread are among those of its worker, in their order.
    let mut of_worker = of_model.events.iter();
    for event in &events {
        match event.kind {
            FlightEventKind::Burst => assert!(!is_exact && event.polls > 0, "{event:?}"),
            FlightEventKind::Poll => assert_eq!(event.polls, 1),
            _ => assert_eq!((event.polls, event.duration), (0, Duration::ZERO)),
        }
        let is_found = event.kind == FlightEventKind::Burst
            || of_worker.any(|recorded| is_of(event, recorded, model.changed_state_in_a_poll));
        assert!(is_found, "{event:?} was not recorded: {:?}", of_model.events);
    }
}

/// Returns whether this is the event that was recorded.
fn is_of(event: &FlightEvent, recorded: &Event, any_location: bool) -> bool {
    let nanos = |duration: Duration| duration.as_nanos() as u64;
    let location = match recorded.location.as_u32() {
        ..=LARGEST_LOCATION => recorded.location,
        _ => LocationId::UNKNOWN,
    };
    event.kind == recorded.kind
        && (any_location || event.location == location)
        && recorded
            .duration
            .is_none_or(|duration| duration.min(LONGEST) == nanos(event.duration))
        && recorded.latency.is_none_or(|latency| {
            latency.map(|nanos| nanos.min(LONGEST)) == event.schedule_latency.map(nanos)
        })
}

/// The rows of a victim add up to the schedule latency of its polls.
fn check_blame(recording: &FlightRecording, clock_stepped_back: bool) {
    let mut waited = BTreeMap::<u32, Duration>::new();
    for event in recording.threads.iter().flat_map(ThreadRecording::events) {
        if let Some(latency) = event.schedule_latency {
            *waited.entry(event.location.as_u32()).or_default() += latency;
        }
    }
    waited.retain(|_, waited| !waited.is_zero());
    let mut blamed = BTreeMap::<u32, Duration>::new();
    let blame = recording.blame();
    for row in &blame.rows {
        *blamed.entry(row.victim.as_u32()).or_default() += row.waited;
    }
    assert!(blame.rows.is_sorted_by(|one, next| one.waited >= next.waited));
    // A clock that steps back gives events that overlap, in any order.
    if clock_stepped_back {
        assert!(blamed.keys().eq(waited.keys()), "{blamed:?} for {waited:?}");
    } else {
        assert_eq!(blamed, waited, "{recording:?}");
    }
    let report = recording.blame_report(3);
    assert_eq!(report.rows.len(), blame.rows.len().min(3));
}
