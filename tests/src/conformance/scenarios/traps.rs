//! One scenario for each known error of runtimes' metrics.

use core::time::Duration;
use std::sync::{Arc, mpsc};
use std::thread;

use super::{Scenario, until};
use crate::conformance::patience::PATIENCE;
use crate::conformance::reading::Reading;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::{Rig, Trial, boxed};
use crate::yield_now;
use metrics_core::{METRICS, MetricKind};
use metrics_std::watchdog::StallScanner;
use metrics_std::{Sampling, WorkerState};

pub(super) static SCENARIOS: &[Scenario] = &[
    (
        "a poll that blocks its worker is visible while it lasts",
        blocking_poll,
    ),
    (
        "a poll that hands its worker over keeps its time, and both threads count",
        handed_over,
    ),
    (
        "under load, samples equal polls and alive tasks are never negative",
        under_load,
    ),
    ("counters stay when the runtime is gone", gone),
    (
        "a thread that falls idle after one poll has submitted it",
        idle_after_one_poll,
    ),
    (
        "a task polled on a thread of another runtime is charged to its own",
        guest,
    ),
    ("a saturated worker of short polls is no stall", saturated),
    ("a poll over the threshold counts as one stall", stalled),
    (
        "a worker that blocks in what is not measured counts as one stall",
        no_progress,
    ),
    (
        "a switch flipped in mid-poll loses no sample and invents none",
        flipped,
    ),
];

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);

fn blocking_poll(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let polls = rig.read().value("poll_count");
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let during = thread::scope(|scope| {
        let clock = Arc::clone(&rig.clock);
        scope.spawn(|| {
            rig.run(async move {
                clock.advance(60 * MS);
                started.send(()).unwrap();
                released.recv().unwrap();
            });
        });
        starts.recv_timeout(PATIENCE).unwrap();
        let during = rig.read();
        release.send(()).unwrap();
        during
    });
    let Some(snapshot) = &during.0 else { return Ok(()) };
    let stuck: Vec<_> = snapshot
        .workers()
        .iter()
        .filter(|worker| worker.state() == Some(WorkerState::Polling))
        .collect();
    trial.check(stuck.len() == 1, "one worker is in a poll");
    trial.check(
        stuck.iter().all(|worker| worker.state_for() == Some(60 * MS)),
        "for 60 ms so far",
    );
    trial.check(
        during.value("poll_count") == polls,
        "a poll counts when it is over",
    );
    Ok(())
}

fn handed_over(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    // Is there such a thing, outside a poll?
    rig.runtime.block_in_place(&mut || {})?;
    let before = rig.read();
    rig.run_with(|rig| async move {
        let (done, finished) = mpsc::channel();
        drop(rig.runtime.spawn(boxed(async move { done.send(()).unwrap() })));
        rig.clock.advance(2 * MS);
        // Only another thread, which takes over the worker, can run the other task meanwhile.
        let handed = rig.runtime.block_in_place(&mut || {
            finished.recv_timeout(PATIENCE).unwrap();
            rig.clock.advance(3 * MS);
        });
        handed.expect("it worked outside");
        rig.clock.advance(4 * MS);
    });
    let polls = before.value("poll_count").unwrap_or(0) + 2;
    // The first thread submits when its poll ends, whether or not the runtime is idle.
    let after = until(
        || rig.read_at_rest(),
        |reading| reading.value("poll_count").is_none_or(|count| count == polls),
    );
    trial.moves("poll_count", &before, &after, 2);
    trial.moves("poll_time", &before, &after, 2);
    let longest = after
        .0
        .as_ref()
        .and_then(|snapshot| snapshot.total().poll_time()?.histogram().max());
    trial.check(
        longest.is_none_or(|max| max == 9_000_000),
        "the poll kept all of its 9 ms",
    );
    trial.stays("num_workers", &before, &after);
    Ok(())
}

fn under_load(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    const TASKS: u64 = 200;
    const YIELDS: u64 = 20;
    for workers in [1, 2] {
        let rig = trial.start(&Setup {
            workers,
            ..Setup::default()
        })?;
        let before = rig.read();
        let (started, starts) = mpsc::channel();
        thread::scope(|scope| {
            let load = scope.spawn(|| {
                for _ in 0..TASKS {
                    let clock = Arc::clone(&rig.clock);
                    drop(rig.runtime.spawn(boxed(async move {
                        for _ in 0..YIELDS {
                            clock.advance(US);
                            yield_now().await;
                        }
                    })));
                }
                started.send(()).unwrap();
                rig.runtime.wait_until_idle();
            });
            starts.recv_timeout(PATIENCE).unwrap();
            while !load.is_finished() {
                coherent(trial, &rig);
            }
        });
        let after = rig.read_at_rest();
        trial.moves("poll_count", &before, &after, TASKS * (YIELDS + 1));
        trial.moves("poll_time", &before, &after, TASKS * (YIELDS + 1));
        coherent(trial, &rig);
    }
    Ok(())
}

/// Checks the invariants of every snapshot.
fn coherent(trial: &mut Trial<'_>, rig: &Rig) {
    let Some(snapshot) = rig.read().0 else { return };
    for worker in snapshot.workers() {
        let Some(poll_time) = worker.poll_time() else {
            continue;
        };
        trial.check(
            Some(poll_time.samples()) == worker.poll_count(),
            "every poll was measured",
        );
        let buckets: u64 = poll_time.histogram().buckets().iter().sum();
        trial.check(
            poll_time.samples() == buckets,
            "the count is the sum of the buckets",
        );
    }
    if let Some(tasks) = snapshot.tasks() {
        let ended = tasks.completed + tasks.cancelled + tasks.panicked;
        trial.check(tasks.spawned >= ended, "no task ended before it was spawned");
    }
}

fn gone(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let Some(metrics) = rig.runtime.metrics().cloned() else {
        return Ok(());
    };
    rig.run(async { yield_now().await });
    let before = rig.read_at_rest();
    // The shutdown itself wakes workers, which may still call the last hooks.
    let moves_in_shutdown = [
        "park_count",
        "park_unpark_count",
        "noop_count",
        "busy_duration_total",
    ];
    drop(rig);
    let after = Reading::of(metrics.snapshot());
    for metric in METRICS.iter().filter(|metric| metric.kind == MetricKind::Counter) {
        let (before, after) = (before.value(metric.name), after.value(metric.name));
        let kept = if moves_in_shutdown.contains(&metric.name) {
            after >= before
        } else {
            after == before
        };
        trial.check(kept, &format!("{} was {before:?} and is {after:?}", metric.name));
    }
    Ok(())
}

fn idle_after_one_poll(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    rig.in_a_poll(|rig| rig.clock.advance(US));
    let after = rig.read();
    trial.moved("poll_count", after.value("poll_count"), 1);
    trial.moved("poll_time", after.value("poll_time"), 1);
    Ok(())
}

fn guest(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let (own, host) = (trial.start(&Setup::default())?, trial.start(&Setup::default())?);
    let clock = Arc::clone(&own.clock);
    let task = own.runtime.measured(boxed(async move {
        clock.advance(6 * MS);
        yield_now().await;
    }))?;
    let (own_before, host_before) = (own.read(), host.read());
    host.run(task);
    let own_after = own.read();
    trial.moves("poll_count", &own_before, &own_after, 2);
    trial.moves("poll_time", &own_before, &own_after, 2);
    trial.stays("nested_polls", &own_before, &own_after);
    trial.check(
        own_after.sum("poll_time").is_none_or(|sum| sum == 6_000_000),
        "by its own clock",
    );
    let host_after = host.read();
    trial.moves("poll_count", &host_before, &host_after, 2);
    trial.stays("nested_polls", &host_before, &host_after);
    Ok(())
}

fn stalled(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let metrics = rig.runtime.metrics().cloned().ok_or(Unsupported)?;
    let mut scanner = StallScanner::new(&metrics, 10 * MS);
    let before = rig.read();
    let clock = Arc::clone(&rig.clock);
    let (hand_over, returned) = mpsc::channel();
    rig.run(async move {
        clock.advance(60 * MS);
        scanner.scan(|_| {});
        scanner.scan(|_| {});
        hand_over.send(scanner).ok();
    });
    let after = rig.read();
    trial.moves("poll_stall_count", &before, &after, 1);
    trial.stays("no_progress_stall_count", &before, &after);
    trial.stays("poll_stall_duration", &before, &after);
    if let Ok(mut scanner) = returned.recv() {
        scanner.scan(|_| {});
    }
    let over = rig.read();
    trial.moves("poll_stall_duration", &before, &over, 1);
    trial.stays("no_progress_stall_duration", &before, &over);
    Ok(())
}

fn no_progress(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let metrics = rig.runtime.metrics().cloned().ok_or(Unsupported)?;
    let mut scanner = StallScanner::new(&metrics, 10 * MS);
    let before = rig.read();
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    rig.runtime.spawn_unmeasured(Box::pin(async move {
        begun.send(()).unwrap();
        may_end.recv().unwrap();
    }))?;
    has_begun.recv().unwrap();
    scanner.scan(|_| {});
    rig.clock.advance(60 * MS);
    scanner.scan(|_| {});
    end.send(()).unwrap();
    rig.runtime.wait_until_idle();
    scanner.scan(|_| {});
    let after = rig.read();
    trial.moves("no_progress_stall_count", &before, &after, 1);
    trial.stays("poll_stall_count", &before, &after);
    trial.moves("no_progress_stall_duration", &before, &after, 1);
    trial.stays("poll_stall_duration", &before, &after);
    Ok(())
}

fn saturated(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let metrics = rig.runtime.metrics().cloned().ok_or(Unsupported)?;
    let clock = Arc::clone(&rig.clock);
    let (report, reports) = mpsc::channel();
    let mut scanner = StallScanner::new(&metrics, 10 * MS);
    let before = rig.read();
    rig.run(async move {
        let mut stalls = 0;
        for _ in 0..200 {
            clock.advance(MS);
            scanner.scan(|_| stalls += 1);
            yield_now().await;
        }
        report.send(stalls).unwrap();
    });
    trial.check(
        reports.recv() == Ok(0),
        "200 ms of polls of 1 ms are no stall of 10 ms",
    );
    trial.stays("poll_stall_count", &before, &rig.read());
    Ok(())
}

fn flipped(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    rig.options()?;
    let before = rig.read();
    for (time, sampling) in [
        (3 * US, Sampling::Off),
        (5 * US, Sampling::Every),
        (7 * US, Sampling::Every),
    ] {
        rig.in_a_poll(move |rig| {
            rig.clock.advance(time);
            if let Ok(options) = rig.options() {
                options.set_poll_time(sampling);
            }
        });
    }
    let after = rig.read();
    trial.moves("poll_count", &before, &after, 3);
    // A poll that begins while it is on and ends while it is off is a sample. The reverse is not.
    trial.moves("poll_time", &before, &after, 2);
    let sum = after
        .sum("poll_time")
        .map(|sum| sum - before.sum("poll_time").unwrap_or(0));
    trial.moved("poll_time", sum, 10_000);
    Ok(())
}
