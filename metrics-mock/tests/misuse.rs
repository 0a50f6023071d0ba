//! An impossible step panics with a message that suggests a valid one.
#![allow(missing_docs)]

mod common;

use common::{Fixture, Handle, millis, registry, workers};
use core::panic::AssertUnwindSafe;
use metrics_core::{LocationId, TaskEnd};
use metrics_mock::{ManualClock, MockProbe, MockRuntime};
use std::panic::catch_unwind;
use std::sync::Arc;

/// The message of the panic.
fn message_of(step: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(step)).expect_err("the step panics");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("a message")
}

#[test]
fn a_poll_needs_a_scheduled_task_that_the_worker_can_reach() {
    let Fixture { runtime, .. } = Fixture::new();
    let (first, second) = (runtime.worker(0), runtime.worker(1));
    let task = first.spawn(LocationId::UNKNOWN);
    assert_eq!(
        message_of(|| second.start_poll(task)),
        "task 0 is in the queue of worker 0: let worker 1 `steal` it first"
    );
    first.start_poll(task);
    assert_eq!(
        message_of(|| second.start_poll(task)),
        "task 0 is being polled: call `end_poll` on that worker first"
    );
    assert_eq!(
        message_of(|| first.end(task, TaskEnd::Completed)),
        "task 0 is being polled: call `end_poll` before the task ends"
    );
    first.end_poll();
    assert_eq!(
        message_of(|| first.poll(task, millis(1))),
        "task 0 is not scheduled: wake it before it is polled"
    );
    first.end(task, TaskEnd::Completed);
    assert_eq!(
        message_of(|| first.poll(task, millis(1))),
        "task 0 has ended: spawn another"
    );
    assert_eq!(
        message_of(|| runtime.wake(task)),
        "task 0 has ended: spawn another"
    );
    assert_eq!(message_of(|| runtime.cancel(task)), "task 0 has already ended");
}

#[test]
fn a_parked_worker_does_nothing() {
    let Fixture { runtime, .. } = Fixture::new();
    let worker = runtime.worker(1);
    let task = runtime.spawn(LocationId::UNKNOWN);
    assert_eq!(
        message_of(|| worker.unpark()),
        "worker 1 is not parked: call `park` before `unpark`"
    );
    worker.park();
    let steps: [(&str, &dyn Fn()); 9] = [
        ("spawn", &|| _ = worker.spawn(LocationId::UNKNOWN)),
        ("wake", &|| worker.wake(task)),
        ("start_poll", &|| worker.start_poll(task)),
        ("end", &|| worker.end(task, TaskEnd::Cancelled)),
        ("poll_root", &|| worker.poll_root(millis(1))),
        ("steal", &|| worker.steal(&[task])),
        ("overflow", &|| worker.overflow(&[task])),
        ("search", &|| worker.search()),
        ("park", &|| worker.park()),
    ];
    for (method, step) in steps {
        assert_eq!(
            message_of(step),
            format!("worker 1 is parked: call `unpark` before `{method}`")
        );
    }
}

#[test]
fn a_worker_polls_one_task_at_a_time() {
    let Fixture { runtime, .. } = Fixture::new();
    let worker = runtime.worker(0);
    let (task, other) = (
        worker.spawn(LocationId::UNKNOWN),
        worker.spawn(LocationId::UNKNOWN),
    );
    for (method, step) in [
        ("end_poll", &(|| worker.end_poll()) as &dyn Fn()),
        ("force_yield", &|| worker.force_yield()),
    ] {
        assert_eq!(
            message_of(step),
            format!("worker 0 is not in a poll: call `start_poll` before `{method}`")
        );
    }
    worker.start_poll(task);
    for (method, step) in [
        ("start_poll", &(|| worker.start_poll(other)) as &dyn Fn()),
        ("poll_root", &|| worker.poll_root(millis(1))),
        ("steal", &|| worker.steal(&[other])),
        ("search", &|| worker.search()),
        ("park", &|| worker.park()),
    ] {
        assert_eq!(
            message_of(step),
            format!("worker 0 is polling task 0: call `end_poll` before `{method}`")
        );
    }
}

#[test]
fn only_queued_tasks_move_between_queues() {
    let Fixture { runtime, .. } = Fixture::new();
    let worker = runtime.worker(0);
    let (own, global) = (
        worker.spawn(LocationId::UNKNOWN),
        runtime.spawn(LocationId::UNKNOWN),
    );
    for task in [own, global] {
        assert_eq!(
            message_of(|| worker.steal(&[task])),
            format!("{task} is not in a queue that `steal` takes tasks from")
        );
    }
    assert_eq!(
        message_of(|| runtime.worker(1).overflow(&[own])),
        "task 0 is not in a queue that `overflow` takes tasks from"
    );
    assert_eq!(
        message_of(|| worker.steal(&[])),
        "no task: `steal` moves at least one"
    );
}

#[test]
fn a_task_belongs_to_the_runtime_that_spawned_it() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let task = one.runtime.spawn(LocationId::UNKNOWN);
    assert_eq!(
        message_of(|| other.runtime.wake(task)),
        "task 0 belongs to another runtime: use the one that spawned it"
    );
}

#[test]
fn a_runtime_is_made_of_the_workers_of_one_registry_on_its_clock() {
    let clock = Arc::new(ManualClock::new());
    let (one, other) = (registry(&clock), registry(&clock));
    let no_workers = Vec::<metrics_core::Worker<Handle>>::new();
    assert_eq!(
        message_of(|| drop(MockRuntime::new(no_workers, Arc::clone(&clock)))),
        "a runtime needs at least one worker: pass those of its registry"
    );
    let mixed = workers(&one).into_iter().chain(workers(&other)).collect();
    assert_eq!(
        message_of(|| drop(MockRuntime::new(mixed, Arc::clone(&clock)))),
        "the workers belong to several registries: make one `MockRuntime` for each"
    );
    assert_eq!(
        message_of(|| drop(MockRuntime::new(workers(&one), Arc::new(ManualClock::new())))),
        "the workers' registry has another clock: give the same `Arc<ManualClock>` to it and to `MockRuntime::new`"
    );
    let probe = MockProbe::new(3);
    assert!(
        message_of(|| drop(MockRuntime::with_probe(workers(&one), Arc::clone(&clock), &probe)))
            .contains("the probe was made for 3 workers, and there are 2")
    );
    let runtime = MockRuntime::new(workers(&one), clock);
    assert_eq!(
        message_of(|| _ = runtime.worker(2)),
        "the runtime has no worker 2: it has 2, counted from 0"
    );
}
