//! The example executor: every hook it calls moves its number, and the host gets its turn.
#![cfg(target_family = "wasm")]

mod common;
#[path = "../examples/executor/microtask.rs"]
mod microtask;

use common::{next_turn, now, sleep, spin, yield_now};
use core::cell::Cell;
use metrics_wasm::metrics_core::WorkerState;
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn hooks_of_a_browser_executor() {
    let metrics = microtask::install("own").expect("the defaults are valid");
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
    assert_eq!(worker.state(), WorkerState::Parked);
    assert_eq!(
        worker.park_count(),
        Some(3),
        "at the start, and after each of two turns"
    );
    assert_eq!(worker.park_unpark_count(), Some(5));
    let interval = snapshot.since(&first).unwrap();
    assert_eq!(interval.total().poll_count(), Some(12));

    a_loop_of_tasks_does_not_starve_the_host(&metrics).await;
}

/// Runs in the same test: a thread has one executor.
async fn a_loop_of_tasks_does_not_starve_the_host(metrics: &metrics_wasm::RuntimeMetrics) {
    let polls = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&polls);
    let before = metrics.snapshot();
    let end = now() + 100.0;
    // Always ready again: a loop of microtasks alone would hold every timer back for the whole 100 ms.
    microtask::spawn(async move {
        while now() < end {
            counted.set(counted.get() + 1);
            spin(0.5);
            yield_now().await;
        }
        counted.set(counted.get() + 1);
    })
    .expect("installed")
    .detach();
    let mut timers = 0;
    while now() < end {
        sleep(0.0).await;
        timers += 1;
    }
    assert!(
        timers >= 5,
        "{timers} timers in 100 ms beside a task that never rests"
    );
    sleep(20.0).await;
    let interval = metrics.snapshot().since(&before).unwrap();
    assert_eq!(interval.total().poll_count(), Some(polls.get()));
    assert!(interval.total().busy_ratio().unwrap() > 0.3);
    assert!(
        interval.total().park_count().unwrap() >= 5,
        "it parks whenever it leaves the rest to the host"
    );
}
