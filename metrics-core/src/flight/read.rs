//! Copies the rings of a registry.

use super::event::{FlightEvent, FlightEventKind, MAX_LOCATION, location_of};
use super::recording::{FlightRecording, ThreadRecording};
use crate::live::{LocationId, WorkerState};
use crate::probe::Probe;
use crate::reader::RuntimeMetrics;
use crate::registry::RegistryRef;
use crate::slot::EXTERNAL;
use crate::storage::HeapStorage;
use crate::storage::sealed::Sealed;
use crate::switches::Sampling;
use crate::time::Timestamp;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> RuntimeMetrics<R, P> {
    /// Copies the last events of every worker while the workers go on. The copy ends with the polls that are in
    /// progress. `None` if the registry keeps no events ([`Builder::flight_recorder`](crate::Builder::flight_recorder))
    /// or has no clock.
    ///
    /// The events of a worker are complete up to a moment of the copy. Those that the worker overwrote during the copy
    /// are left out.
    pub fn flight_recording(&self) -> Option<FlightRecording> {
        let registry = self.registry();
        if registry.info.flight_events == 0 || !registry.is_timed() {
            return None;
        }
        let scale = *registry.scale();
        let mut threads = Vec::new();
        for slot in registry.storage.slots() {
            let (Some(ring), Some(worker)) = (slot.flight.get(), slot.lease.worker()) else {
                continue;
            };
            // Read before the copy: a poll that ends in between is then in the copy, and again as one in progress,
            // which is left out.
            let live = slot.live(|attempt| self.probe().relax(attempt));
            let now = registry.now().ticks();
            let (words, has_overwritten) = ring.copy();
            // The end of the last event: the polls of a burst start after it.
            let last = words.last().map(|&words| FlightEvent::from_words(words, now));
            let is_over = |start: Timestamp| {
                last.is_some_and(|last| match last.kind {
                    FlightEventKind::Burst => {
                        scale.nanos(start, last.start) < last.duration.as_nanos() as u64
                    }
                    _ => last.start >= start,
                })
            };
            let in_progress = live
                .filter(|live| live.state == WorkerState::Polling)
                .and_then(|live| Some((live.spawn_location, live.since?)))
                .filter(|&(_, start)| !is_over(start))
                .map(|(location, start)| FlightEvent {
                    kind: FlightEventKind::Poll,
                    start,
                    location,
                    duration: Duration::from_nanos(scale.nanos(Timestamp::from_ticks(now), start)),
                    schedule_latency: None,
                    polls: 1,
                });
            threads.push(ThreadRecording {
                worker: Some(worker).filter(|&worker| worker != EXTERNAL),
                has_overwritten,
                words,
                now,
                in_progress,
            });
        }
        Some(FlightRecording {
            runtime: self.name().to_owned(),
            names: self.names(&threads),
            threads,
            threshold: registry.info.fold.threshold(),
            is_sampled: matches!(registry.switches.poll_time(), Sampling::OneIn(_)),
            copied_at: registry.now(),
            scale,
        })
    }

    /// Returns the names of the locations in the events.
    fn names(&self, threads: &[ThreadRecording]) -> Vec<(LocationId, String)> {
        // A table: to sort the locations of all events would take longer than the rest.
        let mut is_present = vec![false; MAX_LOCATION as usize + 1];
        // The location of a poll in progress has 32 bits.
        let mut larger = Vec::new();
        for thread in threads {
            for &[_, word, ..] in &thread.words {
                if let Some(place) = is_present.get_mut(location_of(word) as usize) {
                    *place = true;
                }
            }
            if let Some(poll) = thread.in_progress {
                match is_present.get_mut(poll.location.as_u32() as usize) {
                    Some(place) => *place = true,
                    None => larger.push(poll.location.as_u32()),
                }
            }
        }
        larger.sort_unstable();
        larger.dedup();
        let numbers = (0_u32..).zip(is_present);
        let known = numbers.filter(|&(number, is_present)| is_present && number != 0);
        known
            .map(|(number, _)| number)
            .chain(larger)
            .map(|number| {
                let location = LocationId::from_u32(number);
                let mut name = String::new();
                // Writing to a string can't fail.
                let _ = self.probe().write_location(location, &mut name);
                (location, name)
            })
            .collect()
    }
}
