//! The metrics, compared with what the tasks counted and with the work that they did.

use metrics_core::embassy::{ExecutorState, TaskRow};

use crate::metrics::{Snapshot, Trace};
use crate::tasks::{self, MESSAGES, ONCE, Polls};

/// Checks what was measured up to the last poll of the supervisor, which goes on. Returns the number of polls that ended.
pub fn check(trace: &Trace, snapshot: &Snapshot) -> u64 {
    let mut wakes = 0;
    for polls in Polls::spawned() {
        let row = polls.row(trace);
        let in_progress = u64::from(row.polling);
        assert_eq!(
            row.polls + in_progress,
            u64::from(polls.count()),
            "polls of {}",
            polls.name
        );
        assert_eq!(
            row.wakes,
            u64::from(polls.count()),
            "each wake of {} led to one poll",
            polls.name
        );
        let lives = if polls.name == "once" { ONCE } else { 1 };
        assert_eq!(
            (row.spawned, row.ended),
            (lives, lives - in_progress),
            "lives of {}",
            polls.name
        );
        assert!(!row.stale);
        assert_eq!(row.name.as_str(), polls.name);
        wakes += row.wakes;
    }
    let tasks = Polls::spawned().count();
    assert_eq!(trace.tasks.len(), tasks + 1, "all tasks and the handler");
    assert_eq!(trace.overflow.spawned, 0);
    assert_eq!(
        tasks::received(),
        2 * MESSAGES,
        "each message went there and back"
    );

    let all = snapshot.total();
    let polls = all.poll_count().expect("a poll count");
    assert_eq!(polls + 1, wakes, "every wake led to a poll; the last one goes on");
    assert_eq!(all.poll_time().expect("a poll time").histogram().count(), polls);
    assert_eq!(
        all.schedule_latency().expect("a latency").histogram().count(),
        polls + 1
    );
    let lives = tasks as u64 - 1 + ONCE;
    let counts = snapshot.tasks().expect("task counts");
    assert_eq!(
        (counts.spawned, counts.completed, counts.alive()),
        (lives, lives - 1, 1)
    );
    check_times(trace);
    polls
}

fn check_times(trace: &Trace) {
    let uart = trace.task(TaskRow::INTERRUPT, 0).expect("a row for the handler");
    let load = u64::from(tasks::TICKS) * tasks::UART_WORK.as_micros() * 1_000;
    assert_eq!(uart.polls, u64::from(tasks::TICKS));
    assert!(
        (load..load + load / 10).contains(&uart.active),
        "a load of {load} ns was measured as {}",
        uart.active
    );
    for (index, executor) in (0..).zip(&trace.executors) {
        let tasks = trace.tasks.iter().filter(|row| row.executor == index);
        // The poll in progress goes on between two rows.
        let active = tasks.map(|row| row.active).sum::<u64>();
        let later = if executor.state == ExecutorState::Polling {
            1_000_000
        } else {
            0
        };
        assert!(
            (executor.polling..=executor.polling + later).contains(&active),
            "every nanosecond is some task's: {active} of {}",
            executor.polling
        );
    }
    let main = trace.executors.last().expect("an executor");
    assert_eq!(main.state, ExecutorState::Polling);
    assert!(main.idle > 0 && main.preempted > 0);
    let hogged = u64::from(tasks::HOGS) * tasks::HOG.as_micros() * 1_000;
    assert!(
        main.polling + main.preempted >= hogged,
        "the hog's polls and what preempted them"
    );
}
