//! Each step of the scripted runtime changes the metrics that it names, by amounts known in advance, and no others.
#![allow(missing_docs)]

mod common;

use common::{Fixture, millis};
use core::time::Duration;
use metrics_core::{LocationId, TaskEnd, WorkerState};

const LOCATION: LocationId = LocationId::from_u32(7);
const MS: u64 = 1_000_000;

#[test]
fn a_spawn_on_a_worker_is_a_local_schedule() {
    let fixture = Fixture::new();
    let changes = fixture.changes(|runtime| {
        runtime.worker(1).spawn(LOCATION);
    });
    assert_eq!(changes, [("local_schedule_count", 1), ("spawned", 1)]);
    assert_eq!(fixture.metrics.worker_local_schedule_count(1).unwrap(), Some(1));
}

#[test]
fn a_spawn_from_outside_is_a_remote_schedule() {
    let fixture = Fixture::new();
    let changes = fixture.changes(|runtime| {
        runtime.spawn(LOCATION);
    });
    assert_eq!(changes, [("remote_schedule_count", 1), ("spawned", 1)]);
}

#[test]
fn a_poll_takes_exactly_its_duration() {
    let fixture = Fixture::new();
    let task = fixture.runtime.worker(0).spawn(LOCATION);
    fixture.runtime.advance(millis(2));
    let changes = fixture.changes(|runtime| runtime.worker(0).poll(task, millis(3)));
    assert_eq!(
        changes,
        [
            ("busy_duration_total", 3 * MS),
            ("poll_count", 1),
            ("poll_time", 1),
            ("poll_time sum", 3 * MS),
            ("polling_duration_total", 3 * MS),
            ("schedule_latency", 1),
            ("schedule_latency sum", 2 * MS),
        ]
    );
}

#[test]
fn time_between_two_polls_belongs_to_neither() {
    let fixture = Fixture::new();
    let task = fixture.runtime.worker(0).spawn(LOCATION);
    let changes = fixture.changes(|runtime| {
        let worker = runtime.worker(0);
        worker.poll(task, millis(1));
        runtime.advance(millis(5));
        worker.wake(task);
        fixture.clock.advance(millis(7));
        worker.poll(task, millis(2));
    });
    assert_eq!(
        changes,
        [
            // The worker neither parked nor searched.
            ("busy_duration_total", 15 * MS),
            ("local_schedule_count", 1),
            ("poll_count", 2),
            ("poll_time", 2),
            ("poll_time sum", 3 * MS),
            ("polling_duration_total", 3 * MS),
            ("running_duration_total", 12 * MS),
            ("schedule_latency", 2),
            ("schedule_latency sum", 7 * MS),
        ]
    );
}

#[test]
fn only_the_first_wake_since_a_poll_schedules_the_task() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    let task = worker.spawn(LOCATION);
    let changes = fixture.changes(|runtime| {
        worker.wake(task);
        runtime.wake(task);
    });
    assert_eq!(changes, []);
    worker.poll(task, millis(1));
    let changes = fixture.changes(|runtime| {
        runtime.wake(task);
        runtime.wake(task);
        worker.wake(task);
    });
    assert_eq!(changes, [("remote_schedule_count", 1)]);
}

#[test]
fn a_wake_during_a_poll_schedules_the_next_poll() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    let task = worker.spawn(LOCATION);
    worker.start_poll(task);
    fixture.runtime.wake(task);
    fixture.runtime.advance(millis(4));
    worker.end_poll();
    let changes = fixture.changes(|runtime| runtime.worker(1).poll(task, Duration::ZERO));
    assert_eq!(
        changes,
        [
            ("poll_count", 1),
            ("poll_time", 1),
            ("schedule_latency", 1),
            ("schedule_latency sum", 4 * MS),
        ]
    );
}

#[test]
fn a_poll_in_progress_is_in_the_live_record() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(1);
    let task = worker.spawn(LOCATION);
    fixture.runtime.advance(millis(1));
    worker.start_poll(task);
    fixture.runtime.advance(millis(60));
    let snapshot = fixture.metrics.snapshot();
    let worker = snapshot.worker(1).unwrap();
    assert_eq!(
        (worker.state(), worker.spawn_location()),
        (Some(WorkerState::Polling), LOCATION)
    );
    assert_eq!(worker.state_for(), Some(millis(60)));
    assert_eq!(snapshot.total().poll_count(), Some(0));
}

#[test]
fn a_forced_yield_schedules_the_task_again() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    let task = worker.spawn(LOCATION);
    worker.start_poll(task);
    let changes = fixture.changes(|_| worker.force_yield());
    assert_eq!(
        changes,
        [("budget_forced_yield_count", 1), ("local_schedule_count", 1)]
    );
    worker.end_poll();
    worker.poll(task, millis(1));
}

#[test]
fn a_task_ends_in_one_of_three_ways() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    for (end, name) in [
        (TaskEnd::Completed, "completed"),
        (TaskEnd::Cancelled, "cancelled"),
        (TaskEnd::Panicked, "panicked"),
    ] {
        let task = worker.spawn(LOCATION);
        assert_eq!(fixture.changes(|_| worker.end(task, end)), [(name, 1)]);
    }
    let task = worker.spawn(LOCATION);
    let changes = fixture.changes(|runtime| runtime.cancel(task));
    assert_eq!(changes, [("cancelled", 1)]);
    assert_eq!(fixture.metrics.num_alive_tasks(), Some(0));
}

#[test]
fn a_root_poll_is_busy_time_and_no_poll_of_a_task() {
    let fixture = Fixture::new();
    let changes = fixture.changes(|runtime| {
        runtime.worker(0).poll_root(millis(4));
        runtime.worker(0).search();
    });
    assert_eq!(
        changes,
        [
            ("busy_duration_total", 4 * MS),
            ("root_polls", 1),
            ("running_duration_total", 4 * MS),
        ]
    );
}

#[test]
fn a_steal_moves_tasks_in_one_operation() {
    let fixture = Fixture::new();
    let tasks = [(); 3].map(|()| fixture.runtime.worker(0).spawn(LOCATION));
    assert_eq!(fixture.depths(), [Some(0), Some(3), Some(0)]);
    let changes = fixture.changes(|runtime| runtime.worker(1).steal(&tasks[..2]));
    assert_eq!(changes, [("steal_count", 2), ("steal_operations", 1)]);
    assert_eq!(fixture.depths(), [Some(0), Some(1), Some(2)]);
    fixture.runtime.worker(1).poll(tasks[0], millis(1));
    assert_eq!(fixture.depths(), [Some(0), Some(1), Some(1)]);
}

#[test]
fn an_overflow_moves_tasks_to_the_global_queue() {
    let fixture = Fixture::new();
    let tasks = [(); 3].map(|()| fixture.runtime.worker(0).spawn(LOCATION));
    let changes = fixture.changes(|runtime| runtime.worker(0).overflow(&tasks));
    assert_eq!(changes, [("overflow_count", 1), ("overflow_tasks", 3)]);
    assert_eq!(fixture.depths(), [Some(3), Some(0), Some(0)]);
    fixture.runtime.worker(1).poll(tasks[2], millis(1));
    fixture.runtime.cancel(tasks[1]);
    assert_eq!(fixture.depths(), [Some(1), Some(0), Some(0)]);
}

#[test]
fn a_park_ends_the_busy_time() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    let task = worker.spawn(LOCATION);
    worker.poll(task, millis(2));
    let changes = fixture.changes(|runtime| {
        worker.park();
        runtime.advance(millis(100));
    });
    assert_eq!(
        changes,
        [
            ("park_count", 1),
            ("park_unpark_count", 1),
            ("parked_duration_total", 100 * MS),
        ]
    );
    let changes = fixture.changes(|_| worker.unpark());
    assert_eq!(changes, [("park_unpark_count", 1)]);
    let changes = fixture.changes(|_| worker.park_for(millis(9)));
    assert_eq!(
        changes,
        [
            ("noop_count", 1),
            ("park_count", 1),
            ("park_unpark_count", 2),
            ("parked_duration_total", 9 * MS),
        ]
    );
}

#[test]
fn a_search_ends_the_busy_time() {
    let fixture = Fixture::new();
    let worker = fixture.runtime.worker(0);
    let task = worker.spawn(LOCATION);
    worker.poll(task, millis(2));
    fixture.runtime.advance(millis(3));
    worker.search();
    fixture.runtime.flush();
    assert_eq!(fixture.metrics.busy_duration_total().unwrap(), Some(millis(5)));
    let changes = fixture.changes(|runtime| runtime.advance(millis(8)));
    assert_eq!(changes, [("searching_duration_total", 8 * MS)]);
}

#[test]
fn a_blocking_closure_waits_in_its_queue() {
    let fixture = Fixture::new();
    let changes = fixture.changes(|runtime| runtime.block(millis(6)));
    assert_eq!(
        changes,
        [("blocking_queue_wait", 1), ("blocking_queue_wait sum", 6 * MS)]
    );
}

#[test]
fn readers_see_a_batch_once_it_is_submitted() {
    let fixture = Fixture::new();
    let polls = || fixture.metrics.poll_count().unwrap();
    let worker = fixture.runtime.worker(0);
    // The first poll that ends submits, and the next ones do not until the interval of 1 ms has passed.
    fixture.runtime.advance(millis(1));
    let task = worker.spawn(LOCATION);
    worker.poll(task, Duration::ZERO);
    assert_eq!(polls(), Some(1));
    for _ in 0..3 {
        worker.wake(task);
        worker.poll(task, Duration::from_micros(100));
    }
    assert_eq!(polls(), Some(1));
    worker.submit();
    assert_eq!(polls(), Some(4));
    worker.wake(task);
    worker.poll(task, Duration::from_micros(100));
    assert_eq!(polls(), Some(4));
    fixture.runtime.flush();
    assert_eq!(polls(), Some(5));
}
