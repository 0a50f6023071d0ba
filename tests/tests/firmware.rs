//! Reads a microcontroller's snapshot on a host: decodes the postcard that the Cortex-M3 image printed into the types of
//! `metrics-std` and compares it with the table that the image printed.
//!
//! `fixtures/cortex-m3.txt` is a committed output of the image. `cargo xtask firmware cortex-m3` passes the current output.

use std::env;
use std::fs;

use metrics_core::embassy::{
    ExecutorRow, ExecutorState, FixedTrace, HeapTrace, OverflowRow, TaskName, TaskRow, TraceSnapshot,
};
use metrics_std::Snapshot;

fn output() -> String {
    match env::var_os("FIRMWARE_OUTPUT") {
        Some(path) => fs::read_to_string(path).expect("what the firmware printed"),
        None => include_str!("../fixtures/cortex-m3.txt").to_owned(),
    }
}

fn decoded(output: &str) -> (Snapshot, TraceSnapshot<HeapTrace>) {
    let hex = output
        .lines()
        .find_map(|line| line.strip_prefix("postcard "))
        .expect("a line of postcard");
    assert!(hex.len().is_multiple_of(2));
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits"))
        .collect();
    let (value, rest) = postcard::take_from_bytes(&bytes).expect("a snapshot and a trace");
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    value
}

/// Returns the words of the table's lines, without the names of tasks.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn the_decoded_trace_prints_the_same_table() {
    let output = output();
    let (_, trace) = decoded(&output);
    let table = trace.to_string();
    assert!(
        output.contains(table.trim_end()),
        "decoded:\n{table}\nprinted:\n{output}"
    );
}

#[test]
fn the_decoded_snapshot_agrees_with_the_trace_and_the_table() {
    let output = output();
    let (snapshot, trace) = decoded(&output);
    assert_eq!(snapshot.name(), "embassy");
    assert_eq!(snapshot.num_workers(), Some(trace.executors.len()));
    for (index, executor) in trace.executors.iter().enumerate() {
        let worker = snapshot.worker(index).expect("a worker for each executor");
        assert_eq!(worker.poll_count(), Some(executor.polls));
        let polls = worker.poll_time().expect("a poll time").histogram();
        assert_eq!(polls.count(), executor.polls);
        let in_poll = if executor.state == ExecutorState::Polling {
            executor.in_progress
        } else {
            0
        };
        assert_eq!(
            polls.sum(),
            executor.polling - in_poll,
            "the histogram's sum is the time in polls that ended"
        );
        let longest = trace
            .tasks
            .iter()
            .filter(|row| row.executor as usize == index && !row.polling)
            .map(|row| row.longest);
        assert_eq!(polls.max(), longest.max());
        let busy = worker.busy_duration_total().expect("a busy time").as_nanos();
        let settled = u128::from(executor.polling + executor.scheduling);
        if executor.state == ExecutorState::Idle {
            assert_eq!(busy, settled);
        } else {
            // Busy time includes what preempted the poll in progress until it ends. The snapshot is taken a little after the trace.
            let latest = settled + u128::from(executor.preempted) + 1_000_000;
            assert!(
                (settled.saturating_sub(1_000_000)..=latest).contains(&busy),
                "{busy} of {settled} to {latest}"
            );
        }
        let line = output
            .lines()
            .find(|line| line.starts_with(&format!("worker {index}")))
            .expect("a line for each worker");
        assert!(
            words(line).contains(&executor.polls.to_string().as_str()),
            "{line}"
        );
    }
    let states: Vec<ExecutorState> = trace.executors.iter().map(|executor| executor.state).collect();
    assert_eq!(states, [ExecutorState::Idle, ExecutorState::Polling]);
    let tasks = snapshot.tasks().expect("task counts");
    let sum = |count: fn(&metrics_core::embassy::TaskRow) -> u64| trace.tasks.iter().map(count).sum::<u64>();
    assert_eq!(
        (tasks.spawned, tasks.completed),
        (sum(|row| row.spawned), sum(|row| row.ended))
    );
}

/// Every number has as many bytes as it can have.
#[test]
fn the_largest_trace_fits_into_the_documented_buffer() {
    const EXECUTORS: usize = 2;
    const ROWS: usize = 16;
    let largest = u64::MAX;
    let mut trace = TraceSnapshot::<FixedTrace<EXECUTORS, ROWS>>::default();
    for _ in 0..EXECUTORS {
        let row = ExecutorRow {
            id: u32::MAX,
            state: ExecutorState::Polling,
            idle: largest,
            scheduling: largest,
            polling: largest,
            preempted: largest,
            in_progress: largest,
            polls: largest,
            core: u32::MAX,
            stale: true,
        };
        trace.executors.push(row).expect("there is room");
    }
    for _ in 0..ROWS {
        let row = TaskRow {
            executor: u32::MAX,
            task: u32::MAX,
            name: TaskName::new("sixteen letters!"),
            spawned: largest,
            ended: largest,
            wakes: largest,
            polls: largest,
            active: largest,
            waiting: largest,
            longest: largest,
            longest_is_bound: true,
            polling: true,
            stale: true,
        };
        trace.tasks.push(row).expect("there is room");
    }
    trace.overflow = OverflowRow {
        spawned: largest,
        ended: largest,
        wakes: largest,
        polls: largest,
        active: largest,
        longest: largest,
        unmeasured_wakes: largest,
    };
    let page = include_str!("../../docs/MICROCONTROLLERS.md");
    assert!(
        page.contains(
            "80 bytes, 75 for each executor and 105 for each row: 1,910 for 2 executors and 16 rows"
        )
    );
    let mut buffer = [0; 80 + 75 * EXECUTORS + 105 * ROWS];
    assert_eq!(buffer.len(), 1_910);
    postcard::to_slice_cobs(&trace, &mut buffer).expect("the buffer suffices");
}
