//! Copies the rings of a registry.

use super::event::{FlightEvent, FlightEventKind, FlightRecording, ThreadRecording};
use crate::live::{LocationId, WorkerState};
use crate::probe::Probe;
use crate::reader::RuntimeMetrics;
use crate::registry::RegistryRef;
use crate::slot::EXTERNAL;
use crate::storage::HeapStorage;
use crate::storage::sealed::Sealed;
use crate::switches::Sampling;
use alloc::borrow::ToOwned;
use alloc::string::String;
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
            let copied = ring.copy(now);
            let mut events = copied.events;
            if let Some(live) = live.filter(|live| live.state == WorkerState::Polling)
                && let Some(start) = live.since
                && events.last().is_none_or(|last| last.start < start)
            {
                let nanos = scale.nanos(crate::Timestamp::from_ticks(now), start);
                events.push(FlightEvent {
                    kind: FlightEventKind::Poll,
                    start,
                    location: live.spawn_location,
                    duration: Duration::from_nanos(nanos),
                    schedule_latency: None,
                });
            }
            threads.push(ThreadRecording {
                worker: Some(worker).filter(|&worker| worker != EXTERNAL),
                events,
                has_overwritten: copied.has_overwritten,
            });
        }
        Some(FlightRecording {
            runtime: self.name().to_owned(),
            names: self.names(&threads),
            threads,
            is_sampled: matches!(registry.switches.poll_time(), Sampling::OneIn(_)),
            copied_at: registry.now(),
            scale,
        })
    }

    fn names(&self, threads: &[ThreadRecording]) -> Vec<(LocationId, String)> {
        let events = threads.iter().flat_map(|thread| &thread.events);
        let mut numbers: Vec<u32> = events.map(|event| event.location.as_u32()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let known = numbers
            .into_iter()
            .filter(|&number| number != 0)
            .map(LocationId::from_u32);
        known
            .map(|location| {
                let mut name = String::new();
                // Writing to a string can't fail.
                let _ = self.probe().write_location(location, &mut name);
                (location, name)
            })
            .collect()
    }
}
