//! The times of an executor if a tick is not a whole number of nanoseconds, if the clock steps back, and if hooks are
//! called out of order.

use core::time::Duration;
use metrics_core::embassy::ExecutorState;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::replay::{Hook::*, Player, us};

const E: u32 = 0x2000_0100;
const A: u32 = 0x2000_1000;

fn queued() -> Player<1, 4> {
    let player = Player::at_two_rates();
    player.play(&[(0, New(E, A)), (0, Ready(E, A)), (0, PollStart(E))]);
    player
}

/// The player compares both clock rates at every trace.
#[test]
fn the_times_of_an_executor_are_each_rounded_once() {
    let player = queued();
    player.play(&[(1, Begin(E, A))]);
    for now in 2..=9 {
        assert_eq!(player.at(now).executor(0).scheduling, us(1), "{now}");
    }
    player.play(&[(10, End(E, A)), (11, Idle(E))]);
    let start = |run: u64| 20 + 10 * run;
    for run in 0..1_000 {
        player.play(&[
            (start(run), Ready(E, A)),
            (start(run), PollStart(E)),
            (start(run) + 1, Begin(E, A)),
            (start(run) + 2, End(E, A)),
            (start(run) + 3, Idle(E)),
        ]);
    }
    assert_eq!(player.executor(0).total(), us(start(999) + 3));
}

#[test]
fn a_clock_step_back_takes_no_scheduling_time_of_other_runs() {
    let player = queued();
    player.play(&[(10, Idle(E)), (20, PollStart(E)), (20, Begin(E, A))]);
    player.play(&[(100, End(E, A))]);
    // The clock steps back, to before the end of the poll or even to before the start of the run.
    player.play(&[(30, Idle(E)), (40, PollStart(E)), (40, Begin(E, A))]);
    player.play(&[(100, End(E, A)), (15, Idle(E))]);
    let executor = player.executor(0);
    assert_eq!((executor.scheduling, executor.polling), (us(10), us(80 + 60)));
    player.play(&[(20, PollStart(E)), (50, Begin(E, A))]);
    player.play(&[(60, End(E, A)), (65, Idle(E))]);
    assert_eq!(player.executor(0).scheduling, us(10 + 30 + 5));
}

#[test]
fn an_executor_that_is_idle_already_stays_idle() {
    let player = queued();
    player.play(&[(3, Idle(E)), (1_000_000, Idle(E))]).at(1_000_007);
    let executor = player.executor(0);
    assert_eq!(
        (executor.state, executor.idle, executor.scheduling),
        (ExecutorState::Idle, us(1_000_004), us(3))
    );
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_micros(3)));
    assert_eq!(worker.park_count(), Some(1));
}

/// embassy visits an ended task that was woken in its last poll, and a panic can leave it there.
#[test]
fn a_visit_of_an_ended_task_that_a_panic_ended_is_scheduling() {
    let player = queued();
    player.play(&[
        (5, Begin(E, A)),
        (20, TaskEnd(E, A)),
        (25, End(E, A)),
        (30, Idle(E)),
        (31, Ready(E, A)),
        (31, PollStart(E)),
        (33, Begin(E, A)),
        (45, PollStart(E)),
        (50, Idle(E)),
    ]);
    let executor = player.executor(0);
    assert_eq!(
        (executor.polling, executor.scheduling),
        (us(20), us(5 + 5 + 50 - 31))
    );
}
