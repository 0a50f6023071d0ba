//! Busy time, parks, and the current state of a worker.

use core::future::pending;
use core::time::Duration;

use super::Scenario;
use crate::conformance::patience::wait_until;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::{Trial, boxed};
use metrics_std::WorkerState;

pub(super) static SCENARIOS: &[Scenario] = &[
    ("a poll of 3 ms is 3 ms of busy time", busy_while_polling),
    (
        "time that passes over a parked worker is not busy time",
        idle_while_parked,
    ),
    ("a poll in progress is busy time already", busy_in_progress),
    ("a worker that wakes for nothing parks in vain", wake_for_nothing),
    (
        "a worker that wakes for a task parks once more, and not in vain",
        wake_for_a_task,
    ),
    ("a poll shows what it is while it lasts", live_record),
    ("a worker says which thread runs it", thread),
    ("a worker in a poll is not parked", parked_workers),
];

const MS: Duration = Duration::from_millis(1);

fn busy_while_polling(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    let elapsed = std::time::Instant::now();
    rig.in_a_poll(|rig| rig.runtime.work(&rig.clock, 3 * MS));
    let after = rig.read();
    let limit = elapsed.elapsed();
    let grown = after
        .value("busy_duration_total")
        .map(|after| after - before.value("busy_duration_total").unwrap_or(0));
    // If a runtime measures its busy time with its own real clock, the value lies between the work and the elapsed time.
    let real = rig.runtime.has_own_clock();
    let exact = grown.map(|nanos| {
        let busy = Duration::from_nanos(nanos);
        if real && busy >= 3 * MS && busy <= limit {
            3_000_000
        } else {
            nanos
        }
    });
    trial.moved("busy_duration_total", exact, 3_000_000);
    trial.moves("polling_duration_total", &before, &after, 3_000_000);
    Ok(())
}

fn idle_while_parked(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    rig.run(async {});
    let before = rig.read();
    rig.clock.advance(10 * MS);
    let after = rig.read();
    trial.all_stay(
        &[
            "busy_duration_total",
            "polling_duration_total",
            "num_parked_workers",
            "park_count",
            "park_unpark_count",
            "noop_count",
            "mean_poll_time",
            "root_polls",
            "nested_polls",
        ],
        &before,
        &after,
    );
    trial.all_stay(
        &[
            "state",
            "spawn_location",
            "since",
            "thread",
            "num_workers",
            "epoch",
            "started_at",
        ],
        &before,
        &after,
    );
    Ok(())
}

fn busy_in_progress(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let [before, during] = rig.in_a_poll(|rig| {
        let before = rig.read();
        rig.clock.advance(7 * MS);
        [before, rig.read()]
    });
    trial.moves("busy_duration_total", &before, &during, 7_000_000);
    Ok(())
}

fn wake_for_nothing(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    // The first park of a new worker does not count as a noop, so wait until it is over.
    rig.run(async {});
    let before = rig.read();
    let in_vain = rig.runtime.park(3)?;
    let after = rig.read_at_rest();
    trial.moves("park_count", &before, &after, 3);
    trial.moves("park_unpark_count", &before, &after, 6);
    trial.moves("noop_count", &before, &after, in_vain);
    trial.all_stay(&["poll_count", "poll_time", "schedule_latency"], &before, &after);
    Ok(())
}

fn wake_for_a_task(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    rig.run(async {});
    let before = rig.read();
    rig.run(async {});
    let after = rig.read();
    trial.stays("noop_count", &before, &after);
    Ok(())
}

fn live_record(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    rig.clock.advance(5 * MS);
    let during = rig.in_a_poll(|rig| {
        rig.clock.advance(2 * MS);
        rig.read()
    });
    let Some(snapshot) = &during.0 else {
        for metric in ["state", "spawn_location", "since"] {
            trial.moved(metric, None, 0);
        }
        return Ok(());
    };
    let polling: Vec<_> = snapshot
        .workers()
        .iter()
        .filter(|worker| worker.state() == Some(WorkerState::Polling))
        .collect();
    trial.moved("state", during.value("state").map(|_| polling.len() as u64), 1);
    if let Some(worker) = polling.first() {
        trial.moved(
            "spawn_location",
            Some(u64::from(worker.spawn_location_name().contains(".rs:"))),
            1,
        );
        trial.moved(
            "since",
            worker.state_for().map(|age| age.as_nanos() as u64),
            2_000_000,
        );
    }
    Ok(())
}

fn parked_workers(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    const METRIC: &str = "num_parked_workers";
    let rig = trial.start(&Setup::default())?;
    rig.run(async {});
    let others = rig.in_a_poll(|rig| {
        let workers = rig.read().value("num_workers").unwrap_or(0);
        let mut parked = None;
        // The others may still be searching, and one that was notified may wake once more.
        wait_until("the other workers park", || {
            parked = rig.read().value(METRIC);
            parked.is_none_or(|parked| parked + 1 == workers)
        });
        (parked, workers.saturating_sub(1))
    });
    trial.moved(METRIC, others.0, others.1);
    Ok(())
}

fn thread(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    // A thread of a pool may not be known before it has run a task.
    drop(rig.runtime.spawn(boxed(pending())));
    let (during, name) = rig.in_a_poll(|rig| (rig.read(), std::thread::current().name().map(str::to_owned)));
    let Some(snapshot) = &during.0 else {
        trial.moved("thread", None, 0);
        return Ok(());
    };
    let threads: Vec<_> = snapshot
        .workers()
        .iter()
        .filter(|worker| worker.thread().is_some())
        .collect();
    trial.moved("thread", during.value("thread").map(|_| threads.len() as u64), 1);
    if let (Some(worker), Some(name)) = (threads.first(), name) {
        trial.check(
            worker.thread_name() == name,
            "the worker's thread has the name that the task saw",
        );
    }
    Ok(())
}
