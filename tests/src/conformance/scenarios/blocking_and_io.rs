//! The blocking pool and the I/O driver.

use core::time::Duration;
use std::sync::mpsc;

use super::{Scenario, until};
use crate::conformance::patience::PATIENCE;
use crate::conformance::reading::Reading;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::Trial;

pub(super) static SCENARIOS: &[Scenario] = &[
    ("a closure waits until a blocking thread is free", blocking_pool),
    ("a task leaves the blocking pool alone", pool_at_rest),
    ("a socket is registered, ready and deregistered", socket),
    ("a task leaves the I/O driver alone", driver_at_rest),
];

const POOL: &[&str] = &[
    "num_blocking_threads",
    "num_idle_blocking_threads",
    "blocking_queue_depth",
    "blocking_queue_wait",
];

const IO: &[&str] = &[
    "io_driver_fd_registered_count",
    "io_driver_fd_deregistered_count",
    "io_driver_ready_count",
];

fn blocking_pool(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup {
        blocking_threads: 1,
        ..Setup::default()
    })?;
    let before = rig.read();
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let started_too = started.clone();
    rig.runtime.spawn_blocking(Box::new(move || {
        started.send(()).unwrap();
        released.recv().unwrap();
    }))?;
    starts.recv_timeout(PATIENCE).unwrap();
    let busy = rig.read();
    trial.moves("num_blocking_threads", &before, &busy, 1);
    trial.stays("num_idle_blocking_threads", &before, &busy);
    trial.stays("blocking_queue_depth", &before, &busy);

    rig.runtime
        .spawn_blocking(Box::new(move || started_too.send(()).unwrap()))?;
    let queued = rig.read();
    trial.moves("blocking_queue_depth", &before, &queued, 1);
    rig.clock.advance(Duration::from_millis(5));
    release.send(()).unwrap();
    starts.recv_timeout(PATIENCE).unwrap();
    let after = until(
        || rig.read(),
        |reading| {
            reading
                .value("num_idle_blocking_threads")
                .is_none_or(|idle| idle == 1)
        },
    );
    trial.moves("num_idle_blocking_threads", &before, &after, 1);
    trial.moves("blocking_queue_wait", &before, &after, 2);
    let waited = after
        .sum("blocking_queue_wait")
        .map(|sum| sum - before.sum("blocking_queue_wait").unwrap_or(0));
    trial.moved("blocking_queue_wait", waited, 5_000_000);
    Ok(())
}

fn pool_at_rest(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.run(async {});
    let after = rig.read();
    trial.all_stay(POOL, &before, &after);
    Ok(())
}

fn socket(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    let socket = rig.runtime.register_socket()?;
    // An idle socket is ready to be written to: one event.
    let ready = |reading: &Reading| reading.value("io_driver_ready_count").unwrap_or(0);
    let after = until(
        || rig.read_at_rest(),
        |reading| reading.value("io_driver_ready_count").is_none() || ready(reading) != ready(&before),
    );
    trial.moves("io_driver_fd_registered_count", &before, &after, 1);
    trial.moves("io_driver_ready_count", &before, &after, 1);
    trial.stays("io_driver_fd_deregistered_count", &before, &after);
    drop(socket);
    let gone = rig.read_at_rest();
    trial.moves("io_driver_fd_deregistered_count", &before, &gone, 1);
    trial.stays("io_driver_fd_registered_count", &after, &gone);
    Ok(())
}

fn driver_at_rest(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.run(async {});
    let after = rig.read();
    trial.all_stay(IO, &before, &after);
    Ok(())
}
