//! Which polls made other tasks wait: scripted loads whose answer is known, and a slower computation to compare with.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::{Hand, Shared};
use core::num::NonZeroU32;
use core::time::Duration;
#[cfg(feature = "serde")]
use metrics_core::BlameReport;
use metrics_core::{
    Builder, Culprit, FlightEventKind, FlightRecording, HistogramConfig, LocationId, MetricSet, NamedCulprit,
    PollStart, RuntimeMetrics, Sampling, Timestamp, Worker,
};
use std::collections::BTreeMap;
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const QUICK: LocationId = LocationId::from_u32(1);
const SLOW: LocationId = LocationId::from_u32(2);
const HOG: LocationId = LocationId::from_u32(3);

fn builder() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .flight_recorder(4_095)
        .flight_recorder_threshold(Duration::ZERO)
}

struct Load {
    clock: Hand,
    registry: Shared,
    worker: Worker<Shared>,
}

impl Load {
    fn new(builder: &Builder<'_>) -> Self {
        let clock = Hand::default();
        clock.set(1_000);
        let registry = builder.build(clock.clone()).unwrap();
        let worker = Worker::lease(Arc::clone(&registry), 0).unwrap();
        worker.start_processing_scheduled_tasks();
        Self {
            clock,
            registry,
            worker,
        }
    }

    /// Polls a task that was woken at this time, or that has no known wake.
    fn poll(&self, location: LocationId, woken: Option<u64>, nanos: u64) {
        self.worker.start_poll(PollStart {
            scheduled_at: woken.map(Timestamp::from_ticks),
            spawn_location: location,
        });
        self.clock.advance(nanos);
        self.worker.end_poll();
    }

    fn recording(&self) -> FlightRecording {
        RuntimeMetrics::new(Arc::clone(&self.registry))
            .flight_recording()
            .unwrap()
    }

    /// Victim, culprit and nanoseconds of the rows.
    fn blame(&self) -> Vec<(u32, Culprit, u64)> {
        rows(&self.recording())
    }
}

fn rows(recording: &FlightRecording) -> Vec<(u32, Culprit, u64)> {
    let blame = recording.blame();
    let rows = blame.rows.iter();
    rows.map(|row| (row.victim.as_u32(), row.culprit, nanos(row.waited)))
        .collect()
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[test]
fn the_time_of_a_wait_is_divided_among_the_polls_meanwhile() {
    let load = Load::new(&builder());
    load.poll(HOG, None, 40);
    load.poll(SLOW, Some(1_010), 7);
    // Two tasks wait from the middle of the first poll: 30 ns of it, and the whole second poll.
    load.poll(QUICK, Some(1_010), 1);
    load.poll(QUICK, Some(1_010), 1);
    assert_eq!(
        load.blame(),
        [
            (1, Culprit::Polls(HOG), 60),
            (2, Culprit::Polls(HOG), 30),
            (1, Culprit::Polls(SLOW), 14),
            (1, Culprit::Polls(QUICK), 1),
        ]
    );
}

#[test]
fn time_between_polls_has_no_culprit() {
    let load = Load::new(&builder());
    load.poll(HOG, None, 40);
    load.worker.park();
    load.clock.advance(500);
    load.worker.unpark();
    load.clock.advance(20);
    load.poll(QUICK, Some(1_030), 1);
    assert_eq!(
        load.blame(),
        [(1, Culprit::NoPoll, 520), (1, Culprit::Polls(HOG), 10)]
    );
}

#[test]
fn a_wait_older_than_the_ring_is_not_recorded() {
    let load = Load::new(&builder().flight_recorder(1));
    load.poll(HOG, None, 40);
    load.poll(QUICK, Some(1_000), 3);
    assert_eq!(load.blame(), [(1, Culprit::NotRecorded, 40)]);
    let load = Load::new(&builder().flight_recorder(3));
    load.poll(HOG, None, 40);
    load.poll(SLOW, None, 5);
    load.poll(SLOW, None, 5);
    load.poll(QUICK, Some(1_033), 3);
    assert_eq!(
        load.blame(),
        [(1, Culprit::Polls(SLOW), 10), (1, Culprit::NotRecorded, 7)]
    );
}

#[test]
fn a_poll_beyond_the_limit_lasts_until_the_next_event() {
    let load = Load::new(&builder());
    let minute = 60_000_000_000;
    load.poll(HOG, None, minute);
    load.poll(QUICK, Some(1_000), 1);
    let limit = u64::from(u32::MAX) - 1;
    assert_eq!(load.blame(), [(1, Culprit::Polls(HOG), limit)]);
}

#[test]
fn each_worker_delays_its_own_tasks_only() {
    let load = Load::new(&builder());
    let other = Worker::lease(Arc::clone(&load.registry), 1).unwrap();
    other.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: SLOW,
    });
    load.poll(HOG, None, 40);
    other.end_poll();
    load.poll(QUICK, Some(1_000), 1);
    assert_eq!(load.blame(), [(1, Culprit::Polls(HOG), 40)]);
}

#[test]
fn a_poll_in_progress_is_a_culprit_only_after_it_has_ended() {
    let load = Load::new(&builder());
    load.poll(QUICK, Some(990), 1);
    load.worker.start_poll(PollStart {
        scheduled_at: Some(Timestamp::from_ticks(1_001)),
        spawn_location: HOG,
    });
    load.clock.advance(100);
    assert_eq!(load.blame(), [(1, Culprit::NotRecorded, 10)]);
    load.worker.end_poll();
    load.poll(QUICK, Some(1_011), 1);
    assert_eq!(
        load.blame(),
        [(1, Culprit::Polls(HOG), 90), (1, Culprit::NotRecorded, 10)]
    );
}

#[test]
fn locations_beyond_the_limit_are_combined() {
    let load = Load::new(&builder());
    for number in 1..=1_100 {
        load.poll(LocationId::from_u32(number), None, 1);
    }
    load.poll(QUICK, Some(1_000), 1);
    let rows = load.blame();
    assert_eq!(rows.len(), 1_024);
    assert_eq!(rows[0], (1, Culprit::Polls(LocationId::UNKNOWN), 77));
    assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), 1_100);
}

#[test]
fn the_time_of_polls_that_were_not_sampled_has_no_culprit() {
    let n = Sampling::OneIn(NonZeroU32::new(8).unwrap());
    let load = Load::new(&builder().poll_time_sampling(n));
    for _ in 0..100 {
        load.poll(HOG, None, 10);
    }
    let woken = load.clock.ticks();
    load.registry.switches().set_poll_time(Sampling::Every);
    load.worker.submit();
    load.clock.advance(5);
    load.worker.discard_last_timestamp();
    load.poll(QUICK, Some(woken - 1_000), 1);
    let rows = load.blame();
    let sum: u64 = rows.iter().map(|row| row.2).sum();
    assert_eq!(sum, 1_000 + 5, "{rows:?}");
    assert!(
        rows.iter().any(|row| row.1 == Culprit::NoPoll && row.2 > 500),
        "{rows:?}"
    );
}

#[test]
fn a_report_has_the_largest_rows_with_names() {
    let load = Load::new(&builder());
    load.poll(HOG, None, 40);
    load.poll(SLOW, Some(1_010), 7);
    load.poll(QUICK, Some(990), 1);
    let report = load.recording().blame_report(3);
    let rows: Vec<_> = report
        .rows
        .iter()
        .map(|row| (&row.culprit, nanos(row.waited)))
        .collect();
    // The probe has no names.
    let polls = NamedCulprit::Polls(String::new());
    assert_eq!(
        rows,
        [(&polls, 40), (&polls, 30), (&NamedCulprit::NotRecorded, 10)]
    );
    assert_eq!(
        (report.span, report.is_sampled),
        (Some(Duration::from_nanos(48)), false)
    );
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_string(&report).unwrap();
        assert!(
            json.contains(r#"{"victim":"","culprit":"not_recorded","waited":"10"}"#),
            "{json}"
        );
        assert!(
            json.contains(r#""culprit":{"polls":""}"#) && json.contains(r#""span":"48""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<BlameReport>(&json).unwrap(), report);
    }
}

#[test]
fn events_before_a_time_can_be_left_out() {
    let load = Load::new(&builder());
    load.poll(SLOW, None, 10);
    let start = load.clock.ticks();
    load.poll(HOG, None, 40);
    load.poll(QUICK, Some(1_000), 1);
    let recording = load.recording().since(Timestamp::from_ticks(start));
    assert_eq!(
        rows(&recording),
        [(1, Culprit::Polls(HOG), 40), (1, Culprit::NotRecorded, 10)]
    );
    assert!(recording.threads[0].has_overwritten);
}

/// The same table, from each wait walked through by itself.
fn walk(recording: &FlightRecording) -> BTreeMap<(u32, String), u64> {
    let mut table = BTreeMap::new();
    for thread in &recording.threads {
        let polls: Vec<_> = thread
            .events()
            .filter(|event| event.kind == FlightEventKind::Poll)
            .collect();
        let first = thread.events().next().map_or(0, |event| event.start.ticks());
        for victim in &polls {
            let Some(latency) = victim.schedule_latency else {
                continue;
            };
            let end = victim.start.ticks();
            let begin = end - nanos(latency);
            let mut add = |culprit, waited: u64| {
                if waited != 0 {
                    *table
                        .entry((victim.location.as_u32(), format!("{culprit:?}")))
                        .or_insert(0) += waited;
                }
            };
            let older = first.saturating_sub(begin);
            add(Culprit::NotRecorded, older);
            let mut left = nanos(latency) - older;
            for culprit in &polls {
                let start = culprit.start.ticks();
                let overlap = (start + nanos(culprit.duration))
                    .min(end)
                    .saturating_sub(start.max(begin));
                add(Culprit::Polls(culprit.location), overlap);
                left -= overlap;
            }
            add(Culprit::NoPoll, left);
        }
    }
    table
}

#[test]
fn random_loads_agree_with_a_walk_through_each_wait() {
    let mut random = 0x9E37_79B9_u32;
    let mut next = |bound: u32| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random % bound
    };
    for events in [1, 7, 60, 500, 4_095] {
        let load = Load::new(&builder().flight_recorder(events));
        for _ in 0..700 {
            match next(12) {
                0 => {
                    load.worker.park();
                    load.clock.advance(next(300).into());
                    load.worker.unpark();
                    load.worker.start_processing_scheduled_tasks();
                }
                1 => {
                    load.clock.advance(next(50).into());
                    load.worker.discard_last_timestamp();
                }
                _ => {}
            }
            let now = load.clock.ticks();
            let woken = (next(5) != 0).then(|| now.saturating_sub(next(2_000).into()));
            load.poll(LocationId::from_u32(next(6)), woken, next(90).into());
        }
        let recording = load.recording();
        let seen: BTreeMap<_, _> = rows(&recording)
            .into_iter()
            .map(|(victim, culprit, waited)| ((victim, format!("{culprit:?}")), waited))
            .collect();
        assert!(!seen.is_empty() || events == 1);
        assert_eq!(seen, walk(&recording), "{events} events");
    }
}
