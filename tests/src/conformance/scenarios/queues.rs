//! The queues of scheduled tasks: the worker's own queue, the global queue, and steals by other workers.

use std::sync::Mutex;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};

use super::Scenario;
use crate::conformance::patience::PATIENCE;
use crate::conformance::reading::Reading;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::{Rig, Trial, boxed};
use crate::yield_now;

pub(super) static SCENARIOS: &[Scenario] = &[
    ("tasks spawned by a task are scheduled locally", spawned_by_a_task),
    ("the LIFO slot is part of a queue's depth", lifo_slot_in_depth),
    (
        "a task spawned from outside is scheduled remotely",
        spawned_from_outside,
    ),
    ("a full local queue overflows once", overflow),
    ("what one worker can't get to, another one steals", steal),
    ("a lone worker steals from nobody", lone_worker),
];

fn spawned_by_a_task(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    let (one, four) = in_a_poll_spawn(&rig);
    let after = rig.read();
    trial.moves("local_schedule_count", &before, &after, 4);
    trial.moves("local_queue_depth", &one, &four, 3);
    trial.stays("remote_schedule_count", &one, &four);
    trial.all_stay(
        &[
            "local_queue_depth",
            "global_queue_depth",
            "overflow_count",
            "overflow_tasks",
        ],
        &before,
        &after,
    );
    // The task was spawned from outside; its children were not.
    trial.moves("remote_schedule_count", &before, &after, 1);
    Ok(())
}

fn lifo_slot_in_depth(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let (_, four) = in_a_poll_spawn(&rig);
    trial.moved("local_queue_depth", four.value("local_queue_depth"), 4);
    Ok(())
}

/// Spawns one task and then three from a task, and reads after each.
fn in_a_poll_spawn(rig: &Rig) -> (Reading, Reading) {
    rig.in_a_poll(|rig| {
        drop(rig.runtime.spawn(boxed(async {})));
        let one = rig.read();
        for _ in 0..3 {
            drop(rig.runtime.spawn(boxed(async {})));
        }
        (one, rig.read())
    })
}

fn spawned_from_outside(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    // The only worker is in a poll, so tasks from outside stay in the global queue.
    let during = rig.in_a_poll(|rig| {
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3 {
                    drop(rig.runtime.spawn(boxed(async {})));
                }
            });
        });
        rig.read()
    });
    let after = rig.read();
    trial.moved("global_queue_depth", during.value("global_queue_depth"), 3);
    trial.moves("remote_schedule_count", &before, &after, 4);
    trial.stays("global_queue_depth", &before, &after);
    trial.all_stay(&["local_schedule_count", "local_queue_depth"], &before, &after);
    rig.run(yield_now());
    let yielded = rig.read();
    trial.moves("local_schedule_count", &after, &yielded, 1);
    trial.moves("remote_schedule_count", &after, &yielded, 1);
    Ok(())
}

fn overflow(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let capacity = rig.runtime.local_queue_capacity().ok_or(Unsupported)?;
    let before = rig.read();
    rig.in_a_poll(move |rig| {
        // One task is in the LIFO slot, and the queue is full.
        for _ in 0..=capacity {
            drop(rig.runtime.spawn(boxed(async {})));
        }
    });
    let full = rig.read();
    trial.all_stay(&["overflow_count", "overflow_tasks"], &before, &full);
    rig.in_a_poll(move |rig| {
        for _ in 0..=capacity + 1 {
            drop(rig.runtime.spawn(boxed(async {})));
        }
    });
    let after = rig.read();
    trial.moves("overflow_count", &full, &after, 1);
    // Half of the queue, and the task for which there was no room.
    trial.moves("overflow_tasks", &full, &after, capacity as u64 / 2 + 1);
    Ok(())
}

fn steal(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup {
        workers: 2,
        ..Setup::default()
    })?;
    let before = rig.read();
    let ran_on: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
    let ran = Arc::clone(&ran_on);
    let spawner = rig.in_a_poll(move |rig| {
        let (done, finished) = mpsc::channel();
        for _ in 0..3 {
            let (ran, done) = (Arc::clone(&ran), done.clone());
            drop(rig.runtime.spawn(boxed(async move {
                ran.lock().unwrap().push(thread::current().id());
                // The last one may run after the poll that waits for two.
                let _ = done.send(());
            })));
        }
        // The task in the LIFO slot may stay. Only the other worker can run the others during this poll.
        finished.recv_timeout(PATIENCE).unwrap();
        finished.recv_timeout(PATIENCE).unwrap();
        thread::current().id()
    });
    let after = rig.read_at_rest();
    let elsewhere = ran_on
        .lock()
        .unwrap()
        .iter()
        .filter(|&&thread| thread != spawner)
        .count() as u64;
    trial.moves("steal_count", &before, &after, elsewhere);
    // Half of two is one: each steal took one task.
    trial.moves("steal_operations", &before, &after, elsewhere);
    Ok(())
}

fn lone_worker(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.in_a_poll(|rig| {
        for _ in 0..3 {
            drop(rig.runtime.spawn(boxed(async {})));
        }
    });
    let after = rig.read();
    trial.all_stay(&["steal_count", "steal_operations"], &before, &after);
    Ok(())
}
