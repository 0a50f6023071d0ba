//! The flight recorder: exact events of scripted loads, what is overwritten, and the trace that it writes.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use metrics_core::{
    Builder, ConfigError, FlightEventKind, FlightRecording, HistogramConfig, LocationId, MetricSet, NoClock,
    PollStart, Probe, RuntimeMetrics, Sampling, Timestamp, Worker,
};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const QUICK: LocationId = LocationId::from_u32(1);
const HOG: LocationId = LocationId::from_u32(2);
const ODD: LocationId = LocationId::from_u32(3);

struct Names;

impl Probe for Names {
    fn write_location(&self, location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(match location {
            QUICK => "quick.rs:1",
            HOG => "the \"hog\"",
            ODD => "a\tb\u{1}",
            _ => "",
        })
    }
}

fn builder() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .flight_recorder_threshold(Duration::ZERO)
}

fn recording(registry: &Shared) -> Option<FlightRecording> {
    RuntimeMetrics::with_probe(Arc::clone(registry), Names).flight_recording()
}

fn poll(worker: &Worker<Shared>, clock: &Hand, location: LocationId, nanos: u64) {
    worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: location,
    });
    clock.advance(nanos);
    worker.end_poll();
}

type Event = (FlightEventKind, u64, u32, u64, Option<u64>);

/// Kind, start, location, duration and latency of the events of one thread.
fn events(recording: &FlightRecording, thread: usize) -> Vec<Event> {
    let nanos = |duration: Duration| duration.as_nanos() as u64;
    let events = recording.threads[thread].events();
    events
        .map(|event| {
            let latency = event.schedule_latency.map(nanos);
            (
                event.kind,
                event.start.ticks(),
                event.location.as_u32(),
                nanos(event.duration),
                latency,
            )
        })
        .collect()
}

/// A parked worker that wakes up, polls twice and parks, and one whose poll is in progress.
fn scripted_load(clock: &Hand, registry: &Shared) -> [Worker<Shared>; 2] {
    clock.set(1_000);
    let [first, second] = [0, 1].map(|index| Worker::lease(Arc::clone(registry), index).unwrap());
    first.park();
    clock.advance(500);
    first.unpark();
    first.start_processing_scheduled_tasks();
    first.start_poll(PollStart {
        scheduled_at: Some(Timestamp::from_ticks(1_400)),
        spawn_location: QUICK,
    });
    clock.advance(20);
    first.end_poll();
    poll(&first, clock, HOG, 60_000_000);
    first.end_processing_scheduled_tasks();
    first.park();
    second.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: HOG,
    });
    clock.advance(7_000);
    [first, second]
}

#[test]
fn a_scripted_load_gives_the_exact_events() {
    use FlightEventKind::{Park, Poll, Unpark};
    let clock = Hand::default();
    let registry = builder().flight_recorder(16).build(clock.clone()).unwrap();
    let _workers = scripted_load(&clock, &registry);
    let recording = recording(&registry).unwrap();
    assert_eq!(
        events(&recording, 0),
        [
            (Park, 1_000, 0, 0, None),
            (Unpark, 1_500, 0, 0, None),
            (Poll, 1_500, 1, 20, Some(100)),
            (Poll, 1_520, 2, 60_000_000, None),
            (Park, 60_001_520, 0, 0, None),
        ]
    );
    assert_eq!(
        events(&recording, 1),
        [(Poll, 60_001_520, 2, 7_000, None)],
        "in progress"
    );
    let workers: Vec<_> = recording.threads.iter().map(|thread| thread.worker).collect();
    assert_eq!(workers, [Some(0), Some(1)]);
    assert!(recording.threads.iter().all(|thread| !thread.has_overwritten));
    assert_eq!(recording.span(), Some(Duration::from_nanos(60_007_520)));
    assert!(!recording.is_sampled);
    assert_eq!(recording.location_name(HOG), "the \"hog\"");
    assert_eq!(recording.location_name(LocationId::from_u32(9)), "");
}

#[test]
fn new_events_overwrite_the_oldest() {
    // One place is left for the next event, and the number of places is rounded up to a power of two.
    for (requested, kept) in [(1, 1), (3, 3), (4, 7)] {
        let clock = Hand::default();
        let registry = builder().flight_recorder(requested).build(clock.clone()).unwrap();
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        for number in 1..=10 {
            poll(&worker, &clock, QUICK, number);
        }
        let recording = recording(&registry).unwrap();
        let durations: Vec<_> = events(&recording, 0).iter().map(|event| event.3).collect();
        let last: Vec<_> = (11 - kept..=10).collect();
        assert_eq!(durations, last, "{requested} events");
        assert!(recording.threads[0].has_overwritten);
    }
}

#[test]
fn an_event_after_the_time_of_the_copy_keeps_its_start() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(3).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    clock.set(1_000);
    poll(&worker, &clock, QUICK, 10);
    // The clock of the core that copies is behind.
    clock.set(900);
    let recording = recording(&registry).unwrap();
    assert_eq!(
        events(&recording, 0),
        [(FlightEventKind::Poll, 1_000, 1, 10, None)]
    );
    assert_eq!(recording.span(), Some(Duration::ZERO));
}

#[test]
fn an_event_has_the_latency_of_its_own_poll() {
    let clock = Hand::default();
    let registry = builder()
        .flight_recorder(3)
        .poll_time_sampling(Sampling::Off)
        .build(clock.clone())
        .unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    clock.set(1_000);
    worker.start_poll(PollStart {
        scheduled_at: Some(Timestamp::from_ticks(900)),
        spawn_location: QUICK,
    });
    worker.end_poll();
    registry.switches().set_schedule_latency(Sampling::Off);
    registry.switches().set_poll_time(Sampling::Every);
    worker.submit();
    poll(&worker, &clock, QUICK, 10);
    let recording = recording(&registry).unwrap();
    assert_eq!(
        events(&recording, 0),
        [(FlightEventKind::Poll, 1_000, 1, 10, None)]
    );
}

#[test]
fn times_beyond_a_word_and_long_polls_are_kept_within_their_limits() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(4).build(clock.clone()).unwrap();
    clock.set((1 << 48) - 5);
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    poll(&worker, &clock, LocationId::from_u32(1 << 14), 10);
    poll(&worker, &clock, LocationId::from_u32((1 << 14) - 1), 1 << 40);
    let recording = recording(&registry).unwrap();
    let seen: Vec<_> = events(&recording, 0)
        .iter()
        .map(|event| (event.1, event.2, event.3))
        .collect();
    let start = (1_u64 << 48) - 5;
    assert_eq!(
        seen,
        [
            (start, 0, 10),
            (start + 10, (1 << 14) - 1, u64::from(u32::MAX) - 1)
        ]
    );
}

#[test]
fn sampled_polls_say_so_and_unmeasured_ones_are_left_out() {
    let clock = Hand::default();
    let n = Sampling::OneIn(NonZeroU32::new(8).unwrap());
    let registry = builder()
        .flight_recorder(64)
        .poll_time_sampling(n)
        .build(clock.clone())
        .unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    for _ in 0..40 {
        poll(&worker, &clock, QUICK, 1);
    }
    let recording = recording(&registry).unwrap();
    assert!(recording.is_sampled);
    assert!((1..40).contains(&events(&recording, 0).len()));
}

#[test]
fn no_events_are_kept_by_default_or_without_a_clock() {
    let clock = Hand::default();
    let registry = builder().build(clock.clone()).unwrap();
    let _workers = scripted_load(&clock, &registry);
    assert!(recording(&registry).is_none());
    let registry = builder().flight_recorder(8).build(NoClock).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    worker.park();
    assert!(RuntimeMetrics::new(registry).flight_recording().is_none());
}

#[test]
fn too_large_a_recorder_is_an_error() {
    let error = builder()
        .flight_recorder((1 << 20) + 1)
        .build(Hand::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::TooManyEvents {
                events: 1_048_577,
                limit: 1_048_576
            }
        ),
        "{error}"
    );
}

#[test]
fn the_next_lease_of_a_slot_continues_its_events() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(8).build(clock.clone()).unwrap();
    for nanos in [3, 5] {
        poll(
            &Worker::lease(Arc::clone(&registry), 0).unwrap(),
            &clock,
            QUICK,
            nanos,
        );
    }
    let durations: Vec<_> = events(&recording(&registry).unwrap(), 0)
        .iter()
        .map(|event| event.3)
        .collect();
    assert_eq!(durations, [3, 5]);
}

#[cfg(feature = "serde")]
#[test]
fn the_trace_is_json_whose_longest_slice_is_the_longest_poll() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(16).build(clock.clone()).unwrap();
    let _workers = scripted_load(&clock, &registry);
    let mut trace = String::new();
    recording(&registry)
        .unwrap()
        .write_chrome_trace(&mut trace)
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let slices: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
    let number = |event: &serde_json::Value, field: &str| event[field].as_f64().unwrap();
    let longest = slices
        .iter()
        .max_by(|one, other| number(one, "dur").total_cmp(&number(other, "dur")));
    let longest = longest.unwrap();
    assert_eq!(
        (&longest["name"], &longest["tid"]),
        (&"the \"hog\"".into(), &0.into())
    );
    assert_eq!((number(longest, "ts"), number(longest, "dur")), (0.52, 60_000.0));
    let seen: Vec<_> = slices
        .iter()
        .map(|slice| (slice["name"].as_str().unwrap(), number(slice, "dur")))
        .collect();
    assert_eq!(
        seen,
        [
            ("parked", 0.5),
            ("quick.rs:1", 0.02),
            ("the \"hog\"", 60_000.0),
            ("parked", 7.0),
            ("the \"hog\"", 7.0),
        ]
    );
    assert_eq!(slices[1]["args"]["schedule_latency_ns"], 100);
    let tracks = events.iter().filter(|event| event["name"] == "thread_name");
    let tracks: Vec<_> = tracks
        .map(|event| event["args"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(tracks, ["worker 0", "worker 1"]);
}

#[cfg(feature = "serde")]
#[test]
fn control_characters_of_a_name_are_escaped() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(16).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    poll(&worker, &clock, ODD, 7);
    let mut trace = String::new();
    recording(&registry)
        .unwrap()
        .write_chrome_trace(&mut trace)
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let slice = events.iter().find(|event| event["ph"] == "X").unwrap();
    assert_eq!(slice["name"], "a\tb\u{1}");
}

#[test]
fn a_later_part_has_overwritten_what_it_leaves_out() {
    let clock = Hand::default();
    let registry = builder().flight_recorder(16).build(clock.clone()).unwrap();
    let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
    for nanos in [10, 20] {
        poll(&worker, &clock, QUICK, nanos);
    }
    let recording = recording(&registry).unwrap();
    let since = |start| {
        let later = recording.since(Timestamp::from_ticks(start));
        (events(&later, 0).len(), later.threads[0].has_overwritten)
    };
    assert_eq!(since(0), (2, false));
    assert_eq!(since(10), (1, true));
    assert_eq!(since(11), (0, true));
}

/// A writer goes on while a reader copies. Each event carries its number twice.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn copies_during_writes_have_whole_events_in_order() {
    const EVENTS: u32 = if cfg!(miri) { 100 } else { 20_000 };
    // The row `flight-hammer` of the test matrix sets another number.
    let events = std::env::var("FLIGHT_EVENTS").map_or(EVENTS, |events| events.parse().unwrap());
    let clock = Hand::default();
    let registry = builder().flight_recorder(64).build(clock.clone()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
            for number in 1..=events {
                poll(
                    &worker,
                    &clock,
                    LocationId::from_u32(number & 0x3FFF),
                    u64::from(number & 0x3FFF),
                );
            }
        });
        let mut copies = 0;
        while !writer.is_finished() || copies == 0 {
            let Some(recording) = recording(&registry) else {
                continue;
            };
            let Some(thread) = recording.threads.first() else {
                continue;
            };
            let events: Vec<_> = thread.events().collect();
            let numbers: Vec<u32> = events.iter().map(|event| event.location.as_u32()).collect();
            // The poll in progress, if any, is last.
            let ended = events.len().saturating_sub(1);
            for event in &events[..ended] {
                assert_eq!(
                    u128::from(event.location.as_u32()),
                    event.duration.as_nanos(),
                    "not torn"
                );
            }
            assert!(
                numbers.windows(2).all(|pair| (pair[0] + 1) & 0x3FFF == pair[1]),
                "{numbers:?}"
            );
            copies += 1;
        }
    });
}
