//! The flight recorder folds short polls into bursts, so that its events cover a longer time.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared};
use core::time::Duration;
use metrics_core::{
    Builder, Culprit, FlightEventKind, FlightRecording, HistogramConfig, LocationId, MetricSet, PollStart,
    RuntimeMetrics, Timestamp, Worker,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const A: LocationId = LocationId::from_u32(1);
const B: LocationId = LocationId::from_u32(2);

struct Load {
    clock: Hand,
    registry: Shared,
    worker: Worker<Shared>,
}

impl Load {
    /// A recorder with a threshold of 100 ns.
    fn new(events: usize) -> Self {
        let clock = Hand::default();
        clock.set(1_000);
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .flight_recorder(events)
            .flight_recorder_threshold(Duration::from_nanos(100))
            .build(clock.clone())
            .unwrap();
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        worker.start_processing_scheduled_tasks();
        Self {
            clock,
            registry,
            worker,
        }
    }

    fn poll(&self, location: LocationId, waited: u64, nanos: u64) {
        self.worker.start_poll(PollStart {
            scheduled_at: Some(Timestamp::from_ticks(self.clock.ticks() - waited)),
            spawn_location: location,
        });
        self.clock.advance(nanos);
        self.worker.end_poll();
    }

    fn pause(&self, nanos: u64) {
        self.clock.advance(nanos);
        self.worker.discard_last_timestamp();
    }

    fn recording(&self) -> FlightRecording {
        let metrics = RuntimeMetrics::new(Arc::clone(&self.registry));
        metrics.flight_recording().unwrap()
    }

    /// Kind, start, location, duration and number of polls of the events.
    fn events(&self) -> Vec<(FlightEventKind, u64, u32, u64, u32)> {
        let recording = self.recording();
        let events = recording.threads[0].events().map(|event| {
            let duration = event.duration.as_nanos() as u64;
            let location = event.location.as_u32();
            (event.kind, event.start.ticks(), location, duration, event.polls)
        });
        events.collect()
    }
}

use FlightEventKind::{Burst, Park, Poll};

#[test]
fn short_polls_that_follow_each_other_are_one_event() {
    let load = Load::new(15);
    for _ in 0..3 {
        load.poll(A, 0, 99);
        load.pause(1);
    }
    load.poll(A, 0, 100);
    load.poll(A, 5, 10);
    assert_eq!(
        load.events(),
        [
            (Burst, 1_000, 1, 299, 3),
            (Poll, 1_300, 1, 100, 1),
            (Burst, 1_400, 1, 10, 1),
        ]
    );
    let recording = load.recording();
    assert_eq!(recording.threshold, Duration::from_nanos(100));
    assert!(
        recording.threads[0]
            .events()
            .all(|event| event.schedule_latency.is_none() == (event.kind == Burst))
    );
}

#[test]
fn a_short_poll_with_a_long_wait_is_an_event_of_its_own() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.poll(A, 100, 10);
    load.poll(A, 99, 10);
    assert_eq!(
        load.events(),
        [
            (Burst, 1_000, 1, 10, 1),
            (Poll, 1_010, 1, 10, 1),
            (Burst, 1_020, 1, 10, 1),
        ]
    );
}

#[test]
fn a_pause_a_park_and_the_length_limit_end_a_burst() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.pause(99);
    load.poll(A, 0, 10);
    load.pause(100);
    load.poll(A, 0, 10);
    load.worker.park();
    assert_eq!(
        load.events(),
        [
            (Burst, 1_000, 1, 119, 2),
            (Burst, 1_219, 1, 10, 1),
            (Park, 1_229, 0, 0, 0),
        ]
    );
    let load = Load::new(15);
    for _ in 0..1_001 {
        load.poll(A, 0, 10);
    }
    assert_eq!(
        load.events(),
        [(Burst, 1_000, 1, 10_000, 1_000), (Burst, 11_000, 1, 10, 1)]
    );
}

#[test]
fn a_burst_of_several_locations_has_none() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.poll(B, 0, 10);
    load.poll(A, 0, 10);
    assert_eq!(load.events(), [(Burst, 1_000, 0, 30, 3)]);
}

#[test]
fn a_poll_in_progress_follows_the_burst_before_it() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.poll(A, 0, 10);
    load.worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: B,
    });
    load.clock.advance(5);
    assert_eq!(load.events(), [(Burst, 1_000, 1, 20, 2), (Poll, 1_020, 2, 5, 1)]);
}

#[test]
fn the_default_covers_seconds_of_the_shortest_polls() {
    let clock = Hand::default();
    let registry = Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .flight_recorder(3)
        .build(clock.clone())
        .unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    for _ in 0..5_000 {
        worker.start_poll(PollStart::default());
        clock.advance(1_000);
        worker.end_poll();
    }
    let recording = RuntimeMetrics::new(registry).flight_recording().unwrap();
    // Each event is a millisecond.
    assert_eq!(recording.span(), Some(Duration::from_millis(3)));
    assert_eq!(recording.complete_span(), recording.span());
    assert!(recording.threads[0].has_overwritten);
}

#[test]
fn the_complete_span_begins_when_the_last_thread_has_events() {
    let load = Load::new(1);
    let other = Worker::lease(Arc::clone(&load.registry), 1).unwrap();
    other.park();
    load.poll(A, 0, 500);
    load.poll(A, 0, 300);
    let recording = load.recording();
    assert_eq!(recording.span(), Some(Duration::from_nanos(800)));
    assert_eq!(recording.complete_span(), Some(Duration::from_nanos(300)));
}

#[test]
fn blame_charges_a_burst_as_one_poll() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.pause(5);
    load.poll(A, 0, 10);
    load.poll(B, 125, 200);
    load.poll(A, 0, 10);
    load.poll(B, 0, 10);
    load.poll(B, 220, 10);
    let blame = load.recording().blame();
    let rows: Vec<_> = blame
        .rows
        .iter()
        .map(|row| (row.victim, row.culprit, row.waited.as_nanos()))
        .collect();
    assert_eq!(
        rows,
        [
            // The second wait: all of the long poll, and both short polls.
            (B, Culprit::Polls(B), 200),
            (B, Culprit::NotRecorded, 100),
            // The first wait: the burst of one location, with its pause.
            (B, Culprit::Polls(A), 25),
            (B, Culprit::ShortPolls, 20),
        ]
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_trace_without_an_event_covers_no_time() {
    let load = Load::new(15);
    let recording = load.recording();
    assert_eq!(recording.span(), None, "no event");
    let mut trace = String::new();
    recording.write_chrome_trace(&mut trace).unwrap();
    let json: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let data = &json["otherData"];
    for span in ["span_ns", "complete_span_ns"] {
        assert_eq!(data.get(span), Some(&serde_json::Value::Null));
    }
}

#[test]
fn the_trace_names_bursts_and_what_it_covers() {
    let load = Load::new(15);
    load.poll(A, 0, 10);
    load.poll(B, 0, 10);
    load.worker.park();
    let mut trace = String::new();
    load.recording().write_chrome_trace(&mut trace).unwrap();
    let json: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let burst = &json["traceEvents"][1];
    assert_eq!(
        (&burst["name"], &burst["args"]["polls"], &burst["dur"]),
        (&"short polls".into(), &2.into(), &0.02.into())
    );
    let data = &json["otherData"];
    assert_eq!(
        (&data["span_ns"], &data["complete_span_ns"], &data["threshold_ns"]),
        (&20.into(), &20.into(), &100.into())
    );
    assert_eq!(data["sampled"], false);
}

/// A writer extends bursts while a reader copies. All polls of a burst have its number as their location.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn copies_during_writes_have_whole_bursts_in_order() {
    const BURSTS: u32 = if cfg!(miri) { 60 } else { 5_000 };
    let load = Load::new(15);
    let Load {
        clock,
        registry,
        worker,
    } = load;
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for number in 1..=BURSTS {
                for _ in 0..4 {
                    worker.start_poll(PollStart {
                        scheduled_at: None,
                        spawn_location: LocationId::from_u32(number),
                    });
                    clock.advance(7);
                    worker.end_poll();
                }
                clock.advance(172);
                worker.discard_last_timestamp();
            }
        });
        let metrics = RuntimeMetrics::new(registry);
        let mut copies = 0;
        while !writer.is_finished() || copies == 0 {
            let recording = metrics.flight_recording().unwrap();
            let events: Vec<_> = recording.threads[0]
                .events()
                .filter(|event| event.kind == Burst)
                .collect();
            for (index, event) in events.iter().enumerate() {
                let number = u64::from(event.location.as_u32());
                assert_eq!(event.start.ticks(), 1_000 + (number - 1) * 200, "{event:?}");
                let is_last = index + 1 == events.len();
                if !is_last {
                    assert_eq!((event.polls, event.duration.as_nanos()), (4, 28), "{event:?}");
                }
            }
            assert!(events.windows(2).all(|pair| pair[0].start < pair[1].start));
            copies += 1;
        }
    });
}
