//! The lives of tasks: they are spawned, woken and polled, end inside their last poll, and are spawned again with the
//! same number.

use core::time::Duration;
use metrics_core::WorkerState;
use metrics_core::embassy::{ExecutorState, FixedTrace, OverflowRow, TaskName, TaskRow, TraceSnapshot};

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::replay::{Event, Hook::*, Player, us};

const E: u32 = 0x2000_0100;
const A: u32 = 0x2000_1000;
const B: u32 = 0x2000_2000;
const C: u32 = 0x2000_3000;

/// The usual start of a life: a task is spawned and queued at 0, and its executor starts to poll.
fn queued<const N: usize>() -> Player<1, N> {
    let player = Player::at_two_rates();
    player.play(&[(0, New(E, A)), (0, Ready(E, A)), (0, PollStart(E))]);
    player
}

/// The first and last poll of that task, which waited 5 us and ends after 15.
const LAST_POLL: &[Event] = &[
    (5, Begin(E, A)),
    (20, TaskEnd(E, A)),
    (25, End(E, A)),
    (30, Idle(E)),
];

#[test]
fn every_microsecond_of_a_simple_run_is_where_it_belongs() {
    let player = Player::<1, 4>::at_two_rates();
    player.play(&[
        (10, New(E, A)),
        (12, Ready(E, A)),
        (20, PollStart(E)),
        (23, Begin(E, A)),
        (73, End(E, A)),
        (75, Idle(E)),
        (175, Ready(E, A)),
        (180, PollStart(E)),
        (181, Begin(E, A)),
        (211, End(E, A)),
        (215, Idle(E)),
    ]);
    player.at(300);

    let executor = player.executor(0);
    assert_eq!(executor.state, ExecutorState::Idle);
    assert_eq!(executor.idle, us(180 - 75 + 300 - 215));
    assert_eq!(executor.scheduling, us(3 + 2 + 1 + 4));
    assert_eq!(executor.polling, us(50 + 30));
    assert_eq!(executor.preempted, 0);
    assert_eq!(executor.in_progress, us(300 - 215));
    assert_eq!(executor.total(), us(300 - 20));
    assert_eq!(executor.polls, 2);

    let expected = TaskRow {
        name: TaskName::default(),
        executor: 0,
        task: A,
        spawned: 1,
        ended: 0,
        wakes: 2,
        polls: 2,
        active: us(80),
        waiting: us(11 + 6),
        longest: us(50),
        longest_is_bound: false,
        polling: false,
        stale: false,
    };
    assert_eq!(player.task(0, A), expected);

    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker for the executor");
    assert_eq!(worker.poll_count(), Some(2));
    assert_eq!(worker.park_count(), Some(2));
    assert_eq!(worker.park_unpark_count(), Some(4));
    assert_eq!(worker.noop_count(), Some(0));
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_micros(55 + 35)));
    let polls = worker.poll_time().expect("a poll time").histogram();
    assert_eq!((polls.count(), polls.sum()), (2, us(80)));
    assert_eq!((polls.min(), polls.max()), (Some(us(30)), Some(us(50))));
    let latency = worker.schedule_latency().expect("a latency").histogram();
    assert_eq!((latency.count(), latency.sum()), (2, us(17)));
    assert_eq!(worker.state(), Some(WorkerState::Parked));
    let tasks = player.tasks();
    assert_eq!((tasks.spawned, tasks.completed, tasks.alive()), (1, 0, 1));
}

#[test]
fn a_poll_in_progress_is_seen_from_outside() {
    let player = queued::<4>();
    player.play(&[(1, Begin(E, A))]);
    player.at(1_001);
    let executor = player.executor(0);
    assert_eq!(
        (executor.state, executor.in_progress),
        (ExecutorState::Polling, us(1_000))
    );
    assert_eq!(executor.share(ExecutorState::Polling), Some(999));
    assert!(player.task(0, A).polling);
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.state(), Some(WorkerState::Polling));
    assert_eq!(
        worker.spawn_location().as_u32(),
        A,
        "the spawn_location is the task's number"
    );
    assert_eq!(worker.state_for(), Some(Duration::from_millis(1)));
}

#[test]
fn a_wake_during_the_poll_belongs_to_the_next_one() {
    let player = queued::<4>();
    player.play(&[
        (10, Begin(E, A)),
        (30, Ready(E, A)),
        (50, End(E, A)),
        (60, Idle(E)),
        (60, PollStart(E)),
        (70, Begin(E, A)),
        (75, End(E, A)),
        (80, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.wakes, task.polls), (2, 2));
    assert_eq!(task.waiting, us(10 + 40));
    assert_eq!((task.active, task.longest), (us(45), us(40)));
}

#[test]
fn a_wake_between_dequeue_and_poll_keeps_both_stamps() {
    // embassy clears the queued flag just before `task_exec_begin`: an interrupt can wake the task in between.
    let player = Player::<1, 4>::at_two_rates();
    player.play(&[
        (0, New(E, A)),
        (100, Ready(E, A)),
        (110, PollStart(E)),
        (149, Ready(E, A)),
        (150, Begin(E, A)),
        (160, End(E, A)),
        (160, Idle(E)),
        (160, PollStart(E)),
        (200, Begin(E, A)),
        (210, End(E, A)),
        (210, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.wakes, task.polls), (2, 2));
    assert_eq!(task.waiting, us(50 + 51));
}

#[test]
fn a_task_ends_inside_its_last_poll() {
    let player = queued::<4>();
    player.play(LAST_POLL);
    let task = player.task(0, A);
    assert_eq!((task.spawned, task.ended), (1, 1));
    assert_eq!(
        (task.polls, task.active),
        (1, us(20)),
        "the last poll counts, up to its end"
    );
    let tasks = player.tasks();
    assert_eq!((tasks.completed, tasks.alive()), (1, 0));
}

#[test]
fn a_number_that_comes_back_goes_on_in_its_row() {
    let player = queued::<4>();
    player.play(LAST_POLL).play(&[
        (100, New(E, A)),
        (100, Ready(E, A)),
        (101, PollStart(E)),
        (103, Begin(E, A)),
        (106, End(E, A)),
        (110, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.spawned, task.ended, task.wakes, task.polls), (2, 1, 2, 2));
    assert_eq!(
        (task.active, task.waiting, task.longest),
        (us(23), us(5 + 3), us(20))
    );
    assert_eq!(player.trace().tasks.len(), 1);
    assert_eq!(player.tasks().alive(), 1);
}

#[test]
fn a_task_spawned_again_before_its_end_is_reported() {
    // Despawned, spawned again by an interrupt, and only then `task_end`: embassy frees the storage first.
    let player = queued::<4>();
    player.play(&[
        (5, Begin(E, A)),
        (20, New(E, A)),
        (21, Ready(E, A)),
        (22, TaskEnd(E, A)),
        (25, End(E, A)),
        (30, Idle(E)),
        (31, PollStart(E)),
        (33, Begin(E, A)),
        (40, End(E, A)),
        (41, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.spawned, task.ended, task.wakes, task.polls), (2, 1, 2, 2));
    assert_eq!((task.active, task.waiting), (us(20 + 7), us(5 + 12)));
    let tasks = player.tasks();
    assert_eq!((tasks.spawned, tasks.completed, tasks.alive()), (2, 1, 1));
}

#[test]
fn a_wake_of_a_task_that_has_ended_is_no_poll() {
    let player = queued::<4>();
    player.play(&[
        (5, Begin(E, A)),
        // Woken during its last poll: queued once more, although there is nothing to poll.
        (10, Ready(E, A)),
        (20, TaskEnd(E, A)),
        (25, End(E, A)),
        (30, Idle(E)),
        (31, PollStart(E)),
        (33, Begin(E, A)),
        (34, End(E, A)),
        (40, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.wakes, task.polls), (2, 1));
    assert_eq!((task.active, task.waiting), (us(20), us(5)));
    let executor = player.executor(0);
    assert_eq!((executor.polls, executor.polling), (1, us(20)));
    assert_eq!(
        executor.scheduling,
        us(5 + 5 + 9),
        "the visit is the queue's time"
    );
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.poll_count(), Some(1));
    assert_eq!(worker.poll_time().expect("a poll time").histogram().count(), 1);
    assert_eq!(
        worker.noop_count(),
        Some(1),
        "the second time round polled nothing"
    );
}

#[test]
fn a_wake_of_a_number_that_was_never_spawned_makes_no_task() {
    let player = Player::<1, 4>::at_two_rates();
    player.play(&[
        (0, Ready(E, A)),
        (5, New(E, A)),
        (6, Ready(E, A)),
        (7, PollStart(E)),
        (8, Begin(E, A)),
        (9, End(E, A)),
        (9, Idle(E)),
    ]);
    let task = player.task(0, A);
    assert_eq!((task.spawned, task.wakes, task.polls), (1, 1, 1));
    assert_eq!(task.waiting, us(2));
    assert_eq!(
        player.trace().overflow,
        OverflowRow {
            wakes: 1,
            ..OverflowRow::default()
        }
    );
}

#[test]
fn tasks_past_the_last_row_share_one_and_lose_nothing() {
    let player = Player::<1, 2>::at_two_rates();
    player.play(&[
        (0, New(E, A)),
        (0, Ready(E, A)),
        (0, New(E, B)),
        (0, Ready(E, B)),
        (0, New(E, C)),
        (0, Ready(E, C)),
        (1, New(E, C + 8)),
        (1, Ready(E, C + 8)),
        (2, PollStart(E)),
        (3, Begin(E, C + 8)),
        (5, End(E, C + 8)),
        (6, Begin(E, C)),
        (16, TaskEnd(E, C)),
        (17, End(E, C)),
        (18, Begin(E, B)),
        (21, End(E, B)),
        (22, Begin(E, A)),
        (26, End(E, A)),
        (27, Idle(E)),
    ]);
    let trace = player.trace();
    assert_eq!(trace.tasks.len(), 2);
    assert_eq!(
        trace.overflow,
        OverflowRow {
            spawned: 2,
            ended: 1,
            wakes: 2,
            polls: 2,
            active: us(2 + 11),
            longest: us(11),
            unmeasured_wakes: 0,
        }
    );
    let rows: (u64, u64) = trace
        .tasks
        .iter()
        .fold((0, 0), |sum, row| (sum.0 + row.polls, sum.1 + row.active));
    assert_eq!(rows.0 + trace.overflow.polls, trace.executors[0].polls);
    assert_eq!(rows.1 + trace.overflow.active, trace.executors[0].polling);
    let tasks = player.tasks();
    assert_eq!((tasks.spawned, tasks.completed), (4, 1));
}

#[test]
fn an_ended_task_without_a_row_is_known_while_no_other_is_alive() {
    let player = queued::<0>();
    player.play(&[
        (1, Begin(E, A)),
        (2, Ready(E, A)),
        (3, TaskEnd(E, A)),
        (4, End(E, A)),
        (5, Idle(E)),
        (6, PollStart(E)),
        (7, Begin(E, A)),
        (8, End(E, A)),
        (9, Idle(E)),
    ]);
    let overflow = player.trace().overflow;
    assert_eq!(
        (overflow.spawned, overflow.ended, overflow.wakes, overflow.polls),
        (1, 1, 2, 1)
    );
    assert_eq!(player.executor(0).polls, 1);
}

#[test]
fn an_executor_past_the_last_slot_loses_no_task_count() {
    let player = Player::<1, 4>::at_two_rates();
    let other = E + 0x100;
    player.play(&[
        (0, New(E, A)),
        (0, New(other, B)),
        (0, Ready(other, B)),
        (1, PollStart(other)),
        (2, Begin(other, B)),
        (3, TaskEnd(other, B)),
        (4, End(other, B)),
        (5, Idle(other)),
    ]);
    let trace = player.trace();
    assert_eq!(trace.executors.len(), 1);
    assert_eq!((trace.overflow.wakes, trace.overflow.unmeasured_wakes), (0, 1));
    assert!(
        trace
            .to_string()
            .contains("executors past the first 1: 1 wakes, not measured")
    );
    let tasks = player.tasks();
    assert_eq!((tasks.spawned, tasks.completed, tasks.alive()), (2, 1, 1));
}

#[test]
fn an_interval_is_the_difference_of_two_snapshots() {
    let player = queued::<4>();
    player.play(&[(0, Begin(E, A)), (100, End(E, A)), (100, Idle(E))]);
    player.at(200);
    let before = player.trace();
    player.play(&[(300, Ready(E, A)), (310, PollStart(E)), (310, Begin(E, A))]);
    player.at(320);
    let interval = player.trace().since(&before);
    let executor = interval.executors[0];
    assert_eq!(
        executor.idle,
        us(110),
        "what was in progress before belongs to the interval before"
    );
    assert_eq!(
        executor.polling,
        us(10),
        "what is in progress now belongs to this one"
    );
    assert_eq!(executor.total(), us(120));
    assert_eq!(executor.polls, 0);
    let task = interval.task(0, A).expect("a row");
    assert_eq!((task.wakes, task.waiting, task.active), (1, us(10), us(10)));
}

/// The columns of every row are below each other, whatever the names.
#[test]
fn a_long_name_does_not_break_the_table() {
    let player = queued::<4>();
    player.play(&[(0, New(E, B)), (0, New(E, C)), (0, Ready(E, B)), (0, Ready(E, C))]);
    player.metrics.name_task(A, "a_name_of_17_char");
    player.metrics.name_task(B, "b");
    let trace = player.trace();
    let row = trace.task(0, A).expect("a row");
    assert_eq!(row.name.as_str(), "a_name_of_17_cha", "a name has 16 bytes");
    let table = trace.to_string();
    let lines = || table.lines().filter(|line| line.starts_with("  "));
    assert_eq!(lines().count(), 1 + 3);
    let lengths: Vec<usize> = lines().map(|line| line.chars().count()).collect();
    assert!(lengths.iter().all(|&length| length == lengths[0]), "{table}");
    assert!(table.contains("  a_name_of_17_ch"), "{table}");
}

/// A linker's map and a debugger print addresses in hexadecimal.
#[test]
fn a_task_without_a_name_shows_its_address() {
    let player = queued::<4>();
    assert!(player.trace().to_string().contains("  0x20001000 "));
}

#[test]
fn the_longest_poll_of_an_interval_is_exact_or_a_bound() {
    let player = queued::<4>();
    player.play(&[(10, Begin(E, A)), (50, End(E, A)), (51, Idle(E))]);
    let mut before = player.trace();
    let mut longest = || {
        let now = player.trace();
        let interval = now.since(&before);
        let task = *interval.task(0, A).expect("a row for the task");
        before = now;
        (task.longest, task.longest_is_bound)
    };
    assert_eq!(longest(), (0, false), "no poll");
    let poll = |at, ticks| {
        player.play(&[(at, Ready(E, A)), (at, PollStart(E)), (at, Begin(E, A))]);
        player.play(&[(at + ticks, End(E, A)), (at + ticks, Idle(E))]);
    };
    poll(100, 20);
    assert_eq!(longest(), (us(20), false), "one poll");
    poll(200, 5);
    poll(300, 9);
    assert_eq!(
        longest(),
        (us(14), true),
        "two polls are not longer than both together"
    );
    for at in [400, 500, 600] {
        poll(at, 30);
    }
    assert_eq!(
        longest(),
        (us(40), true),
        "no poll was longer than an earlier one"
    );
    poll(700, 60);
    poll(800, 1);
    assert_eq!(longest(), (us(60), false), "longer than all before");
    player.play(&[(900, Ready(E, A)), (900, PollStart(E)), (900, Begin(E, A))]);
    player.at(955);
    assert_eq!(longest(), (us(55), false), "one poll, in progress");
    player.play(&[(958, End(E, A)), (958, Idle(E))]);
    assert_eq!(longest(), (us(60), true), "the poll began before the interval");
}

#[test]
fn an_executor_that_is_polled_again_without_going_idle_stays_busy() {
    let player = queued::<4>();
    player.play(&[
        (5, Begin(E, A)),
        (10, Ready(E, A)),
        (20, End(E, A)),
        (30, PollStart(E)),
        (40, Begin(E, A)),
        (45, End(E, A)),
        (50, Idle(E)),
    ]);
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_micros(50)));
    assert_eq!(
        (worker.park_count(), worker.park_unpark_count()),
        (Some(1), Some(3))
    );
    let polls = worker.poll_time().expect("a poll time").histogram();
    assert_eq!((polls.count(), polls.sum()), (2, us(15 + 5)));
    let latency = worker.schedule_latency().expect("a latency").histogram();
    assert_eq!((latency.count(), latency.sum()), (2, us(5 + 30)));
}

/// With unwinding, a panic in a poll leaves the executor without `task_exec_end`.
#[test]
fn a_poll_that_a_panic_ended_is_over_when_its_executor_runs_again() {
    let player = queued::<4>();
    player.play(&[(5, Begin(E, A)), (20, PollStart(E))]).at(50);
    let executor = player.executor(0);
    assert_eq!(
        (executor.state, executor.polling, executor.scheduling),
        (ExecutorState::Scheduling, us(15), us(5 + 30))
    );
    assert!(!player.task(0, A).polling);
    player.play(&[(60, Idle(E))]);
    assert_eq!(player.executor(0).polling, us(15));
}

#[test]
fn a_poll_in_progress_without_a_row_is_in_no_row() {
    let player = Player::<1, 1>::at_two_rates();
    player.play(&[
        (0, New(E, A)),
        (0, Ready(E, A)),
        (0, New(E, B)),
        (0, Ready(E, B)),
        (1, PollStart(E)),
    ]);
    player.at(3);
    let executor = player.executor(0);
    assert_eq!(
        (executor.state, executor.in_progress),
        (ExecutorState::Scheduling, us(2))
    );
    player.play(&[(4, Begin(E, A))]).at(14);
    let times = || {
        let (row, overflow) = (player.task(0, A), player.trace().overflow);
        [(row.active, row.longest), (overflow.active, overflow.longest)]
    };
    assert_eq!(times(), [(us(10), us(10)), (0, 0)]);
    player.play(&[(20, End(E, A)), (21, Begin(E, B))]).at(24);
    assert_eq!(times(), [(us(16), us(16)), (us(3), us(3))]);
    player.play(&[(25, End(E, B))]).at(40);
    assert_eq!(times(), [(us(16), us(16)), (us(4), us(4))]);
}

#[test]
fn a_snapshot_taken_again_has_one_row_for_each_task() {
    let player = Player::<2, 4>::at_two_rates();
    let other = E + 0x100;
    player.play(&[(0, New(E, A)), (0, New(E, B)), (0, New(other, C))]);
    let mut trace = TraceSnapshot::<FixedTrace<2, 4>>::default();
    for wakes in 1..=2 {
        player.play(&[(wakes, Ready(E, B))]);
        player.metrics.trace_into(&mut trace);
        let rows: Vec<_> = trace
            .tasks
            .iter()
            .map(|row| (row.executor, row.task, row.wakes))
            .collect();
        assert_eq!(rows.len(), 3);
        for row in [(0, A, 0), (0, B, wakes), (1, C, 0)] {
            assert!(rows.contains(&row), "{row:?} in {rows:?}");
        }
    }
}

#[test]
fn a_table_shows_the_names_of_its_tasks() {
    let player = queued::<4>();
    player.play(LAST_POLL).play(&[(30, New(E, B)), (30, New(E, C))]);
    player.metrics.name_task(C, "sensor");
    let text = player.trace().table(&[(A, "hog")]).to_string();
    let names: Vec<_> = text
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("task"))
        .skip(1)
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .take(3)
        .collect();
    for name in ["hog", "0x20002000", "sensor"] {
        assert!(names.contains(&name), "{name} in {text}");
    }
}

#[test]
fn a_name_shows_as_its_text() {
    let [none, name, long] = ["", "sensor", "a name of more than 16 bytes"].map(TaskName::new);
    assert_eq!(
        [none, name, long].map(|name| name.is_empty()),
        [true, false, false]
    );
    assert_eq!(
        (long.as_str(), long.to_string()),
        ("a name of more t", "a name of more t".into())
    );
    assert_eq!(format!("{name:>8}|{name:?}"), "  sensor|\"sensor\"");
}
