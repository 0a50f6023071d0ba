//! The flight recorder on a real runtime: the copy that a stall's callback takes explains the stall.
#![cfg(all(feature = "record", feature = "tokio"))]

use core::time::Duration;
use std::sync::{Arc, mpsc};

use metrics_mock::ManualClock;
use metrics_std::Clock;
use metrics_std::location::intern_name;
use metrics_std::metrics_core::{Culprit, FlightEventKind, FlightRecording, ThreadRecording};
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::watchdog::{StallPhase, watch_stalls};

const THRESHOLD: Duration = Duration::from_millis(20);

#[test]
fn the_copy_taken_during_a_stall_ends_with_the_poll_in_progress() {
    let adapter = TokioAdapter::builder().configure(|builder| {
        builder
            .flight_recorder(64)
            .flight_recorder_threshold(Duration::ZERO)
    });
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter
        .build(tokio::runtime::Builder::new_multi_thread().worker_threads(1))
        .unwrap();
    let recorder = metrics.clone();
    let (copies, taken) = mpsc::channel::<FlightRecording>();
    let (resume, may_resume) = mpsc::channel::<()>();
    let _watchdog = watch_stalls(&metrics, THRESHOLD, move |stall| {
        if stall.phase == StallPhase::Ongoing
            && stall.spawn_location.as_deref() == Some("report")
            && let Some(recording) = recorder.flight_recording()
        {
            let _ = copies.send(recording);
            let _ = resume.send(());
        }
    })
    .unwrap();
    let quick = spawner.named(intern_name("quick"));
    let report = spawner.named(intern_name("report"));
    runtime
        .block_on(async {
            for _ in 0..3 {
                quick.spawn(async {}).await.unwrap();
            }
            // Blocks its worker until the callback has taken the events.
            report.spawn(async move { may_resume.recv().unwrap() }).await
        })
        .unwrap();
    let recording = taken.recv().unwrap();
    let events = recording.threads.iter().flat_map(ThreadRecording::events);
    let polls: Vec<_> = events
        .filter(|event| event.kind == FlightEventKind::Poll)
        .collect();
    let names: Vec<_> = polls
        .iter()
        .map(|event| recording.location_name(event.location))
        .collect();
    assert_eq!(names, ["quick", "quick", "quick", "report"]);
    assert!(polls[3].duration >= THRESHOLD, "{:?}", polls[3]);
    assert!(recording.span() >= Some(THRESHOLD));
    let mut trace = String::new();
    recording.write_chrome_trace(&mut trace).unwrap();
    assert!(trace.contains("\"name\":\"report\""), "{trace}");
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "Tokio measures the schedule latency on its own clock"
)]
fn blame_names_the_poll_that_others_waited_for() {
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder()
        .clock(Clock::custom(Arc::clone(&clock)))
        .configure(|builder| builder.flight_recorder(64));
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter
        .build(&mut tokio::runtime::Builder::new_current_thread())
        .unwrap();
    let task = |name, millis| {
        let clock = Arc::clone(&clock);
        let work = async move { clock.advance(Duration::from_millis(millis)) };
        spawner.named(intern_name(name)).spawn(work)
    };
    // Tokio polls them in this order, after the future below has returned once.
    let tasks = [
        task("hog", 40),
        task("quick", 1),
        task("quick", 1),
        task("slow", 7),
    ];
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    let recording = metrics.flight_recording().unwrap();
    let blame = recording.blame();
    let rows: Vec<_> = blame
        .rows
        .iter()
        .map(|row| {
            let culprit = match row.culprit {
                Culprit::Polls(location) => recording.location_name(location),
                _ => "none",
            };
            (
                recording.location_name(row.victim),
                culprit,
                row.waited.as_millis(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("quick", "hog", 80),
            ("slow", "hog", 40),
            ("slow", "quick", 2),
            ("quick", "quick", 1),
        ]
    );
}
