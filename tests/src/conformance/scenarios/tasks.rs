//! The lifecycle of tasks and of the runtime itself.

use core::future::pending;
use std::panic;

use super::Scenario;
use crate::conformance::patience::PATIENCE;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::{Trial, boxed};

pub(super) static SCENARIOS: &[Scenario] = &[
    ("tasks are alive from their spawn to their end", alive),
    ("a task ends once, and says how", endings),
    ("a blocking closure is no task", blocking_closure),
    ("a runtime has as many workers as it was built with", workers),
    ("two runtimes are told apart", identity),
];

const TASKS: &[&str] = &[
    "spawned_tasks_count",
    "covered_tasks",
    "num_alive_tasks",
    "completed_tasks_count",
    "cancelled_tasks_count",
    "panicked_tasks_count",
];

fn alive(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    for _ in 0..2 {
        drop(rig.runtime.spawn(boxed(pending())));
    }
    rig.run(async {});
    let after = rig.read();
    trial.moves("spawned_tasks_count", &before, &after, 3);
    trial.moves("covered_tasks", &before, &after, 2);
    trial.moves("num_alive_tasks", &before, &after, 2);
    trial.moves("completed_tasks_count", &before, &after, 1);
    trial.all_stay(
        &["cancelled_tasks_count", "panicked_tasks_count"],
        &before,
        &after,
    );
    rig.clock.advance(core::time::Duration::from_secs(1));
    let later = rig.read_at_rest();
    for metric in TASKS {
        trial.stays(metric, &after, &later);
    }
    Ok(())
}

fn endings(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.run(async {});
    let cancel = rig.runtime.spawn(boxed(pending()));
    rig.runtime.wait_until_idle();
    cancel();
    rig.runtime.wait_until_idle();
    quietly(|| rig.run(async { panic!("a panic that the scenario wants") }));
    let after = rig.read_at_rest();
    trial.moves("completed_tasks_count", &before, &after, 1);
    trial.moves("cancelled_tasks_count", &before, &after, 1);
    trial.moves("panicked_tasks_count", &before, &after, 1);
    trial.moves("spawned_tasks_count", &before, &after, 3);
    trial.all_stay(&["covered_tasks", "num_alive_tasks"], &before, &after);
    Ok(())
}

fn blocking_closure(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    let (done, finished) = std::sync::mpsc::channel();
    rig.runtime
        .spawn_blocking(Box::new(move || done.send(()).unwrap()))?;
    finished.recv_timeout(PATIENCE).unwrap();
    let after = rig.read_at_rest();
    for metric in TASKS {
        trial.stays(metric, &before, &after);
    }
    trial.all_stay(&["poll_count", "poll_time"], &before, &after);
    if !rig.runtime.has_own_clock() {
        trial.stays("busy_duration_total", &before, &after);
    }
    Ok(())
}

fn workers(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    for workers in [1, 2] {
        let rig = trial.start(&Setup {
            workers,
            ..Setup::default()
        })?;
        trial.moved("num_workers", rig.read().value("num_workers"), workers as u64);
    }
    Ok(())
}

fn identity(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let first = trial.start(&Setup::default())?;
    let second = trial.start(&Setup::default())?;
    for metric in ["epoch", "started_at"] {
        let (one, two) = (first.read().value(metric), second.read().value(metric));
        trial.moved(metric, one.map(|one| u64::from(Some(one) != two)), 1);
    }
    Ok(())
}

/// Suppresses the message of an expected panic in the test's output.
fn quietly(f: impl FnOnce()) {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    f();
    panic::set_hook(hook);
}
