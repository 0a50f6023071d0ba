//! The example executor: each hook that it calls counts, and the host gets its turn. A thread has one executor; each test installs
//! its own.
#![cfg(target_family = "wasm")]

mod common;
#[path = "../examples/executor/microtask.rs"]
mod microtask;

use common::{PATIENCE, next_turn, now, spin, until, yield_now};
use core::cell::Cell;
use core::time::Duration;
use metrics_wasm::PerformanceClock;
use metrics_wasm::metrics_core::{TimeSource, WorkerState};
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

/// A budget that no turn can use up.
const UNLIMITED: Duration = Duration::MAX;

#[wasm_bindgen_test]
async fn hooks_of_a_browser_executor() {
    let metrics = microtask::install("own", UNLIMITED).expect("the defaults are valid");
    let first = metrics.snapshot();
    for _ in 0..5 {
        microtask::spawn(yield_now()).expect("installed").detach();
    }
    let cancelled = microtask::spawn(core::future::pending::<()>()).expect("installed");
    assert_eq!(metrics.num_alive_tasks(), Some(6));
    next_turn().await;
    drop(cancelled);
    next_turn().await;

    let snapshot = metrics.snapshot();
    let worker = snapshot.worker(0).unwrap();
    // Five tasks of two polls, one of one; a cancelled task is scheduled once more, to be dropped.
    assert_eq!(worker.poll_count(), Some(12));
    assert_eq!(worker.local_schedule_count(), Some(12));
    assert_eq!(worker.poll_time().unwrap().samples(), 12);
    assert_eq!(worker.schedule_latency().unwrap().samples(), 12);
    assert_eq!(snapshot.completed_tasks_count(), Some(5));
    assert_eq!(snapshot.cancelled_tasks_count(), Some(1));
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
    assert_eq!(worker.state(), Some(WorkerState::Parked));
    assert_eq!(
        worker.park_count(),
        Some(3),
        "at the start, and after each of two turns"
    );
    assert_eq!(worker.park_unpark_count(), Some(5));
    let interval = snapshot.since(&first).unwrap();
    assert_eq!(interval.total().poll_count(), Some(12));
}

#[wasm_bindgen_test]
async fn a_turn_ends_when_its_budget_is_spent() {
    let metrics = microtask::install("own", Duration::ZERO).expect("the defaults are valid");
    let before = metrics.snapshot();
    for _ in 0..5 {
        microtask::spawn(yield_now()).expect("installed").detach();
    }
    until("the tasks are done", || metrics.num_alive_tasks() == Some(0)).await;
    let interval = metrics.snapshot().since(&before).unwrap();
    assert_eq!(interval.total().poll_count(), Some(10));
    assert_eq!(
        interval.total().park_count(),
        Some(10),
        "the host has its turn after every poll"
    );
}

/// A task that is always ready again, and what it says of itself.
#[derive(Default)]
struct Restless {
    polls: Cell<u64>,
    /// Nanoseconds.
    worked: Cell<u64>,
    stop: Cell<bool>,
    /// Nobody stopped it in time: a test that fails has to end.
    gave_up: Cell<bool>,
}

impl Restless {
    async fn run(self: Rc<Self>, clock: PerformanceClock) {
        let end = now() + PATIENCE;
        while !self.stop.get() && !self.gave_up.get() {
            self.polls.set(self.polls.get() + 1);
            let start = clock.now().ticks();
            spin(0.5);
            self.worked.set(self.worked.get() + clock.now().ticks() - start);
            self.gave_up.set(now() >= end);
            yield_now().await;
        }
        self.polls.set(self.polls.get() + 1);
    }
}

#[wasm_bindgen_test]
async fn a_loop_of_tasks_does_not_starve_the_host() {
    // The example's.
    let budget = Duration::from_millis(5);
    let metrics = microtask::install("own", budget).expect("the defaults are valid");
    let before = metrics.snapshot();
    let task = Rc::new(Restless::default());
    microtask::spawn(Rc::clone(&task).run(*metrics.registry().clock()))
        .expect("installed")
        .detach();
    // A loop of microtasks alone would hold the first of these timers back until the task gives up.
    let turns = || metrics.snapshot().since(&before).unwrap().total().park_count();
    let mut timers = 0;
    until(
        "five timers and five turns beside a task that never rests",
        || {
            timers += 1;
            task.gave_up.get() || (timers > 5 && turns() >= Some(5))
        },
    )
    .await;
    assert!(!task.gave_up.get(), "{timers} timers");
    task.stop.set(true);
    until("the task is done", || metrics.num_alive_tasks() == Some(0)).await;

    let interval = metrics.snapshot().since(&before).unwrap();
    assert_eq!(interval.total().poll_count(), Some(task.polls.get()));
    let busy = interval.total().busy_duration_total().unwrap();
    assert!(
        busy >= Duration::from_nanos(task.worked.get()) && busy <= interval.wall().unwrap(),
        "{busy:?}"
    );
}
